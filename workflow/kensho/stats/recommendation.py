"""Adapted models and formats by quality, latency and memory, and which of them none beats (C-4)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kensho.domain.arms import FORMATS, SIZES
from kensho.stats import intervals

COLUMNS = ["arm", "model", "format", "attention", "answers", "score", "score_low", "score_high"]
COLUMNS += ["seconds", "seconds_low", "seconds_high", *SIZES, "unbeaten", "why"]
BOUNDS = {"score": (0, 3), "seconds": (0, np.inf)}
BEST = {"score": -1, "seconds": 1, "peak_memory_bytes": 1}  # less of it, times this, is better


def table(
    answers: Mapping[str, tuple[pd.DataFrame, dict]],
    scores: Mapping[str, tuple[pd.DataFrame, dict]],
    alpha: float,
    without: str,
) -> pd.DataFrame:
    """A row for each arm, from observation tables and conditions of `domain_answers` and scores.

    Means over the questions with t intervals of 1 - ``alpha`` within `BOUNDS`, a score first
    averaged over judges; NaN and ``why`` where there is none (``without``: why nothing was scored).
    ``unbeaten`` is whether no other scored arm is as good in score, seconds and memory and better
    in one of them; on an accelerator no arm of another engine, whose memory is another one.
    """
    rows = []
    for arm, (observed, conditions) in answers.items():
        value = observed[observed["block"] == "all"].set_index("metric")["value"]
        of_scores, judged = scores.get(arm, (observed, {"absent": {"score": without}}))
        absent = conditions.get("absent", {}).get("seconds") or judged["absent"].get("score", "")
        rows.append(
            {
                "arm": arm,
                "model": ", ".join(conditions["models"]),
                "format": conditions["own"]["format"],
                "attention": conditions["own"]["attention"],
                "answers": int(value["answers"]),
                **_mean(of_scores, "score", alpha),
                **_mean(observed, "seconds", alpha),
                **{name: value.get(name, np.nan) for name in SIZES},
                "why": absent,
                "memory": _memory(conditions),
            }
        )
    made = pd.DataFrame(rows)
    return made.assign(unbeaten=unbeaten(made))[COLUMNS]


def _memory(conditions: Mapping) -> str:
    """Whose memory is measured: the host's, or on an accelerator the engine's own."""
    if not conditions["hardware"]["accelerators"]:
        return "host"
    return "llama.cpp" if conditions["own"]["format"] in FORMATS else "accelerator"


def _mean(observed: pd.DataFrame, metric: str, alpha: float) -> dict[str, float]:
    own = observed[observed["metric"] == metric]
    values = own.groupby("block")["value"].mean().to_numpy()
    keys = metric, f"{metric}_low", f"{metric}_high"
    if len(values) < 2:
        return dict.fromkeys(keys, np.nan) | ({metric: float(values[0])} if len(values) else {})
    fit = intervals.mean(values, alpha)
    inside = np.clip([fit.estimate, fit.low, fit.high], *BOUNDS[metric])
    return dict(zip(keys, map(float, inside), strict=True))


def unbeaten(rows: pd.DataFrame) -> list[bool]:
    """Of rows with score, seconds and peak_memory_bytes: whether they are on the Pareto front of
    those with the same ``memory``."""
    costs = rows[[*BEST]].to_numpy(dtype=float) * [*BEST.values()]
    whole = np.isfinite(costs).all(axis=1)
    return [
        bool(held)
        and not any(
            (other <= own).all() and (other < own).any()
            for other in costs[whole & (rows["memory"] == memory)]
        )
        for own, held, memory in zip(costs, whole, rows["memory"], strict=True)
    ]
