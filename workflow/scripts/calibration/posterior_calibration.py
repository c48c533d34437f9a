import pandas as pd
from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import coverage, sbc
from kensho.stats.models import MODELS

with job(snakemake):
    model, replications = MODELS[snakemake.wildcards.bayesian_model], snakemake.params.replications
    given = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    fits = [
        coverage.run(model, truth, replications=replications["coverage"], **given)
        for truth in ("centre", "lower")
    ]
    write_table(snakemake.output.ranks, sbc.run(model, replications=replications["sbc"], **given))
    write_table(snakemake.output.fits, pd.concat(fits))
