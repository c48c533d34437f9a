from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import audit

with job(snakemake):
    table = audit.run(snakemake.params.replications, snakemake.params.seed)
    write_table(snakemake.output.audit, table)
