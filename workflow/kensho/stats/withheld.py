"""Limits from means alone, held against items that are at hand: had only means been published.

Tables are JLCE's observations by arm (see `leaderboard`). Every two arms are compared on each task,
prompt and metric of which they answered the same items.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from kensho.audit.printed import printed
from kensho.stats import aggregates, leaderboard
from kensho.stats.intervals import Fit
from kensho.stats.units import Tables

COLUMNS = ["task", "template", "metric", "a", "b", "items", "a_mean", "b_mean", "low", "high",
           "item_low", "item_high", "holds", "decided", "decided_by_items"]  # fmt: skip


def compare(tables: Tables, *, decimals: int = 3, alpha: float = 0.05) -> pd.DataFrame:
    """One row for each task, prompt, metric and pair of arms; columns COLUMNS.

    Means are rounded as a paper prints them and `low` to `high` follows from them and the number of
    items. `item_low` to `item_high` is the interval of the paired items, Bonett & Price's (for
    scores between 0 and 1 one item won and one lost is added likewise). `holds`: the first has the
    second within it, and the standard error of the items is not below that of the pairing with the
    fewest discordant ones; `decided`: it excludes 0.
    """
    rows = []
    values = {arm: _means(leaderboard.items_of(arm, table)) for arm, table in tables.items()}
    for a, b in combinations(values, 2):
        shared = values[a].index.droplevel(["cluster", "item"]).unique()
        for key in shared.intersection(values[b].index.droplevel(["cluster", "item"]).unique()):
            x, y = values[a].loc[key], values[b].loc[key]
            if not x.index.equals(y.index):
                continue
            binary = bool(x.isin([0, 1]).all() and y.isin([0, 1]).all())
            figures = [printed(f"{side.mean():.{decimals}f}") for side in (x, y)]
            first, second = ([float(figure.low), float(figure.high)] for figure in figures)
            wide, narrow = aggregates.difference(first, second, len(x), alpha, graded=not binary)
            own = of_items((x - y).to_numpy(), alpha)
            slack = 2 * 10**-decimals  # both means were rounded
            holds = wide.low <= own.low and own.high <= wide.high and narrow.se <= own.se + slack
            rows.append(
                (*key, a, b, len(x), figures[0].text, figures[1].text, float(wide.low),
                 float(wide.high), float(own.low), float(own.high), bool(holds),
                 _excludes(wide), _excludes(own))
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def of_items(differences: np.ndarray, alpha: float) -> Fit:
    """Mean of differences between -1 and 1, with one of 1 and one of -1 added to them."""
    n = len(differences) + 2
    centre = differences.sum() / n
    se = np.sqrt(((differences**2).sum() + 2) / n - centre**2) / np.sqrt(n)
    half = stats.norm.ppf(1 - alpha / 2) * se
    return Fit(differences.mean(), max(centre - half, -1), min(centre + half, 1), se, np.inf)


def _means(items: pd.DataFrame) -> pd.Series:
    """Mean over training seeds, by task, prompt, metric, cluster and item."""
    scores = items[~items["metric"].isin(leaderboard.BESIDE)]
    keys = ["task", "template", "metric", "cluster", "item"]
    return scores.groupby(keys)["value"].mean().sort_index()


def _excludes(fit: Fit) -> bool:
    return bool(fit.low > 0 or fit.high < 0)
