from pathlib import Path

from kensho.data.sources import fetched
from kensho.models import bases, reference
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.run.job import job

with job(snakemake):
    path, source = fetched(snakemake.input.record)
    model, output = Model.model_validate(snakemake.params.entry), snakemake.output
    card = snakemake.params.card
    base = bases.converted(
        Path(path),
        source,
        snakemake.wildcards.model,
        model,
        Card.model_validate(card) if card else None,
        Path(output.weights),
    )
    reference.write(output.model, base)
