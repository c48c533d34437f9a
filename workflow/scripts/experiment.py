from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.run import Run
from kensho.fallback import lowered
from kensho.observations import environment, write
from kensho.part import resolve
from kensho.run.job import job, paths
from kensho.run.registration import registered

with job(snakemake) as fallbacks, TemporaryDirectory(dir=snakemake.resources.tmpdir) as folder:
    given = snakemake.params
    claims = registered(given.experiment)
    run = Run(
        Path(folder),
        threads=snakemake.threads,
        seed=given.get("seed", 0),
        left_out=given.left_out,
        retries_left=snakemake.resources.get("retries_left", 0),
    )
    for table, conditions in resolve(given.code_of)(paths(snakemake.input), given.settings, run):
        made = {**environment(), **lowered(conditions, fallbacks, "reference")}
        write(f"results/benchmark_data/{given.experiment}", table, {**made, "registered": claims})
