from pathlib import Path

from kensho.bench.vocabulary_training import conditions, observe
from kensho.fallback import lowered
from kensho.files import read_json
from kensho.models.loading import compute_dtype
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("vocabulary_training")
    run = {
        **snakemake.params.settings,
        "dtype": compute_dtype("auto"),
        "threads": snakemake.threads,
    }
    folders = {arm: Path(snakemake.input[arm]) for arm in ("base", "expanded")}
    files = (Path(snakemake.input.train), Path(snakemake.input.test))
    observed = observe(folders, *files, work=folders["expanded"].parent, **run)
    described = conditions(**run, **read_json(snakemake.input.record))
    described = lowered(described, fallbacks, "reference")
    write(
        "results/benchmark_data/vocabulary_training", observed, {**described, "registered": claims}
    )
