from kensho.data import hub, hub_datasets
from kensho.files import write_json
from kensho.paths import Paths, folders, models, without_home
from kensho.run.job import job

with job(snakemake):
    hub.online()
    params, name = snakemake.params, snakemake.wildcards.corpus
    locked = hub.Locked.model_validate({**params.locked, "files": {params.file: params.pinned}})
    paths = Paths.model_validate(snakemake.config.get("paths") or {})
    mirror = folders(paths)[1]
    path = hub_datasets.fetch(name, locked, params.file, models(paths), mirror)
    record = {"name": params.file, "path": without_home(path), "licence_class": params.licence}
    write_json(snakemake.output.record, {**record, **params.pinned, "commit": locked.commit})
