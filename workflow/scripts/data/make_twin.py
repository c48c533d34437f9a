from pathlib import Path

from kensho.models import bases, reference
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.run.job import job

with job(snakemake):
    params, name = snakemake.params, snakemake.wildcards.model
    if params.card is None:
        raise ValueError(f"{name}: no architecture to make a twin of; add its `card`")
    model, card = Model.model_validate(params.entry), Card.model_validate(params.card)
    folder = Path(snakemake.output.weights)
    reference.write(snakemake.output.model, bases.twin(name, model, card, params.seed, folder))
