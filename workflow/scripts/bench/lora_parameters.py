from pathlib import Path

from kensho.bench.lora_parameters import conditions, observe
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job

with job(snakemake):
    observed = observe(load(Path(snakemake.input.cards)), **snakemake.params.grid)
    write("results/benchmark_data/lora_parameters", observed, conditions())
