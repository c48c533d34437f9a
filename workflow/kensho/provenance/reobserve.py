"""Observations made again from what they came of: answers, records of trainings, tables, cards."""

import json
import math
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd

from kensho import observations
from kensho.observations import table
from kensho.part import resolve

CARDS = "resources/architectures.yaml"
LOG = "logs/jobs.jsonl"
KEY = ["block", "replicate", "metric", "unit"]


class Observed(NamedTuple):
    """How many values were made again, what differs, and which could not be made, with why."""

    values: int
    differences: list[str]
    left: list[str]


class _Left(Exception):
    """Why observations cannot be made again."""


def observe(crate: Path, absent: Callable[[str], str]) -> Observed:
    """Make the observations of a crate again, as far as it and this machine's packages allow.

    ``absent`` says why a file is not in the crate. Raises ValueError where a table is unreadable.
    """
    count, differences, left = 0, [], []
    for path in sorted((crate / "results/benchmark_data").glob("*/*.csv")):
        stored, conditions = observations.read(path)
        name = path.relative_to(crate)
        make = MAKERS.get(path.parent.name)
        if (conditions["experiment"], conditions["arm"]) != (path.parent.name, path.stem):
            differences.append(f"{name}: its conditions are of another experiment or arm")
            continue
        try:
            if make is None:
                raise _Left("observed on its machine, nothing in the crate gives it again")
            again, origin = make(crate, conditions)
        except _Left as why:
            left.append(f"{name}: {why}")
        except FileNotFoundError as error:
            missing = Path(error.filename).relative_to(crate).as_posix()
            left.append(f"{name}: {missing} is not in the crate ({absent(missing)})")
        except ModuleNotFoundError as error:
            left.append(f"{name}: needs the package {error.name} (its pin: requirements.lock)")
        else:
            count += len(stored)
            if unlike := _unlike(stored, again[again["arm"] == path.stem]):
                more = f" and {len(unlike) - 1} more" if unlike[1:] else ""
                differences.append(f"{name}: not what {origin} gives: {unlike[0]}{more}")
    return Observed(count, differences, left)


def _unlike(stored: pd.DataFrame, again: pd.DataFrame) -> list[str]:
    """Values that differ by more than 1e-9 (relative), or that one side lacks."""
    then, now = (dict(zip(one[KEY].itertuples(index=False, name=None), one["value"], strict=True))
                 for one in (stored, again))  # fmt: skip
    return [
        f"{block} {metric}, replicate {replicate}: stored {was}, derived again {made}"
        for key in {**then, **now}
        for (block, replicate, metric, _), was, made in [(key, then.get(key), now.get(key))]
        if was is None or made is None or not math.isclose(was, made, rel_tol=1e-9, abs_tol=1e-12)
    ]


# --- makers: the table of an arm, perhaps with other arms, and what it was made from

Made = tuple[pd.DataFrame, str]


def _evaluated(crate: Path, conditions: dict) -> Made:
    name = f"results/evaluation/{conditions['arm']}/samples.jsonl"
    items, totals = _scored(conditions["arm"], crate / name)
    return {"evaluation": items, "adaptation": totals}[conditions["experiment"]], name


@cache
def _scored(arm: str, path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Observations per item and per seed of an arm's stored answers."""
    from kensho.evaluate import scores

    samples: dict[int, dict[str, list]] = {}
    for line in _lines(path):
        of_seed = samples.setdefault(line["seed"], {})
        of_seed.setdefault(line["task"], []).append(_log(line))
    items, totals = scores.rows(arm, samples)
    return table(items), table(totals)


def _log(line: dict) -> dict:
    """The harness's log of an item, as far as scores depend on it."""
    text, answers = str(line["target"]), line["filtered_resps"]
    if line["task"] == "tatoeba_nll":
        text = text.removeprefix(" ")  # which parts it from its prompt
    elif line["task"] != "tatoeba_en_ja":
        likelihoods = [float(likelihood) for likelihood, _ in answers]
        right = likelihoods.index(max(likelihoods)) == int(line["target"])
        return {**line, "acc": float(right)}
    return {**line, "doc": {"ja": text}}


def _asked(crate: Path, conditions: dict) -> Made:
    """JLCE's answers, each with its document, scored again by the functions of the tasks."""
    from kensho.jlce import observed
    from kensho.jlce.catalogue import scorer

    name = f"results/jlce/{conditions['arm']}/answers.jsonl"
    samples: dict[int, dict[str, list]] = {}
    for line in _lines(crate / name):
        answer, document = line["answer"], line["document"]
        results = answer if isinstance(answer, list) else [answer]
        scores = resolve(scorer(line["task"]))(document, results)
        of_seed = samples.setdefault(line["seed"], {})
        logs = of_seed.setdefault(f"jlce_{line['task']}_{line['template']}", [])
        logs.append({"doc": document, "metrics": [*scores], **scores})
    return observed.observations(conditions["arm"], samples), name


def _trained(crate: Path, conditions: dict) -> Made:
    from kensho.train import observed, record

    records = []
    for training in conditions["trainings"]:
        stage = f"{training['number']}-{training['stage']}"
        name = f"results/train/{training['arm']}/{stage}/seed{training['seed']}/record.json"
        records.append(record.read(crate / name))
    return observed.observations(conditions["arm"], records), "results/train/*/*/*/record.json"


def _augmented(crate: Path, conditions: dict) -> Made:
    arm = conditions["arm"]
    name = {"original": "train", "augmented": "train_augmented"}[arm]
    samples = pd.read_csv(crate / f"results/data/{name}.csv", dtype=str, keep_default_na=False)
    row = observations.Row("augmentation", arm, "train", 0, "samples", len(samples), "samples")
    return table([row]), f"results/data/{name}.csv"


def _computed(crate: Path, conditions: dict) -> Made:
    """What follows from the cards alone is computed anew, with the settings that the log states."""
    experiment = conditions["experiment"]
    ran = [event for event in _lines(crate / LOG) if event.get("rule") == experiment]
    settings = [event["params"]["settings"] for event in ran if event["event"] == "finished"]
    if not settings:
        raise _Left(f"{LOG} does not state its settings")
    return _tables(experiment, crate, json.dumps(settings[-1])), CARDS


@cache
def _tables(experiment: str, crate: Path, settings: str) -> pd.DataFrame:
    from kensho.bench.run import Run, as_settings

    compute = resolve(f"kensho.bench.{experiment}:experiment")
    with TemporaryDirectory() as folder:
        run = Run(Path(folder))
        made = compute({"cards": crate / CARDS}, as_settings(json.loads(settings)), run)
    return pd.concat([rows for rows, _ in made])


def _lines(path: Path) -> Iterable[dict]:
    """Objects of a file of JSON lines; what a kill has torn is passed over."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue


MAKERS: dict[str, Callable[[Path, dict], Made]] = {
    "evaluation": _evaluated,
    "adaptation": _evaluated,
    "jlce": _asked,
    "training": _trained,
    "augmentation": _augmented,
    "kv_cache": _computed,
    "lora_parameters": _computed,
}
