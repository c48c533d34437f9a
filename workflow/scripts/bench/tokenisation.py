from pathlib import Path

from kensho.bench.tokenisation import conditions, observe, save
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("tokenisation")
    run = {**snakemake.params.settings, "seed": snakemake.params.seed}
    folder = Path(snakemake.input.folder[0]).parent
    observed = observe(folder, **run)
    described = {
        arm: {**given, "registered": claims} for arm, given in conditions(folder, **run).items()
    }
    save("results/benchmark_data/tokenisation", observed, described)
