import pandas as pd
from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import characteristics, pooled

with job(snakemake):
    replications, seed = snakemake.params.replications, snakemake.params.seed
    table = characteristics.run(replications, seed)
    write_table(snakemake.output.characteristics, table)
    lines = [characteristics.acceptance(table), pooled.acceptance(replications, seed)]
    write_table(snakemake.output.acceptance, pd.concat(lines))
