"""The sixteen tasks on one model: what was answered, and each item's numbers."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from lm_eval.tasks import TaskManager

from kensho.evaluate import harness
from kensho.jlce import (
    items,
    metrics,  # noqa: F401  (the task files name its functions: part of the code digest)
)
from kensho.jlce.catalogue import PACK, tasks
from kensho.jlce.lm import KenshoLM

EXPERIMENT = "jlce"
CORPUS = ("balanced_acc", "mcc")  # metrics of all items together; an item has its label


def task_name(task: str, template: int = 1) -> str:
    """The harness's name of a task with one of its three prompts."""
    return f"jlce_{task}" if template == 1 else f"jlce_{task}_{template}"


def _split(name: str) -> tuple[str, int]:
    task, _, number = name.removeprefix("jlce_").rpartition("_")
    return (task, int(number)) if number.isdigit() else (name.removeprefix("jlce_"), 1)


def evaluate(
    model,
    tokenizer,
    tasks: Sequence[str],
    *,
    folder: Path | None = None,
    templates: Sequence[int] = (1,),
    limit: int | None = None,
    batch_size: int,
    seed: int,
    journal: Path | None = None,
    generation: Mapping | None = None,
) -> dict[str, list]:
    """Per-item logs by the harness's task name, of the first ``limit`` items of each task.

    Items are those of ``folder``, for kinds that it lacks ours. A run that was interrupted goes on
    from its ``journal``. ``generation`` replaces settings of every task that writes,
    ``max_gen_toks`` for instance.
    """
    if folder is not None:
        os.environ[items.FOLDER] = str(folder)  # the harness hands nothing else to its tasks
    return harness.logs(
        KenshoLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, journal=journal),
        [task_name(task, template) for task in tasks for template in templates],
        TaskManager(include_path=str(PACK), include_defaults=False),
        seed=seed,
        limit=limit,
        gen_kwargs=dict(generation) if generation else None,
    )


def observations(arm: str, samples: Mapping[int, Mapping[str, list]]) -> pd.DataFrame:
    """Observed numbers per item, from the logs by training seed and task name.

    Blocks are task/cluster/item; a slash of their own is "-", or "%2F" in a task where that makes
    one block of two. Metrics of the prompts 2 and 3 end in @2 and @3. ``score`` is the
    number that stands for an item in rankings: the task's main metric, or whether its label is
    right.
    """
    rows = []
    for seed, found in samples.items():
        for name, logs in found.items():
            task, template = _split(name)
            end = "" if template == 1 else f"@{template}"
            blocks = _blocks(task, [log["doc"] for log in logs])
            for block, log in zip(blocks, logs, strict=True):
                rows += [
                    {
                        **{"experiment": EXPERIMENT, "arm": arm, "block": block},
                        **{"replicate": seed, "metric": metric + end, "value": value},
                        "unit": _unit(metric),
                    }
                    for metric, value in _metrics(task, log)
                ]
    return pd.DataFrame(rows)


def _blocks(task: str, documents: Sequence[Mapping]) -> list[str]:
    parts = [(task, str(one["cluster"]), str(one["id"])) for one in documents]
    for slash in ("-", "%2F"):
        found = ["/".join(part.replace("/", slash) for part in three) for three in parts]
        if len(set(found)) == len(set(parts)):
            break
    return found


def _metrics(task: str, log: Mapping) -> Iterator[tuple[str, float]]:
    for metric in log["metrics"]:
        value = log[metric]
        if metric == "balanced_acc":
            yield from zip(("gold", "chosen"), map(float, value), strict=True)
        elif isinstance(value, int | float):  # neither labels nor texts
            yield metric, float(value)
    main = tasks()[task].main
    yield "score", float(log["acc" if main in CORPUS else main])


def _unit(metric: str) -> str:
    return {"gold": "label", "chosen": "label", "thinking": "characters"}.get(metric, "share")


def answers(samples: Mapping[int, Mapping[str, list]]) -> Iterator[dict]:
    """What each item was answered, by training seed: the lines of answers.jsonl."""
    for seed, found in samples.items():
        for name, logs in found.items():
            task, template = _split(name)
            for log in logs:
                yield {
                    **{"seed": seed, "task": task, "template": template},
                    **{"item": log["doc"]["id"], "cluster": log["doc"]["cluster"]},
                    "answer": log["filtered_resps"] if "gold" in log["doc"] and "parsed" not in log
                    else log["filtered_resps"][0],
                    "document": log["doc"],
                    "target": log["target"],
                }  # fmt: skip
