"""What each arm of the studies of augmentation gains (F-4): a description, no verdict."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from kensho.stats import intervals

ALPHA = 0.05
CONTROLS = ("none", "repeat")
LESS_IS_BETTER = ("nll_per_character",)
METRIC = r"^(?P<name>[^.]+)(?:\.(?P<task>.+))?\.n(?P<size>\d+)$"
PAIRS = "pairs"  # task of metrics that name none
GAIN = ("", "_low", "_high", "_lacks")


def table(observed: Iterable[tuple[pd.DataFrame, Mapping[str, Any]]]) -> pd.DataFrame:
    """A row for each task, size, metric and arm, in the order in which they were observed.

    ``observed``: observations and conditions of each arm of `augmentation_features` and
    `augmentation_training`. ``over_none`` and ``over_repeat`` are geometric means over seeds of the
    arm's score by that of the control with the same seed (control by arm where less is better:
    above 1 the arm is better), with 95 % t intervals of the mean log ratio; NaN where ``_lacks``
    says why. ``variants`` is the mean of rows that are some; ``candidates_...`` counts what became
    of a technique's candidates on the task.
    """
    tables, outcomes = [], dict[str, Mapping]()
    for own, conditions in observed:
        tables.append(own.join(own["metric"].str.extract(METRIC)).fillna({"task": PAIRS}))
        known = conditions["own"]["outcomes"]  # of the study without tasks: by technique
        outcomes |= {task: known.get(task, known) for task in tables[-1]["task"].unique()}
    every = pd.concat(tables, ignore_index=True).astype({"size": int})
    added = every[every["name"] == "variants"].groupby(["task", "size", "arm"])["value"].mean()
    scores = every[every["name"] != "variants"]
    rows = []
    for (task, size, metric), part in scores.groupby(["task", "size", "name"], sort=False):
        cells = part.pivot(index="block", columns="arm", values="value")
        for arm in part["arm"].unique():
            row: dict = {"task": task, "size": size, "metric": metric, "arm": arm}
            row |= {"unit": part["unit"].iloc[0], "seeds": cells[arm].count()}
            row |= {"mean": cells[arm].mean(), "variants": added[task, size, arm]}
            for control in CONTROLS:
                gain = _gain(cells, arm, control, metric)
                row |= {f"over_{control}{end}": v for end, v in zip(GAIN, gain, strict=True)}
            made = outcomes[task].get(arm, {}).items()
            rows.append(row | {f"candidates_{outcome}": count for outcome, count in made})
    return pd.DataFrame(rows)


def _gain(cells: pd.DataFrame, arm: str, control: str, metric: str) -> list[Any]:
    """Estimate, interval, and why there is none."""
    nothing = [np.nan] * 3
    if arm == control:
        return [*nothing, ""]
    if control not in cells:
        return [*nothing, f"no arm {control}"]
    pairs = cells[[arm, control]].dropna()
    if (pairs <= 0).any(axis=None):
        return [*nothing, "a score of 0 has no ratio"]
    logs = np.log(pairs[arm] / pairs[control]).to_numpy()
    logs = -logs if metric in LESS_IS_BETTER else logs
    if len(logs) < 2:
        return [float(np.exp(logs.mean())), np.nan, np.nan, "one seed has no interval"]
    return [*np.exp(intervals.mean(logs, ALPHA)[:3]).tolist(), ""]
