import pandas as pd
from kensho.files import write_table
from kensho.run.job import job
from kensho.stats.calibration import audit, characteristics, gains, pooled, shared_clusters

with job(snakemake):
    replications, seed = snakemake.params.replications, snakemake.params.seed
    table = characteristics.run(replications, seed)
    write_table(snakemake.output.characteristics, table)
    beside = [one.acceptance(replications, seed) for one in (pooled, gains, audit, shared_clusters)]
    lines = [characteristics.acceptance(table), *beside]
    write_table(snakemake.output.acceptance, pd.concat(lines))
