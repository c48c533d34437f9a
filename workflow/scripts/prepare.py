from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.run import Run
from kensho.part import resolve
from kensho.run.job import job, paths

with job(snakemake), TemporaryDirectory(dir=snakemake.resources.tmpdir) as folder:
    given = snakemake.params
    run = Run(Path(folder), threads=snakemake.threads, seed=given.get("seed", 0))
    make = resolve(given.code_of)
    make(paths(snakemake.input), given.settings, run, paths(snakemake.output))
