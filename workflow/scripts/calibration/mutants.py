from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import mutants

with job(snakemake):
    given = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    found = mutants.run(replications=snakemake.params.replications, **given)
    write_table(snakemake.output.mutants, found)
