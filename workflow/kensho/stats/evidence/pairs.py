"""Paired ratios and differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from kensho.claims import base, designs
from kensho.stats import frequentist, intervals, multiverse
from kensho.stats.evidence.base import AIM_IN_ORDER, MANY, Evidence, Modelled, Undefined, named
from kensho.stats.scales import BY_NAME, RATIO, Scale
from kensho.stats.units import Tables, binary, by_unit, means, paired, split

SCORES = ("points", "share")  # units of what may be 0


def ratio(test: designs.PairedRatio, reading: base.Reading, tables: Tables, seed: int) -> Evidence:
    """Geometric mean of ratios of paired blocks.

    Raises Undefined where a score is 0; a time or a size of 0 is a fault of its table.
    """
    for side in reading.sides:
        own = tables[side.arm]
        counts = (own["metric"] == side.metric) & (own["replicate"] >= 0)  # no warm-up
        if side.block is not None:
            counts &= own["block"] == side.block
        if (own[counts & own["unit"].isin(SCORES)]["value"] == 0).any():
            raise Undefined(
                f"{test.experiment}: reading '{reading.label}': a score of arm '{side.arm}' is 0, "
                "which has no ratio; observe more"
            )
    rows = paired(reading, tables, test.experiment, positive=True)
    return _of_pairs(test, rows, Modelled("location", prior=test.prior), seed)


def ratio_of_means(
    test: designs.RatioOfMeans, reading: base.Reading, tables: Tables, seed: int
) -> Evidence:
    """Ratio of both sides' means over the same units, zeros among them: a gain of accuracy."""
    rows = paired(reading, tables, test.experiment, positive=False)
    parts = split(rows.index, test.levels, test.experiment)
    x, y = (by_unit(means(rows[side]), parts) for side in rows)
    if not min(x.mean(), y.mean()) > 0:
        raise Undefined(
            f"{test.experiment}: reading '{reading.label}': a side has the mean "
            f"{min(x.mean(), y.mean()):g}, which gives no ratio; observe more units"
        )
    z = intervals.linearised(x.to_numpy(), y.to_numpy())
    if not frequentist.varies(z, 2) and x.isin([0, 1]).all() and y.isin([0, 1]).all():
        return _answered_alike(test, x.to_numpy(), y.to_numpy())
    t_test = frequentist.paired(z, 0.05, seed=seed)
    return Evidence(
        scale=RATIO,
        units=pd.Series(np.exp(z), x.index),
        interval=(lambda alpha: intervals.mean(z, alpha)) if frequentist.varies(z, 2) else None,
        constant=f"{test.experiment}: {z.size} units, and {' and '.join(test.arms)} differ by the "
        "same in all of them",
        n=z.size,
        sd=float(z.std(ddof=1)) if z.size > 1 else float("nan"),
        model="normal",
        data={"y": z},
        frequentist=t_test | {"tests": [named("t, linearised ratio", t_test)]},
        prior=test.prior,
        specifications=lambda alpha: multiverse.of_ratio(x.to_numpy(), y.to_numpy(), alpha),
    )


def _answered_alike(test: designs.RatioOfMeans, x: np.ndarray, y: np.ndarray) -> Evidence:
    """Ratio of two accuracies over items that both sides answered alike, each and every one."""
    right, items = int(x.sum()), x.size
    return Evidence(
        scale=RATIO,
        units=pd.Series(np.ones(items)),
        interval=lambda alpha: intervals.paired_ratio(right, 0, 0, alpha),
        n=items,
        sd=0.0,
        model="dirichlet_pairs",
        data={"counts": np.array([right, 0, 0, items - right])},
        estimand=lambda draws, data: np.log(
            draws["p"] @ [1, 1, 0, 0] / (draws["p"] @ [1, 0, 1, 0])
        ),
        specifications=lambda alpha: multiverse.of_ratio(x, y, alpha),
    )


def difference(
    test: designs.PairedDifference, reading: base.Contrast, tables: Tables, seed: int
) -> Evidence:
    """Mean difference of scores or accuracies over units.

    Right and wrong answers to independent items go through the discordant pairs, those in clusters
    through the clusters' means.
    """
    rows = paired(reading, tables, test.experiment, positive=False)
    if test.outcome == "score":
        return _of_pairs(test, rows, Modelled("normal", prior=test.prior), seed)
    treatment, control = (binary(rows[side], reading, test.experiment) for side in rows)
    wins = ((treatment == 1) & (control == 0)).to_numpy(dtype=int)
    losses = ((treatment == 0) & (control == 1)).to_numpy(dtype=int)
    if len(test.levels) > 1:
        parts = split(rows.index, test.levels, test.experiment)
        counts = parts.assign(wins=wins, losses=losses, items=1)
        counts = counts.groupby(test.levels[0], sort=False)[["wins", "losses", "items"]].sum()
        modelled = Modelled("pairs", {k: counts[k].to_numpy() for k in counts}, test.prior)
        gained = ((counts["wins"] - counts["losses"]) / counts["items"]).to_numpy()
        if np.ptp(gained) == 0:  # no cluster differs from another: they count as items
            won, lost = (round(max(0.0, sign * gained[0]) * len(counts)) for sign in (1, -1))
            cells = np.array([len(counts) - won - lost, won, lost, 0])
            modelled = Modelled("dirichlet_pairs", {"counts": cells})
        elif len(counts) > MANY:  # the mean of their means is normal, whatever clusters are like
            modelled = Modelled("normal")
        return _of_pairs(test, rows, modelled, seed, intervals.constant_pairs)
    items = len(rows)
    a, b = int(wins.sum()), int(losses.sum())
    both = int(((treatment == 1) & (control == 1)).sum())
    mcnemar = frequentist.mcnemar(a, b)
    return Evidence(
        scale=BY_NAME["difference"],
        units=treatment - control,
        interval=lambda alpha: intervals.paired_proportions(a, b, items, alpha),
        n=items,
        sd=float(np.sqrt((a + b) / items - ((a - b) / items) ** 2)),
        model="dirichlet_pairs",
        data={"counts": np.array([both, a, b, items - both - a - b])},
        frequentist={"p_value": mcnemar["p_value"], "tests": [named("McNemar, exact", mcnemar)]},
        prior=test.prior,
        specifications=lambda alpha: _alternatives(rows, test, seed, alpha),
    )


def _of_pairs(
    test: designs.Test,
    rows: pd.DataFrame,
    modelled: Modelled,
    seed: int,
    of_constant: Callable[[float, int, float], intervals.Fit] | None = None,
) -> Evidence:
    """Units of paired blocks on a scale with a null: their mean with a t interval.

    `modelled` without data is of the units' values. `of_constant(value, units, alpha)` is the
    interval where they do not vary, None if there is none.
    """
    scale = BY_NAME[test.scale]
    parts = split(rows.index, test.levels, test.experiment)
    over, under = (means(rows[side], scale.forward) for side in rows)
    differences = by_unit(over - under, parts)
    y = differences.to_numpy()
    # two values are too few for times, where they betray a coarse clock, but not for scores
    varies = frequentist.varies(y, 3 if test.scale == "ratio" else 2)
    interval = None
    if varies:
        of_units = intervals.of_run if test.in_order else intervals.mean
        interval = partial(of_units, y)
    elif of_constant:
        interval = partial(of_constant, float(y.mean()), y.size)
    return Evidence(
        scale=scale,
        units=scale.back(differences),
        interval=interval,
        constant=f"{test.experiment}: {y.size} units and one {scale.name} between "
        f"{' and '.join(test.arms)} in all of them",
        n=y.size,
        sd=float(y.std(ddof=1)) if y.size > 1 else float("nan"),
        model=modelled.model,
        data=modelled.data or {"y": y},
        in_order=test.in_order,
        aim=AIM_IN_ORDER if test.in_order else 0.85 if test.scale == "ratio" else 0.8,
        frequentist=_paired_tests(y, test, seed) if varies else {},
        prior=modelled.prior,
        specifications=lambda alpha: _alternatives(rows, test, seed, alpha),
        shown={"variance": _variance(rows, scale, y)},
    )


def _paired_tests(y: np.ndarray, test: designs.Test, seed: int) -> dict:
    scale = BY_NAME[test.scale]
    t_test = frequentist.paired(y, 0.05, seed=seed)
    tests = [named("t, paired", t_test), named("Wilcoxon, signed rank", frequentist.wilcoxon(y))]
    low, high = scale.ends(test.region)
    if np.isfinite([low, high]).all():
        tests.append(named("two one-sided t, region", frequentist.tost(y, low, high)))
    return t_test | {"tests": tests}


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
    over, under = (rows[side].tolist() for side in ("over", "under"))
    clusters = None
    if len(test.levels) > 1:
        clusters = split(rows.index, test.levels, test.experiment)[test.levels[0]].to_numpy()
    return multiverse.specifications(
        over, under, BY_NAME[test.scale], alpha, clusters=clusters, seed=seed
    )
