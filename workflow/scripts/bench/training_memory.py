from pathlib import Path

from kensho.bench.training_memory import (
    conditions,
    conditions_planned,
    observe_on_ladder,
    observe_planned,
)
from kensho.fallback import lowered
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

FOLDER = "results/benchmark_data/training_memory"

with job(snakemake) as fallbacks:
    claims = {"registered": registered("training_memory")}
    settings = dict(snakemake.params.settings)
    run = {"seed": snakemake.params.seed, "threads": snakemake.threads}
    cards = load(Path(snakemake.input.cards))
    cells = [(cell["batch"], cell["length"]) for cell in settings.pop("cells")]
    described = {key: settings[key] for key in ("arms", "blocks")}
    write(FOLDER, observe_planned(cards), {**conditions_planned(), **claims})
    if snakemake.resources.get("retries_left", 0):
        settings["ladder"] = []  # a retry with more memory comes before a smaller model
    observed, used, taken = observe_on_ladder(cards, cells=cells, **settings, **run)
    found = lowered(conditions(**described, **used, **run), fallbacks, "reference")
    write(FOLDER, observed, {**lowered(found, taken, "reduced"), **claims})
