import sys
from datetime import UTC, datetime

from kensho.data import hub
from kensho.models import lock
from kensho.models.catalogue import Model
from kensho.paths import Paths, models
from kensho.run.job import job

with job(snakemake):
    hub.online()
    entries = {name: Model.model_validate(m) for name, m in snakemake.params.models.items()}
    cache = models(Paths.model_validate(snakemake.config.get("paths") or {}))
    date = f"{datetime.now(UTC):%F}"

    def resolve(model: Model) -> hub.Locked:
        return hub.resolve(model.hub, revision=model.revision, cache=cache, date=date)

    locked, lines = lock.renew(entries, lock.load()[0], snakemake.params.licences, resolve)
    lock.write(locked)
    print(*lines, sep="\n", file=sys.stderr)
