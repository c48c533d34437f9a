import pandas as pd
from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import coverage, sbc
from kensho.stats.models import MODELS

with job(snakemake):
    model, replications = MODELS[snakemake.wildcards.bayesian_model], snakemake.params.replications
    seed, processes = snakemake.params.seed, snakemake.threads
    fixed = sbc.Simulation(replications["coverage"], seed, processes)
    fits = [coverage.run(model, truth, fixed) for truth in ("centre", "lower")]
    ranks = sbc.run(model, sbc.Simulation(replications["sbc"], seed, processes))
    write_table(snakemake.output.ranks, ranks)
    write_table(snakemake.output.fits, pd.concat(fits))
