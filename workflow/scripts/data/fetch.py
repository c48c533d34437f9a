from pathlib import Path

from kensho.config import Config, paths
from kensho.data.sources import Source, fetch
from kensho.files import write_json
from scripts.job import job

with job(snakemake):
    name = snakemake.wildcards.source
    record = Path(snakemake.output.record)
    source = Source.model_validate(snakemake.params.source)
    # Cache and mirror folders are read here and not passed as params: they trigger no rerun.
    cache, mirror = paths(Config.model_validate(snakemake.config))
    write_json(record, fetch(name, source, record.parent, cache=cache, mirror=mirror))
