from pathlib import Path

from kensho.files import write_table
from kensho.observations import read
from kensho.run.job import job
from kensho.stats.latency import percentiles

with job(snakemake):
    arms = {Path(path).stem: read(path) for path in snakemake.input if path.endswith(".csv")}
    write_table(snakemake.output[0], percentiles(arms))
