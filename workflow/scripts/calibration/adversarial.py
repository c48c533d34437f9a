from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import adversarial, metamorphic

with job(snakemake):
    table = adversarial.run(snakemake.params.replications, snakemake.params.seed)
    write_table(snakemake.output.adversarial, table)
    write_table(snakemake.output.metamorphic, metamorphic.run(snakemake.params.seed))
