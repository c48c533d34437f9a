from kensho.files import write_table
from kensho.observations import read
from kensho.run.job import job
from kensho.stats.gains import table

with job(snakemake):
    observed = (read(path) for path in snakemake.input if path.endswith(".csv"))
    write_table(snakemake.output[0], table(observed))
