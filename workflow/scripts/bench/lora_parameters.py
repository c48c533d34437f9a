from pathlib import Path

from kensho.bench.lora_parameters import conditions, observe
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("lora_parameters")
    observed = observe(load(Path(snakemake.input.cards)), **snakemake.params.grid)
    described = {**conditions(), "registered": claims}
    write("results/benchmark_data/lora_parameters", observed, described)
