"""A small past run on real files: a claim judged on two trainings, with all that went wrong.

A source was fetched; one training was killed, failed and then completed, another was done twice;
a judging job took the observations. A second claim has no test.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conditions_example import CONDITIONS, ran
from kensho import observations
from kensho.claims.model import Claim
from kensho.files import sha256, write_json
from kensho.provenance import history
from kensho.provenance.settings import Provenance
from kensho.run import events
from kensho.run.budget import Budget
from kensho.run.events import Event, File, Head, Held, Machine
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive

BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
SIDES = {
    "numerator": {"arm": "slow", "metric": "seconds"},
    "denominator": {"arm": "fast", "metric": "seconds"},
}
CLAIM = {
    "id": "R-1",
    "source": "A",
    "statement": "the slow one takes twice as long 遅い",
    "quantity": "what is compared",
    "unit": "ratio",
    "claimed": {"low": 1.8, "high": 2.2},
    "scope": {"models": ["any"]},
    "test": {
        "design": "deterministic",
        "experiment": "trial",
        "readings": [{"label": "slow / fast", **SIDES}],
        "region": [1.8, 2.2],
        "direction": "greater",
        "sesoi": 1.05,
    },
    "not_tested": None,
}
UNTESTED = {**CLAIM, "id": "R-2", "test": None, "not_tested": "needs eight accelerators"}
UNTESTED |= {"obstacles": ["needs hardware"]}
SOURCE = {
    **{"name": "corpus", "kind": "dataset", "licence": "CC BY 4.0", "licence_class": "by"},
    **{"attribution": "its writers", "revision": "v1", "sha256": "ab" * 32, "bytes": 12},
    **{"path": "results/sources/corpus/corpus.tsv"},
}
SOURCE_RECORD, CARDS = "results/sources/corpus/record.json", "resources/cards.yaml"
TRAIN, OTHER = "results/data/train.csv", "results/benchmark_data/other/full.csv"
ANALYSIS = "results/analysis/R-1.json"
OBSERVED = [
    f"results/benchmark_data/trial/{arm}.{kind}"
    for arm in ("fast", "slow")
    for kind in ("csv", "conditions.json")
]
SEEDS = (1, 2)
HEAD = Head(
    ["snakemake", "--profile", "local"], ["report"], {"seed": 7}, [], {"KENSHO_X": "1"}, "9.0",
    plan={"train": 2}, commit="0123abc", changed=[CARDS], diff="-cards\n+cards: {}\n",
)  # fmt: skip
ENVIRONMENT: dict[str, int | str] = {"name": ".venv", "packages": 1}
FAULT = "ValueError: the loss is no number"


class Run:
    """A folder in which jobs are told to have run, one after another."""

    def __init__(self, root: Path):
        self.root, self.time = root, BEGAN
        self._tell(Event("run", BEGAN, run="run-a", head=HEAD))
        self._tell(Event("installed", BEGAN, environment=ENVIRONMENT, packages={"numpy": "2.1"}))

    def write(self, path: str, content: str) -> str:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
        return path

    def job(self, name: str, inputs=(), outputs=(), end="finished", rule="", **known) -> None:
        """An attempt called ``name``; ``end`` is None where it was killed."""
        start = Event(
            "started", self.time, run="run-a", attempt=name, rule=rule or name, held=Held(1),
            host="0123456789ab", code="c0de", params={"steps": 20260311},
            machine=Machine("AMD EPYC", 2), environment=ENVIRONMENT,
            inputs=[replace(self._file(path), sha256=None) for path in inputs],
        )  # fmt: skip
        start = replace(start, wildcards=known.pop("wildcards", {}))
        self._tell(start)
        if end:
            closed = replace(start, event=end, seconds=30.0, **known)
            files = {"inputs": inputs, "outputs": outputs}
            told = {key: [self._file(path) for path in paths] for key, paths in files.items()}
            self._tell(replace(closed, time=self.time - timedelta(seconds=30), **told))

    def _file(self, path: str) -> File:
        place = self.root / path
        return File(path, place.stat().st_size, place.stat().st_mtime_ns, sha256(place))

    def _tell(self, event: Event) -> None:
        events.append(event, self.root / events.LOG)
        self.time += timedelta(minutes=1)


def written(root: Path, text: str = "") -> Path:
    """The folder; ``text`` stands in every place where a log, a wildcard or a source may put it."""
    run = Run(root)
    run.write(CARDS, "cards: {}\n")
    run.write(OTHER, "other\n")
    write_json(root / SOURCE_RECORD, {**SOURCE, "attribution": SOURCE["attribution"] + text})
    run.write(TRAIN, "a text\n")
    run.job("fetch", [], [SOURCE_RECORD], wildcards={"source": "corpus"})
    run.job("prepare", [SOURCE_RECORD], [TRAIN])
    models = []
    for seed in SEEDS:
        model = run.write(f"results/train/arm/seed{seed}/adapter.safetensors", f"weights {seed}")
        wildcards = {"arm": "arm" + text, "seed": str(seed)}
        if seed == SEEDS[0]:
            run.job("train-killed", [TRAIN], end=None, rule="train", wildcards=wildcards)
            run.job(
                "train-failed", [TRAIN], end="failed", rule="train", wildcards=wildcards,
                exit=1, cause=FAULT + text, tail=["step 7", "loss nan" + text],
            )  # fmt: skip
        else:
            run.job("train-again", [TRAIN], [model], rule="train", wildcards=wildcards)
            run.write(model, "other weights")
        run.job(f"train-{seed}", [TRAIN], [model], rule="train", wildcards=wildcards)
        models.append(model)
    rows = [
        {"experiment": "trial", "arm": arm, "block": "b0", "replicate": 0, "metric": "seconds",
         "value": value, "unit": "s"}
        for arm, value in (("slow", 2.0), ("fast", 1.0))
    ]  # fmt: skip
    conditions = {
        **CONDITIONS,
        "ran": ran("reduced"),
        "deviations": ["a small model stands in" + text],
    }
    for arm in ("fast", "slow"):
        table = observations.table([row for row in rows if row["arm"] == arm])
        observations.write(root / "results/benchmark_data/trial", table, conditions)
    run.job("observe", [*models, CARDS], OBSERVED)
    run.job("unrelated", [], [OTHER])
    settings = Settings(family_size=1, alpha=0.05, seed=7, draws=200)
    analysis, _ = derive(Claim.model_validate(CLAIM), root / "results", settings)
    write_json(root / ANALYSIS, analysis.model_dump(mode="json"))
    run.job("judge", OBSERVED, [ANALYSIS], wildcards={"claim": "R-1"})
    return root


def past(root: Path) -> history.History:
    """The history of the folder, as an export reads it."""
    claims = [Claim.model_validate(record) for record in (CLAIM, UNTESTED)]
    untested = {"R-2": "needs eight accelerators"}
    rules = ("fetch", "prepare", "train", "observe", "unrelated", "judge")
    workflow = history.Workflow(
        steps=[history.Step(rule, f"to {rule}", CARDS, None) for rule in rules],
        claims=claims,
        beside={
            "shown": ["R-1", "R-2"],
            "stale": {},
            "untested": untested,
            "commands": {},
            "kinds": {},
        },
        snakemake="9.0",
        scale="embedded",
        alpha=0.05,
        budget=Budget(),
        settings=Provenance(),
        repository=[CARDS],
    )
    return history.read(root, workflow)
