import pandas as pd
from kensho.files import read_json, replacing, write_table
from kensho.report import quality
from kensho.run.job import job

with job(snakemake):
    given, about = snakemake.input, snakemake.params.about
    found = quality.read(given.measures, [*given.drops, *given.repeats])
    missing = quality.Missing(
        pd.read_csv(given.missing), read_json(given.test), pd.read_csv(given.imputed)
    )
    perplexity = pd.read_csv(given.perplexity[0]) if given.perplexity else None
    table = quality.table(found, missing, perplexity)
    write_table(snakemake.output.table, table)
    page = quality.build(snakemake.wildcards.corpus, found, missing, perplexity, about)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
