from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import formula

with job(snakemake):
    options = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    lines, ranks = formula.run(*snakemake.params.replications, **options)
    write_table(snakemake.output.lines, lines)
    write_table(snakemake.output.ranks, ranks)
