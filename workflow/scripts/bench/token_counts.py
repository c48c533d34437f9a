from pathlib import Path

from kensho.bench.token_counts import conditions, observe
from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("token_counts")
    files = {
        Path(folder).name: Path(folder) / "tokenizer.json" for folder in snakemake.input.models
    }
    left_out = dict(snakemake.params.refused)
    for record in snakemake.input.records:
        path, source = fetched(record)
        if path is not None:
            files[source["name"]] = path
        elif source["name"] in snakemake.params.judged:
            raise ValueError(source["reason"])
        else:
            left_out[source["name"]] = source["reason"]
    pairs = read_table(snakemake.input.pairs)
    described = conditions(sentences=len(pairs), left_out=left_out)
    write(
        "results/benchmark_data/token_counts",
        observe(files, pairs),
        {**described, "registered": claims},
    )
