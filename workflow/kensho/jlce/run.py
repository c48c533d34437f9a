"""The tasks on one model."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from kensho.evaluate import harness
from kensho.jlce import (
    items,
    metrics,  # the task files name its functions: part of the code digest
    scoring,
)
from kensho.jlce.catalogue import PACK
from kensho.jlce.observed import EXPERIMENT as EXPERIMENT
from kensho.jlce.observed import answers as answers
from kensho.jlce.observed import observations as observations


@dataclass(frozen=True)
class Settings:
    """What a model is asked, and how."""

    tasks: Sequence[str]
    prompts: Sequence[int] = (1,)
    max_new_tokens: int | None = None  # of an answer; None for each task's own limit
    limit: int | None = None  # first items of each task; None for all
    chat: bool = False  # whether a prompt is a user's turn of the chat template


def task_name(task: str, template: int = 1) -> str:
    """The harness's name of a task with one of its three prompts."""
    return f"jlce_{task}" if template == 1 else f"jlce_{task}_{template}"


def bleu_signatures(samples: Mapping[int, Mapping[str, list]]) -> dict[str, str]:
    """How corpus BLEU of each translation task is computed, from the logs by seed and task name."""
    return {
        task: scoring.bleu_signature([log["doc"]["references"] for log in logs], language)
        for by_name in samples.values()
        for task, language in metrics.TRANSLATED.items()
        if (logs := by_name.get(task_name(task)))
    }


def evaluate(
    model: LM, settings: Settings, *, seed: int, folder: Path | None = None
) -> dict[str, list]:
    """Per-item logs by the harness's task name.

    Items are those of ``folder``, for kinds that it lacks ours.
    """
    most = settings.max_new_tokens
    if folder is not None:
        os.environ[items.FOLDER] = str(folder)  # the harness hands nothing else to its tasks
    return harness.logs(
        model,
        [task_name(task, prompt) for task in settings.tasks for prompt in settings.prompts],
        TaskManager(include_path=str(PACK), include_defaults=False),
        seed=seed,
        limit=settings.limit,
        apply_chat_template=settings.chat,
        gen_kwargs={"max_gen_toks": most} if most else None,
    )
