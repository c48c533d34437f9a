from pathlib import Path

from kensho.bench.gemm import NOT_HERE, conditions, observe, shapes
from kensho.models import cards, hardware
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("gemm")
    given, accelerator = snakemake.params, snakemake.params.device
    if accelerator == "none":
        raise ValueError(NOT_HERE)
    settings = dict(given.settings)
    picked = {key: settings.pop(key) for key in ("squares", "models", "rows")}
    run = {**settings, "seed": given.seed, "threads": snakemake.threads}
    wanted = shapes(cards.load(Path(snakemake.input.cards)), **picked)
    known = hardware.load(Path(snakemake.input.hardware)).values()
    observed, device = observe(accelerator, wanted, known=known, **run)
    described = {**conditions(accelerator, device, **run), "registered": claims}
    write("results/benchmark_data/gemm", observed, described)
