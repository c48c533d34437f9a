from kensho.observations import write_table
from kensho.stats.calibration import sbc
from kensho.stats.models import MODELS
from scripts.job import job

with job(snakemake):
    model = MODELS[snakemake.wildcards.bayesian_model]
    given = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    ranks = sbc.run(model, replications=snakemake.params.replications, **given)
    write_table(snakemake.output.ranks, ranks)
