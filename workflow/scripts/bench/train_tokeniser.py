import time
from pathlib import Path

from kensho.bench.tokeniser_arms import named
from kensho.bench.tokeniser_training import train
from kensho.data.corpus import read_table
from kensho.files import replacing, write_json
from kensho.run.job import job

with job(snakemake):
    texts = read_table(snakemake.input.text)["ja"].head(snakemake.params.sentences).tolist()
    cell, began = named(snakemake.wildcards.tokeniser), time.perf_counter()
    model, untrained = train(texts, cell, snakemake.threads)
    seconds = time.perf_counter() - began
    with replacing(Path(snakemake.output.model)) as path:
        path.write_bytes(model)
    record = {
        **cell._asdict(),
        "untrained": untrained,
        "sentences": len(texts),
        "characters": sum(map(len, texts)),
        "seconds": seconds,
    }
    write_json(snakemake.output.record, record)
