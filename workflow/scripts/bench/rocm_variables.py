from pathlib import Path

from kensho.bench.rocm_variables import conditions, observe
from kensho.models.rocm import load, stack_libraries
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("rocm_variables")
    root = Path(snakemake.params.root)
    libraries = stack_libraries(root)
    observed = observe(load(Path(snakemake.input.variables)), libraries)
    described = {**conditions(root, libraries), "registered": claims}
    write("results/benchmark_data/rocm_variables", observed, described)
