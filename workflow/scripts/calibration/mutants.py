from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import mutants

with job(snakemake):
    options = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    table = mutants.run(replications=snakemake.params.replications, **options)
    write_table(snakemake.output.mutants, table)
