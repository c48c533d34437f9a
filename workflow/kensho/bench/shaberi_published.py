"""D-5: what Shaberi's judge gave to D's models, question by question, as it was published."""

import json
from pathlib import Path

from kensho.bench.run import Inputs, Observed, Run
from kensho.data.sources import fetched
from kensho.files import read_lines
from kensho.judging.observed import set_weights
from kensho.observations import Row, table

EXPERIMENT = "shaberi_published"
ARMS = ("before", "after", "general")
FULL = 10  # marks; ELYZA-tasks-100 is marked out of 5, which Shaberi doubles
DOUBLED = ("elyza",)


def read(path: Path, name: str, arm: str) -> dict[str, float]:
    """Mark out of 10 of each question, by block "set/number".

    Raises ValueError naming file and line for a line without one.
    """
    marks = {}
    for number, line in enumerate(read_lines(path)):
        try:
            mark = float(json.loads(line)["score"]) * (2 if name in DOUBLED else 1)
        except (ValueError, KeyError, TypeError):
            mark = -1.0
        if not 0 <= mark <= FULL:
            raise ValueError(
                f"{path}:{number + 1}: no mark of an answer of '{arm}'; delete the file to "
                "fetch it again"
            )
        marks[f"{name}/{number}"] = mark
    return marks


def experiment(inputs: Inputs, settings: None, run: Run) -> Observed:
    """Metrics ``mark`` and ``weighted_mark`` (:func:`kensho.judging.observed.set_weights`).

    Raises ValueError where a set could not be fetched: the average is that of all four.
    """
    observed = []
    for arm in ARMS:
        marks: dict = {}
        datasets: dict = {}
        for record in inputs[arm]:
            path, source = fetched(record)
            if path is None:
                raise ValueError(f"{source['reason']}; run `snakemake --profile local sources`")
            name = source["name"].removeprefix("shaberi-").removesuffix(f"-{arm}")
            marks |= read(path, name, arm)
            datasets[source["name"]] = source
        weights = set_weights(list(marks))
        rows = [
            Row(EXPERIMENT, arm, block, 0, metric, value, "points")
            for block, mark in marks.items()
            for metric, value in (("mark", mark), ("weighted_mark", mark * weights[block]))
        ]
        made = {
            "tier": "published",
            "fallbacks": [],
            "deviations": [
                "one judge marked each answer once; its own noise is not known",
                "answers and marks are those of D's authors, who also trained the model",
            ],
            "datasets": datasets,
            "judges": ["gpt-4.1-2025-04-14"],
            "items": len(marks),
        }
        observed.append((table(rows), made))
    return observed
