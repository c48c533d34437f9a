from pathlib import Path

from kensho.bench.mixture_flops import MIXTURE, conditions, observe
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("mixture_flops")
    observed = observe(load(Path(snakemake.input.cards))[MIXTURE])
    described = {**conditions(), "registered": claims}
    write("results/benchmark_data/mixture_flops", observed, described)
