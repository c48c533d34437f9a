from pathlib import Path

from kensho.bench.vocabulary import conditions, observe
from kensho.data.corpus import read_table
from kensho.fallback import lowered
from kensho.files import read_json, write_json
from kensho.models.loading import compute_dtype
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("vocabulary")
    run = {
        **snakemake.params.settings,
        "dtype": compute_dtype("auto"),
        "seed": snakemake.params.seed,
        "threads": snakemake.threads,
    }
    write_json(snakemake.output.sentences, read_table(snakemake.input.test)["ja"].tolist())
    folders = {arm: Path(snakemake.input[arm]) for arm in ("base", "expanded")}
    observed = observe(folders, Path(snakemake.output.sentences), **run)
    described = conditions(**run, **read_json(snakemake.input.record))
    described = lowered(described, fallbacks, "reference")
    write("results/benchmark_data/vocabulary", observed, {**described, "registered": claims})
