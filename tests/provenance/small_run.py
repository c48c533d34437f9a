"""A run of small jobs in the present folder, as scripts run them: their files and their events."""

import json
from contextlib import suppress
from pathlib import Path

from conditions_example import CONDITIONS
from kensho import observations
from kensho.claims.model import Claim
from kensho.files import write_json
from kensho.provenance.history import Step, Workflow
from kensho.provenance.settings import Provenance
from kensho.run import events
from kensho.run.budget import Budget
from kensho.run.job import job
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive
from scripted import snakemake

CARDS, SCRIPT = "resources/architectures.yaml", "workflow/scripts/any.py"
REPOSITORY = ("Snakefile", CARDS, SCRIPT, "envs/any.yaml")
RULES = (
    "fetch", "convert_model", "prepare_corpus", "train_stage", "evaluate", "kv_cache", "judge",
)  # fmt: skip
ADAPTER = "results/train/lora-r8/1-sft/seed1/model"
SETTINGS = Settings(family_size=1, alpha=0.05, seed=7)
UNTESTED = "needs what is not here"


def claim(name, experiment, metric, arms):
    sides = zip(("numerator", "denominator"), arms)
    reading = {side: {"arm": arm, "metric": metric, "block": None} for side, arm in sides}
    return Claim.model_validate(
        {
            **{"id": name, "source": "A", "statement": f"what {name} says", "unit": "ratio"},
            **{"quantity": "one by the other", "scope": {"models": ["any"]}},
            **{"claimed": {"low": 0.01, "high": 0.02}, "required_tier": "at-scope"},
            "test": {
                **{"design": "deterministic", "experiment": experiment, "direction": "less"},
                **{"region": [0.01, 0.02], "readings": [{"label": "all", **reading}]},
            },
            "not_tested": None,
        }
    )


CLAIMS = {
    "R-1": claim("R-1", "kv_cache", "bytes", ("mla", "mha")),
    "T-1": claim("T-1", "adaptation", "points", ("lora-r8", "base")),
}


def ran(rule, inputs=(), outputs=(), **wildcards):
    """A job; ``outputs`` are contents by path, those of a folder by name."""
    with job(snakemake(rule, wildcards, inputs=inputs, outputs=outputs, params={"seed": 1})):
        for path, content in dict(outputs).items():
            written(Path(path), content)


def failed(rule, outputs, cause, **wildcards):
    with suppress(SystemExit), job(snakemake(rule, wildcards, outputs=outputs)):
        raise MemoryError(cause)  # which the same job may pass later


def written(path, content):
    if isinstance(content, dict):
        for name, below in content.items():
            written(path / name, below)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def fetched(name, kind):
    record = {
        **{"name": name, "kind": kind, "file": "file", "sha256": "ab" * 32, "bytes": 7},
        **{"path": None, "licence": "CC0", "licence_class": "public-domain", "revision": "1"},
    }
    path = f"results/sources/{name}/record.json"
    ran("fetch", (), {path: json.dumps(record)}, source=name)
    return path


def observed(experiment, metric, arm, value):
    """The files of one observation."""
    row = {"experiment": experiment, "arm": arm, "block": "b", "replicate": 0, "metric": metric}
    place = Path("results/benchmark_data", experiment)
    observations.write(
        place, observations.table([{**row, "value": value, "unit": "any"}]), CONDITIONS
    )
    paths = (place / f"{arm}.csv", place / f"{arm}.conditions.json")
    return {path.as_posix(): path.read_text(encoding="utf-8") for path in paths}


def judge(name):
    analysis, _ = derive(CLAIMS[name], Path("results"), SETTINGS)
    path = Path(f"results/analysis/{name}.json")
    write_json(path, analysis.model_dump(mode="json"))
    inputs = sorted(Path("results/benchmark_data", CLAIMS[name].required_test.experiment).iterdir())
    ran("judge", inputs, {path.as_posix(): path.read_text(encoding="utf-8")}, claim=name)


def run(judged=tuple(CLAIMS)):
    """All jobs before the judging of these claims, one of which fails at first; and the head."""
    for path in REPOSITORY:
        written(Path(path), f"{path}\n")
    events.append(events.Event("run", events.now()))
    model, weights = "results/models/tiny", {"model.safetensors": "weights", "config.json": "{}"}
    ran("convert_model", [fetched("tiny", "model")], {model: weights}, model="tiny")
    texts = {f"results/data/{name}.csv": f"en,ja\na,{name}\n" for name in ("train", "test")}
    ran("prepare_corpus", [fetched("corpus", "dataset")], texts)
    record = f"{Path(ADAPTER).parent}/record.json"
    trained = {ADAPTER: {"adapter_model.safetensors": "more weights"}, record: "{}"}
    failed("train_stage", trained, "out of memory", arm="lora-r8")
    ran("train_stage", [model, "results/data/train.csv"], trained, arm="lora-r8")
    for arm, adapters, points in (("base", [], 1.0), ("lora-r8", [ADAPTER], 2.0)):
        outputs = observed("adaptation", "points", arm, points)
        ran("evaluate", [model, *adapters, "results/data/test.csv"], outputs, arm=arm)
    bytes_of = {"mla": 576.0, "mha": 40960.0}
    tables = [observed("kv_cache", "bytes", arm, value) for arm, value in bytes_of.items()]
    ran("kv_cache", [CARDS], {path: text for table in tables for path, text in table.items()})
    for name in judged:
        judge(name)


def workflow(judged=tuple(CLAIMS), **settings):
    untested = {name: UNTESTED for name in CLAIMS if name not in judged}
    return Workflow(
        steps=[Step(rule, f"what {rule} does", SCRIPT, "envs/any.yaml") for rule in RULES],
        claims=[*CLAIMS.values()],
        beside={"shown": [*CLAIMS], "stale": {}, "untested": untested, "commands": {}, "kinds": {}},
        snakemake="9.27.1",
        scale="embedded",
        alpha=SETTINGS.alpha,
        budget=Budget(),
        settings=Provenance.model_validate(settings),
        repository=REPOSITORY,
    )
