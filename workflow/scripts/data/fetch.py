from pathlib import Path

from kensho.data.sources import Source, fetch
from kensho.files import write_json
from kensho.paths import Paths, folders
from scripts.job import job

with job(snakemake):
    name = snakemake.wildcards.source
    record = Path(snakemake.output.record)
    source = Source.model_validate(snakemake.params.source)
    # Cache and mirror folders are read here and not passed as params: they trigger no rerun.
    cache, mirror = folders(Paths.model_validate(snakemake.config.get("paths") or {}))
    write_json(record, fetch(name, source, record.parent, cache=cache, mirror=mirror))
