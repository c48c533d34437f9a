from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import formula

with job(snakemake):
    given = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    lines, ranks = formula.run(*snakemake.params.replications, **given)
    write_table(snakemake.output.lines, lines)
    write_table(snakemake.output.ranks, ranks)
