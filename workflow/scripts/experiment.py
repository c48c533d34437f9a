from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.run import Run
from kensho.fallback import lowered
from kensho.observations import environment, write
from kensho.part import resolve
from kensho.run.job import job, paths
from kensho.run.registration import registered

with job(snakemake) as fallbacks, TemporaryDirectory(dir=snakemake.resources.tmpdir) as folder:
    params = snakemake.params
    claims = registered(params.experiment)
    run = Run(
        Path(folder),
        threads=snakemake.threads,
        seed=params.get("seed", 0),
        left_out=params.left_out,
        retries_left=snakemake.resources.get("retries_left", 0),
    )
    experiment = resolve(params.code_of)
    for table, conditions in experiment(paths(snakemake.input), params.settings, run):
        made = {**environment(), **lowered(conditions, fallbacks, "reference")}
        write(f"results/benchmark_data/{params.experiment}", table, {**made, "registered": claims})
