"""Running tasks through lm-evaluation-harness and reading its per-item logs."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from kensho.data.prompt import DELIMITER
from kensho.evaluate.catalogue import TASKS
from kensho.evaluate.thinking import counted
from kensho.files import write_lines
from kensho.models.encoding import turn_start

LOGGED = ("doc_id", "arguments", "filtered_resps", "target")

logging.getLogger("lm_eval").setLevel(logging.ERROR)


def read_items(path: Path | str) -> pd.DataFrame:
    """Items of a data file: CSV with a header, or JSON lines. Raises ValueError if unreadable."""
    try:
        if str(path).endswith(".csv"):
            return pd.read_csv(path, dtype=str, keep_default_na=False)
        return pd.read_json(path, lines=True)
    except ValueError as error:
        raise ValueError(f"{path}: not readable ({error}); delete it to fetch it again") from None


def task(name: str, items: pd.DataFrame, **overrides) -> dict:
    """Harness configuration of a task of this package over the given items."""
    definition = yaml.safe_load((TASKS / f"{name}.yaml").read_text(encoding="utf-8"))
    generation = definition.get("generation_kwargs")
    if generation is not None:
        definition["generation_kwargs"] = {**generation, **overrides}
    split = definition["test_split"]
    return {
        **definition,
        "custom_dataset": lambda **_: {split: Dataset.from_pandas(items, preserve_index=False)},
    }


def run(model: Any, tasks: list[dict], *, seed: int, chat: bool = False) -> dict[str, list]:
    """Per-item logs of each task, as the harness writes them (doc, arguments, resps, metrics).

    With ``chat`` each prompt is a user's turn of the tokenizer's chat template, and a text that is
    scored behind it begins as the template has it, not with the blank of plain text. It is an
    answer, so thinking that the template opens is closed before, as in training.
    """
    manager = TaskManager(include_defaults=False)
    if chat:
        model.closes, start = True, turn_start(model.tokenizer)
        tasks = [
            {**one, "doc_to_target": start + target.removeprefix(DELIMITER)}
            if (target := one["doc_to_target"]).startswith(DELIMITER)
            else one
            for one in tasks
        ]
    return logs(model, tasks, manager, seed=seed, apply_chat_template=chat)


def logs(model: LM, tasks: list, manager: TaskManager, *, seed: int, **settings) -> dict[str, list]:
    """The same of any tasks, in the order of the items.

    The manager is given because a default one would read all of the harness's own tasks.
    """
    results = simple_evaluate(
        model=model,
        tasks=tasks,
        task_manager=manager,
        log_samples=True,
        bootstrap_iters=0,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
        **settings,
    )
    return {
        name: sorted(samples, key=lambda sample: sample["doc_id"])
        for name, samples in results["samples"].items()
    }


def thinking(samples: Mapping[int, Mapping[str, list]]) -> dict[str, int]:
    """What :func:`kensho.evaluate.thinking.counted` finds in the written answers of all seeds."""
    logs = (log for tasks in samples.values() for task_logs in tasks.values() for log in task_logs)
    return counted(
        log["filtered_resps"][0] for log in logs if isinstance(log["filtered_resps"][0], str)
    )


def write_logs(path: Path | str, samples: Mapping[int, Mapping[str, list]]) -> None:
    """The per-item logs by seed as JSON lines: seed, task, doc_id, arguments, responses, target."""
    write_lines(
        path,
        (
            {"seed": seed, "task": name, **{field: log[field] for field in LOGGED}}
            for seed, tasks in samples.items()
            for name, logs in tasks.items()
            for log in logs
        ),
    )
