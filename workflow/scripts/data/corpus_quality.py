import pandas as pd
from kensho.files import read_json, replacing, write_table
from kensho.report import quality
from kensho.run.job import job

with job(snakemake):
    inputs, about = snakemake.input, snakemake.params.about
    measured = quality.read(inputs.measures, [*inputs.drops, *inputs.repeats])
    missing = quality.Missing(
        pd.read_csv(inputs.missing), read_json(inputs.test), pd.read_csv(inputs.imputed)
    )
    perplexity = pd.read_csv(inputs.perplexity[0]) if inputs.perplexity else None
    table = quality.table(measured, missing, perplexity)
    write_table(snakemake.output.table, table)
    page = quality.build(snakemake.wildcards.corpus, measured, missing, perplexity, about)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
