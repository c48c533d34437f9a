from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.run import Run, as_settings
from kensho.fallback import lowered
from kensho.observations import environment, write
from kensho.part import resolve
from kensho.run.job import job, paths
from kensho.run.registration import registered

with job(snakemake) as fallbacks, TemporaryDirectory(dir=snakemake.resources.tmpdir) as folder:
    params, files = snakemake.params, paths(snakemake.input)
    claims, settings = registered(params.experiment), as_settings(params.settings)
    journal = Path(f"results/bench/{params.experiment}.jsonl")
    run = Run(
        Path(folder),
        threads=snakemake.threads,
        seed=params.get("seed", 0),
        left_out=params.left_out,
        retries_left=snakemake.resources.get("retries_left", 0),
        journal=journal,
        identity=[params.code, params.settings, params.get("seed")],
    )
    for table, conditions in resolve(params.code_of)(files, settings, run):
        made = {**environment(), **lowered(conditions, fallbacks, "reference")}
        write(f"results/benchmark_data/{params.experiment}", table, {**made, "registered": claims})
    journal.unlink(missing_ok=True)
