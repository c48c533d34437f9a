from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.inference import conditions, observe
from kensho.bench.inference_gguf import FORMATS
from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.fallback import lowered
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("inference")
    settings = snakemake.params.settings
    beside = [(cell["batch"], cell["length"]) for cell in settings["beside"]]
    order = {"seed": snakemake.params.seed, "threads": snakemake.threads}
    run = {**settings, "beside": beside, **order}
    file = fetched(snakemake.input.record)[0] if set(FORMATS) & set(run["arms"]) else None
    gguf = file if file and file.suffix == ".gguf" else None
    model, test = Path(snakemake.input.model), read_table(snakemake.input.test)
    with TemporaryDirectory(dir=snakemake.resources.tmpdir) as work:
        observed = observe(model, test, Path(work), gguf=gguf, **run)
    described = lowered(conditions(**run), fallbacks, "reference")
    write("results/benchmark_data/inference", observed, {**described, "registered": claims})
