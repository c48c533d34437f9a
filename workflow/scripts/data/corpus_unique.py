from kensho.data import shards
from kensho.run.job import job, paths

with job(snakemake):
    inputs, made = paths(snakemake.input), paths(snakemake.output)
    shards.without_repeats(
        inputs["documents"],
        inputs["repeats"],
        snakemake.params.numbers,
        made["documents"],
        made["drops"],
    )
