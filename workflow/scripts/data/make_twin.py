from pathlib import Path

from kensho.models import bases, reference
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.run.job import job

with job(snakemake):
    params, name = snakemake.params, snakemake.wildcards.model
    model, card = Model.model_validate(params.entry), params.card
    card = Card.model_validate(card) if card else None
    folder = Path(snakemake.output.weights)
    reference.write(snakemake.output.model, bases.twin(name, model, card, params.seed, folder))
