from pathlib import Path

from kensho.bench.tokenisation import prepare
from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from scripts.job import job

with job(snakemake):
    train, test = (read_table(snakemake.input[name])["ja"].tolist() for name in ("train", "test"))
    gold = [fetched(record)[0] for record in snakemake.input.gold]
    prepare(
        train,
        test,
        Path(snakemake.output[0]).parent,
        gold=gold[0] if gold else None,
        seed=snakemake.params.seed,
        **snakemake.params.settings,
    )
