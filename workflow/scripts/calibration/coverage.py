import pandas as pd
from kensho.observations import write_table
from kensho.stats.calibration import coverage
from kensho.stats.models import MODELS
from scripts.job import job

with job(snakemake):
    model = MODELS[snakemake.wildcards.bayesian_model]
    given = {"seed": snakemake.params.seed, "processes": snakemake.threads}
    fits = [
        coverage.run(model, truth, replications=snakemake.params.replications, **given)
        for truth in ("centre", "lower")
    ]
    write_table(snakemake.output.fits, pd.concat(fits))
