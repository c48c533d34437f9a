from pathlib import Path

from kensho.bench.kv_cache import conditions, observe_within
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("kv_cache")
    grid = dict(snakemake.params.grid)
    limit = grid.pop("time_limit_s")
    observed, missing = observe_within(limit, load(Path(snakemake.input.cards)), **grid)
    for arm, rows in observed.groupby("arm"):
        described = {**conditions(limit, missing.get(arm, [])), "registered": claims}
        write("results/benchmark_data/kv_cache", rows, described)
