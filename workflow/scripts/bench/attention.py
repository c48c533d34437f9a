from pathlib import Path

from kensho.bench.attention import conditions, observe, planned
from kensho.bench.kv_cache import R1
from kensho.fallback import lowered
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("attention")
    grid, seed = snakemake.params.grid, snakemake.params.seed
    settings = planned(**grid, seed=seed, threads=snakemake.threads)
    observed = observe(load(Path(snakemake.input.cards))[R1], **settings)
    described = lowered(conditions(**settings), fallbacks, "reference")
    write("results/benchmark_data/attention", observed, {**described, "registered": claims})
