"""What was answered to the tasks, and each item's numbers."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from kensho.jlce.catalogue import CORPUS, tasks
from kensho.metrics import BLEU
from kensho.observations import Row, table

EXPERIMENT = "jlce"


def _logs(samples: Mapping[int, Mapping[str, list]]) -> Iterator[tuple[int, str, int, list]]:
    """Training seed, task, prompt and per-item logs, from the logs by seed and task name."""
    for seed, by_name in samples.items():
        for name, logs in by_name.items():
            task, _, number = (name := name.removeprefix("jlce_")).rpartition("_")
            yield seed, *((task, int(number)) if number.isdigit() else (name, 1)), logs


def observations(arm: str, samples: Mapping[int, Mapping[str, list]]) -> pd.DataFrame:
    """Observed numbers per item, from the logs by training seed and task name.

    Blocks are task/cluster/item; a slash of their own is "-", or "%2F" in a task where that makes
    one block of two. Metrics of the prompts 2 and 3 end in @2 and @3. ``score`` is the
    number that stands for an item in rankings: the task's main metric, or whether its label is
    right. That of a task of our own is ``own_score``, so that no claim on the sixteen meets it.
    """
    rows = []
    for seed, task, template, logs in _logs(samples):
        end = "" if template == 1 else f"@{template}"
        blocks = _blocks(task, [log["doc"] for log in logs])
        rows += [
            Row(EXPERIMENT, arm, block, seed, metric + end, value, _unit(metric))
            for block, log in zip(blocks, logs, strict=True)
            for metric, value in _metrics(task, log)
        ]
    return table(rows)


def _blocks(task: str, documents: Sequence[Mapping]) -> list[str]:
    parts = [(task, str(one["cluster"]), str(one["id"])) for one in documents]
    for slash in ("-", "%2F"):
        blocks = ["/".join(part.replace("/", slash) for part in three) for three in parts]
        if len(set(blocks)) == len(set(parts)):
            break
    return blocks


def _metrics(task: str, log: Mapping) -> Iterator[tuple[str, float]]:
    for metric in log["metrics"]:
        value = log[metric]
        if metric == "balanced_acc":
            yield from zip(("gold", "chosen"), map(float, value), strict=True)
        elif metric == "bleu":
            yield from zip(BLEU, map(float, value), strict=True)
        elif isinstance(value, int | float):  # neither labels nor texts
            yield metric, float(value)
    asked = tasks()[task]
    score = float(log["acc" if asked.main in CORPUS else asked.main])
    yield "own_score" if asked.own else "score", score


def _unit(metric: str) -> str:
    units = {"gold": "label", "chosen": "label", "thinking": "characters"}
    return units.get(metric, "words" if metric in BLEU else "share")


def answers(samples: Mapping[int, Mapping[str, list]]) -> Iterator[dict]:
    """What each item was answered, by training seed: the lines of answers.jsonl."""
    for seed, task, template, logs in _logs(samples):
        for log in logs:
            document, responses = log["doc"], log["filtered_resps"]
            by_likelihood = "gold" in document and "parsed" not in log
            yield {
                **{"seed": seed, "task": task, "template": template},
                **{"item": document["id"], "cluster": document["cluster"]},
                "answer": responses if by_likelihood else responses[0],
                "document": document,
                "target": log["target"],
            }
