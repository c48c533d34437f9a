from pathlib import Path

from kensho.bench.training_memory import conditions, conditions_planned, observe, observe_planned
from kensho.models.cards import load
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

FOLDER = "results/benchmark_data/training_memory"

with job(snakemake):
    claims = {"registered": registered("training_memory")}
    settings = dict(snakemake.params.settings)
    run = {"seed": snakemake.params.seed, "threads": snakemake.threads}
    cards = load(Path(snakemake.input.cards))
    cells = [(cell["batch"], cell["length"]) for cell in settings.pop("cells")]
    described = {key: settings[key] for key in ("arms", "adapted", "full", "blocks")}
    write(FOLDER, observe_planned(cards), {**conditions_planned(), **claims})
    observed = observe(cards, cells=cells, **settings, **run)
    write(FOLDER, observed, {**conditions(**described, **run), **claims})
