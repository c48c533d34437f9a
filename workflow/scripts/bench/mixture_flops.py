from pathlib import Path

from kensho.bench.mixture_flops import MIXTURE, conditions, observe
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("mixture_flops")
    card = load(Path(snakemake.input.cards))[MIXTURE]
    observed = observe(card, **snakemake.params.settings)
    described = {**conditions(), "registered": claims}
    write("results/benchmark_data/mixture_flops", observed, described)
