"""What an arm writes: translations in one line each, and answers to open questions."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from kensho.evaluate import harness
from kensho.evaluate.journal import digest
from kensho.evaluate.thinking import without_thinking
from kensho.judging.items import MT, Direction, Item

PLAIN = "質問：{prompt}\n回答："  # a question to a model without a chat template
PREPARED = "judged_translation", "judged_question"


def written(
    lm: LM,
    items: Sequence[Item],
    *,
    chat: bool,
    seed: int,
    limits: tuple[int, int],
    instructions: Mapping[str, str],
) -> pd.DataFrame:
    """Columns block, source, answer, reference, answer_sha256; ``limits`` are the tokens of a
    translation and of an answer.

    ``instructions`` are system prompts by direction, for models with a chat template alone; not for
    llm-jp-eval's sets, which were given their own instruction alone (D-1). What a model thought is
    no part of its answer.
    """
    told: dict[tuple[Direction | None, str | None], list[Item]] = {}
    for item in items:
        instruction = None
        if chat and item.direction and item.set not in MT:
            instruction = instructions.get(item.direction) or None
        told.setdefault((item.direction, instruction), []).append(item)
    rows = []
    for (direction, instruction), own in told.items():
        name, most = PREPARED[direction is None], limits[direction is None]
        asked = [
            item.prompt if direction or chat else PLAIN.format(prompt=item.prompt) for item in own
        ]
        task = harness.task(name, pd.DataFrame({"prompt": asked}), max_gen_toks=most)
        system: dict[str, Any] = {"system_instruction": instruction} if instruction else {}
        manager = TaskManager(include_defaults=False)
        logs = harness.logs(lm, [task], manager, seed=seed, apply_chat_template=chat, **system)
        for item, log in zip(own, logs[name], strict=True):
            answer = without_thinking(log["filtered_resps"][0])[0].strip()
            rows.append((item.block, item.source, answer, item.reference, digest(answer)))
    return pd.DataFrame(rows, columns=["block", "source", "answer", "reference", "answer_sha256"])
