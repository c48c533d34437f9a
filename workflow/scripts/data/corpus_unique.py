from kensho.data import shards
from kensho.run.job import job, paths

with job(snakemake):
    given, made = paths(snakemake.input), paths(snakemake.output)
    shards.without_repeats(
        given["documents"],
        given["repeats"],
        snakemake.params.numbers,
        made["documents"],
        made["drops"],
    )
