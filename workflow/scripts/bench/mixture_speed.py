from pathlib import Path

from kensho.bench.mixture_flops import MIXTURE
from kensho.bench.mixture_speed import conditions, observe, reduced
from kensho.fallback import lowered
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("mixture_speed")
    settings = dict(snakemake.params.settings)
    size = {key: settings.pop(key) for key in ("hidden_size", "layers")}
    run = {**settings, "seed": snakemake.params.seed, "threads": snakemake.threads}
    full = load(Path(snakemake.input.cards))[MIXTURE]
    card = reduced(full, **size)
    observed = observe(card, **run)
    described = lowered(conditions(card, full=full, **run), fallbacks, "reference")
    write("results/benchmark_data/mixture_speed", observed, {**described, "registered": claims})
