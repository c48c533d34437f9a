from pathlib import Path

from kensho.bench.kv_cache import conditions, observe
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job

with job(snakemake):
    observed = observe(load(Path(snakemake.input.cards)), **snakemake.params.grid)
    write("results/benchmark_data/kv_cache", observed, conditions())
