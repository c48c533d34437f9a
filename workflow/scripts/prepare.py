from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.run import Run, as_settings
from kensho.part import resolve
from kensho.run.job import job, paths

with job(snakemake), TemporaryDirectory(dir=snakemake.resources.tmpdir) as folder:
    params = snakemake.params
    run = Run(Path(folder), threads=snakemake.threads, seed=params.get("seed", 0))
    make = resolve(params.code_of)
    make(paths(snakemake.input), as_settings(params.settings), run, paths(snakemake.output))
