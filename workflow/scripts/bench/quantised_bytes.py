from pathlib import Path

from kensho.bench.quantised_bytes import conditions, conditions_computed, observe, observe_computed
from kensho.data.sources import fetched
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

FOLDER = "results/benchmark_data/quantised_bytes"

with job(snakemake):
    claims = {"registered": registered("quantised_bytes")}
    cards, files = load(Path(snakemake.input.cards)), {}
    for record in snakemake.input.files:
        path, source = fetched(record)
        if path is not None:
            files[source["name"]] = path
    write(FOLDER, observe_computed(cards, files), {**conditions_computed(files), **claims})
    write(FOLDER, observe(cards), {**conditions(), **claims})
