import pandas as pd
from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import coverage, sbc

with job(snakemake):
    ranks = pd.concat(map(pd.read_csv, snakemake.input.ranks))
    fits = pd.concat(map(pd.read_csv, snakemake.input.fits))
    write_table(snakemake.output.sbc, sbc.uniformity(ranks, seed=snakemake.params.seed))
    write_table(snakemake.output.ranks, ranks[["model", "quantity", "rank"]])
    write_table(snakemake.output.binary, sbc.reliability(ranks))
    write_table(snakemake.output.coverage, coverage.summarise(fits))
