from kensho.files import write_table
from kensho.stats.calibration import characteristics
from scripts.job import job

with job(snakemake):
    table = characteristics.run(snakemake.params.replications, snakemake.params.seed)
    write_table(snakemake.output.characteristics, table)
    write_table(snakemake.output.acceptance, characteristics.acceptance(table))
