from kensho.data.corpus import read_table, write_table
from kensho.data.sources import fetched
from kensho.part import resolve
from kensho.run.job import job, paths

with job(snakemake):
    given, inputs = snakemake.params, paths(snakemake.input)
    for record in inputs.pop("records"):
        fetched(record)  # what the technique reads is what is pinned
    variants = resolve(given.code_of)(
        read_table(inputs["train"]), inputs, given.settings, limit=given.limit, seed=given.seed
    )
    write_table(snakemake.output.variants, variants)
