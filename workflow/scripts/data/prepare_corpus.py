import pandas as pd
from kensho.data import corpus
from kensho.data.sources import fetched
from kensho.files import write_table
from kensho.run.job import job

with job(snakemake):
    data = snakemake.params.data
    path, _ = fetched(snakemake.input.record)
    pairs, cleaned = corpus.clean(
        corpus.read_tatoeba(path),
        shortest=data["min_characters"],
        longest=data["max_characters"],
    )
    splits, parted = corpus.split(
        pairs,
        pool=data["pool"],
        train=data["train"],
        test=data["test"],
        threshold=data["near_duplicate"],
        seed=snakemake.params.seed,
    )
    corpus.write_table(snakemake.output.train, splits["train"])
    corpus.write_table(snakemake.output.test, splits["test"])
    attested = pairs[~pairs["id"].isin(splits["test"]["id"])]
    corpus.write_table(snakemake.output.attested, attested[["id", "ja"]])
    write_table(snakemake.output.drops, pd.concat([cleaned, parted]))
