from kensho.data.corpus import read_table, write_table
from kensho.data.sources import fetched
from kensho.part import resolve
from kensho.run.job import job, paths

with job(snakemake):
    params, inputs = snakemake.params, paths(snakemake.input)
    for record in inputs.pop("records"):
        fetched(record)  # what the technique reads is what is pinned
    samples = read_table(inputs["train"])
    variants = resolve(params.code_of)(
        samples, inputs, params.settings, limit=params.limit, seed=params.seed
    )
    if params.guard:
        variants = resolve(params.guard)(variants, samples, read_table(inputs["connections"]))
    write_table(snakemake.output.variants, variants)
