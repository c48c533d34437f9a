from pathlib import Path

from kensho.files import write_table
from kensho.observations import read
from kensho.run.job import job
from kensho.stats.describe import evaluation

with job(snakemake):
    tables = {Path(p).stem: read(p)[0] for p in snakemake.input if p.endswith(".csv")}
    write_table(snakemake.output[0], evaluation(tables, snakemake.params.bases))
