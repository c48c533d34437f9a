from pathlib import Path

from kensho.data import hub
from kensho.models import bases, catalogue, reference
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.paths import Paths, folders, models
from kensho.run.job import job

with job(snakemake):
    hub.online()
    params, name = snakemake.params, snakemake.wildcards.model
    model, locked = Model.model_validate(params.entry), hub.Locked.model_validate(params.locked)
    # Places are read here: params trigger reruns, and Snakemake records them.
    paths = Paths.model_validate(snakemake.config.get("paths") or {})
    own = catalogue.load("config/models.yaml", (), {})[0][name].folder
    folder = hub.fetch(
        model.hub,
        locked,
        models(paths),
        hub.offline(),
        folder=Path(own).expanduser() if own else None,
        mirror=folders(paths)[1],
    )
    card = Card.model_validate(params.card) if params.card else None
    reference.write(snakemake.output.model, bases.of_hub(name, model, card, locked, folder))
