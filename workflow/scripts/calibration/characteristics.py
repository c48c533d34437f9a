from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import characteristics

with job(snakemake):
    table = characteristics.run(snakemake.params.replications, snakemake.params.seed)
    write_table(snakemake.output.characteristics, table)
    write_table(snakemake.output.acceptance, characteristics.acceptance(table))
