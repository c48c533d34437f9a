"""Paired ratios and differences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kensho.claims import designs
from kensho.stats import frequentist, intervals, multiverse
from kensho.stats.evidence.base import Evidence, Undefined, named
from kensho.stats.scales import BY_NAME, RATIO, Scale
from kensho.stats.units import Tables, binary, by_unit, paired, split


def ratio(
    test: designs.PairedRatio, reading: designs.Reading, tables: Tables, seed: int
) -> Evidence:
    """Geometric mean of ratios of paired blocks."""
    rows = paired(reading, tables, test.experiment, positive=True)
    return _of_pairs(test, rows, seed, "location", test.prior)


def ratio_of_means(
    test: designs.RatioOfMeans, reading: designs.Reading, tables: Tables, seed: int
) -> Evidence:
    """Ratio of both sides' means over the same units, zeros among them: a gain of accuracy."""
    rows = paired(reading, tables, test.experiment, positive=False)
    parts = split(rows.index, test.levels, test.experiment)
    x, y = (by_unit(rows[side].map(np.mean).to_numpy(), parts) for side in rows)
    if not min(x.mean(), y.mean()) > 0:
        raise Undefined(
            f"{test.experiment}: reading '{reading.label}': a side has the mean "
            f"{min(x.mean(), y.mean()):g}, which gives no ratio; observe more units"
        )
    z = intervals.linearised(x.to_numpy(), y.to_numpy())
    found = frequentist.paired(z, 0.05, seed=seed)
    return Evidence(
        scale=RATIO,
        units=pd.Series(np.exp(z), x.index),
        interval=(lambda alpha: intervals.mean(z, alpha)) if frequentist.varies(z, 2) else None,
        n=z.size,
        sd=float(z.std(ddof=1)) if z.size > 1 else float("nan"),
        model="normal",
        data={"y": z},
        found=found | {"tests": [named("t, linearised ratio", found)]},
        prior=test.prior,
        specifications=lambda alpha: multiverse.of_ratio(x.to_numpy(), y.to_numpy(), alpha),
    )


def difference(
    test: designs.PairedDifference, reading: designs.Contrast, tables: Tables, seed: int
) -> Evidence:
    """Mean difference of scores or accuracies over units.

    Right and wrong answers to independent items go through the discordant pairs, those in clusters
    through the clusters' means.
    """
    rows = paired(reading, tables, test.experiment, positive=False)
    if test.outcome == "score":
        return _of_pairs(test, rows, seed, "normal", test.prior)
    treatment, control = (binary(rows[side], reading, test.experiment) for side in rows)
    wins = ((treatment == 1) & (control == 0)).to_numpy(dtype=int)
    losses = ((treatment == 0) & (control == 1)).to_numpy(dtype=int)
    if len(test.levels) > 1:
        parts = split(rows.index, test.levels, test.experiment)
        counts = parts.assign(wins=wins, losses=losses, items=1)
        counts = counts.groupby(test.levels[0], sort=False)[["wins", "losses", "items"]].sum()
        data = {name: counts[name].to_numpy() for name in counts}
        return _of_pairs(test, rows, seed, "pairs", test.prior, data)
    items = len(rows)
    a, b = int(wins.sum()), int(losses.sum())
    both = int(((treatment == 1) & (control == 1)).sum())
    found = frequentist.mcnemar(a, b)
    return Evidence(
        scale=BY_NAME["difference"],
        units=treatment - control,
        interval=(lambda alpha: intervals.paired_proportions(a, b, items, alpha))
        if a + b
        else None,
        n=items,
        sd=float(np.sqrt((a + b) / items - ((a - b) / items) ** 2)),
        model="dirichlet_pairs",
        data={"counts": np.array([both, a, b, items - both - a - b])},
        found={"p_value": found["p_value"], "tests": [named("McNemar, exact", found)]},
        prior=test.prior,
        specifications=lambda alpha: _alternatives(rows, test, seed, alpha),
    )


def _of_pairs(
    test: designs.Test,
    rows: pd.DataFrame,
    seed: int,
    model: str,
    prior: Mapping[str, float] | None,
    data: Mapping[str, np.ndarray] | None = None,
) -> Evidence:
    """Units of paired blocks on a scale with a null: their mean with a t interval."""
    scale = BY_NAME[test.scale]
    parts = split(rows.index, test.levels, test.experiment)
    blocks = {side: rows[side].map(lambda x: float(np.mean(scale.forward(x)))) for side in rows}
    differences = by_unit((blocks["over"] - blocks["under"]).to_numpy(), parts)
    y = differences.to_numpy()
    # two values are too few for times, where they betray a coarse clock, but not for scores
    varies = frequentist.varies(y, 3 if test.scale == "ratio" else 2)
    return Evidence(
        scale=scale,
        units=scale.back(differences),
        interval=(lambda alpha: intervals.mean(y, alpha)) if varies else None,
        n=y.size,
        sd=float(y.std(ddof=1)) if y.size > 1 else float("nan"),
        model=model,
        data={"y": y} if data is None else data,
        in_order=test.scale == "ratio" and test.levels == ["block"] and y.size >= 10,
        aim=0.85 if test.scale == "ratio" else 0.8,
        found=_paired_tests(y, test, seed) if varies else {},
        prior=prior,
        specifications=lambda alpha: _alternatives(rows, test, seed, alpha),
        shown={"variance": _variance(rows, scale, y)},
    )


def _paired_tests(y: np.ndarray, test: designs.Test, seed: int) -> dict:
    scale = BY_NAME[test.scale]
    found = frequentist.paired(y, 0.05, seed=seed)
    tests = [named("t, paired", found), named("Wilcoxon, signed rank", frequentist.wilcoxon(y))]
    low, high = scale.ends(test.region)
    if np.isfinite([low, high]).all():
        tests.append(named("two one-sided t, region", frequentist.tost(y, low, high)))
    return found | {"tests": tests}


def _variance(rows: pd.DataFrame, scale: Scale, y: np.ndarray) -> dict | None:
    """Variance between units and, where blocks hold replicates, that of one replicate within."""
    within = [
        np.var(scale.forward(np.asarray(cell, dtype=float)), ddof=1)
        for side in rows
        for cell in rows[side]
        if len(cell) > 1
    ]
    if y.size < 2:
        return None
    return {
        "between_units": float(y.var(ddof=1)),
        "within_units": float(np.mean(within)) if within else None,
    }


def _alternatives(rows: pd.DataFrame, test: designs.Test, seed: int, alpha: float) -> list[dict]:
    cells = ([np.asarray(cell, dtype=float) for cell in rows[side]] for side in ("over", "under"))
    clusters = None
    if len(test.levels) > 1:
        clusters = split(rows.index, test.levels, test.experiment)[test.levels[0]].to_numpy()
    return multiverse.specifications(
        *cells, BY_NAME[test.scale], alpha, clusters=clusters, seed=seed
    )
