"""How much of a score hangs on what is computed beside it: the same items one by one and together.

Kernels sum in another order for another batch, and the likeliest of near-equal tokens changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kensho.evaluate import harness
from kensho.evaluate.catalogue import LIKELIHOOD, TRANSLATION
from kensho.evaluate.lm import Backend

BATCHES = (1, 32)
ITEMS, TOKENS = 32, 16  # sentences that are scored and translated, tokens of a translation


def measured(lm: Backend, pairs: pd.DataFrame, *, chat: bool, seed: int) -> dict[str, Any]:
    """What :func:`compared` finds between batches of BATCHES on the first ``pairs`` (en, ja)."""
    asked = pairs.head(ITEMS)
    tasks = [
        harness.task(LIKELIHOOD, asked),
        harness.task(TRANSLATION, asked, max_gen_toks=TOKENS),
    ]
    logs = []
    for size in BATCHES:
        lm.ask_together(size)
        logs.append(harness.run(lm, tasks, seed=seed, chat=chat))
    return {"engine": lm.engine, "batches": list(BATCHES), **compared(*logs)}


def compared(
    first: Mapping[str, Sequence[Mapping]], second: Mapping[str, Sequence[Mapping]]
) -> dict[str, Any]:
    """Items, answers that changed, and the largest change of a log-likelihood (nat, and relative).

    Logs are the harness's, by task.
    """
    answers = [
        (one["filtered_resps"][0], other["filtered_resps"][0])
        for one, other in zip(first[TRANSLATION], second[TRANSLATION], strict=True)
    ]
    likelihoods = [
        (float(one["filtered_resps"][0][0]), float(other["filtered_resps"][0][0]))
        for one, other in zip(first[LIKELIHOOD], second[LIKELIHOOD], strict=True)
    ]
    return {
        "answers": len(answers),
        "answers_changed": sum(one != other for one, other in answers),
        "likelihoods": len(likelihoods),
        "largest_change": max(abs(one - other) for one, other in likelihoods),
        "largest_relative_change": max(
            abs(one - other) / max(abs(one), 1e-12) for one, other in likelihoods
        ),
    }
