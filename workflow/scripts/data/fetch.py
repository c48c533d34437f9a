from pathlib import Path

from kensho.data.sources import fetch, load
from kensho.files import write_json
from kensho.paths import Paths, folders
from kensho.run.job import job

with job(snakemake):
    name = snakemake.wildcards.source
    record = Path(snakemake.output.record)
    # Places, cache and mirror are read here: params trigger reruns, and Snakemake records them.
    source = load("config/sources.yaml")[0][name]
    cache, mirror = folders(Paths.model_validate(snakemake.config.get("paths") or {}))
    write_json(record, fetch(name, source, record.parent, cache=cache, mirror=mirror))
