"""Intervals of the evaluation: each arm and seed, and its difference from the base model."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

RATIO = {"nll_per_character": ("nll", "characters")}
BOUNDS = {"chrf": (0, 100), "accuracy": (0, 1)}
UNITS = {"nll_per_character": "nats/character", "chrf": "points", "accuracy": "share"}


def evaluation(
    tables: Mapping[str, pd.DataFrame], bases: Mapping[str, str], level: float = 0.95
) -> pd.DataFrame:
    """Estimates with intervals by arm, seed and metric, and paired differences from its base.

    ``tables`` holds observation tables by arm, blocks being items and replicates seeds; ``bases``
    names what each arm is compared with, one that is its own base with nothing: of a trained one
    the same seed. NLL per
    character is a ratio of sums; its interval is that of the linearised item residuals (Cochran
    1977, section 6.4), t with n - 1 degrees of freedom over items, like that of the means.
    Differences are paired by item. Accuracy is kept apart by task, the part of a block's name
    before its last hyphen.
    """
    rows = []
    untrained = {base: _items(tables[base]) for base in {*bases.values()}}
    for arm, table in tables.items():
        for (seed, metric), items in _items(table).items():
            estimate, residuals = _estimate(items)
            row: dict = {"arm": arm, "seed": seed, "metric": metric, "n": len(items)}
            row |= {"estimate": estimate, **_interval(estimate, residuals, level, "")}
            lowest, highest = BOUNDS.get(metric.split(" ")[0], (-np.inf, np.inf))
            row |= {"low": max(row["low"], lowest), "high": min(row["high"], highest)}
            if arm != (base := bases[arm]):
                known = untrained[base]
                same = (seed, metric) if (seed, metric) in known else (0, metric)
                theirs, their_residuals = _estimate(known[same].loc[items.index])
                row["difference"] = estimate - theirs
                row |= _interval(
                    estimate - theirs, residuals - their_residuals, level, "difference_"
                )
            rows.append({**row, "unit": UNITS[metric.split(" ")[0]]})
    columns = ["arm", "seed", "metric", "n", "estimate", "low", "high"]
    columns += ["difference", "difference_low", "difference_high", "unit"]
    return pd.DataFrame(rows, columns=columns)


def _items(table: pd.DataFrame) -> dict[tuple[int, str], pd.DataFrame]:
    """Numerator and denominator per item, by seed and metric."""
    items = {}
    for seed, rows in table.groupby("replicate"):
        wide = rows.pivot(index="block", columns="metric", values="value")
        for metric, (top, bottom) in RATIO.items():
            if top in wide:
                pairs = wide[[top, bottom]].dropna()
                items[int(seed), metric] = pairs.set_axis(["top", "bottom"], axis=1)
        for metric in wide.columns.difference(["nll", "characters"]):
            values = wide[metric].dropna()
            for task, part in values.groupby(values.index.str.rsplit("-", n=1).str[0]):
                name = f"{metric} {task}" if metric == "accuracy" else metric
                items[int(seed), name] = pd.DataFrame({"top": part, "bottom": 1.0})
    return items


def _estimate(items: pd.DataFrame) -> tuple[float, pd.Series]:
    ratio = items["top"].sum() / items["bottom"].sum()
    return ratio, (items["top"] - ratio * items["bottom"]) / items["bottom"].mean()


def _interval(centre: float, residuals: pd.Series, level: float, prefix: str) -> dict:
    n = len(residuals)
    half = stats.t.ppf((1 + level) / 2, n - 1) * residuals.std(ddof=1) / np.sqrt(n)
    return {f"{prefix}low": centre - half, f"{prefix}high": centre + half}
