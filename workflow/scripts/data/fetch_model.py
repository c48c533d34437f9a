from pathlib import Path

from kensho.data import hub
from kensho.files import write_json
from kensho.models import catalogue
from kensho.paths import Paths, folders, models, without_home
from kensho.run.job import job

with job(snakemake):
    hub.online()
    name, locked = snakemake.wildcards.model, dict(snakemake.params.locked)
    repository = locked.pop("hub")
    locked = hub.Locked.model_validate(locked)
    # Places are read here: params trigger reruns, and Snakemake records them.
    paths = Paths.model_validate(snakemake.config.get("paths") or {})
    folder = catalogue.load("config/models.yaml", (), {})[0][name].folder
    fetched = hub.fetch(
        repository,
        locked,
        models(paths),
        hub.offline(),
        folder=Path(folder).expanduser() if folder else None,
        mirror=folders(paths)[1],
    )
    record = {
        "name": name,
        "hub": repository,
        "revision": locked.commit,
        "path": without_home(fetched),
        "files": {path: file.sha256 for path, file in locked.files.items()},
    }
    write_json(snakemake.output.record, record)
