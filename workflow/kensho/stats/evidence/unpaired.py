"""Differences of two arms whose items nothing pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from kensho.claims import base, designs
from kensho.stats import frequentist, intervals, multiverse
from kensho.stats.evidence.base import Evidence, named, specification
from kensho.stats.scales import DIFFERENCE
from kensho.stats.units import Tables, apart, binary, by_unit, means, split

ACCURACIES = {"location": 0.5, "spread": 0.5}  # prior of means of clusters, which are shares

_RESAMPLES = 2000


def unpaired_difference(
    test: designs.UnpairedDifference, reading: base.Contrast, tables: Tables, seed: int
) -> Evidence:
    """Mean of the treatment's units minus that of the control's; `n` is that of the smaller arm.

    Right and wrong answers to independent items are counted, those in clusters and scores go
    through the means of their units.
    """
    cells = apart(reading, tables, test.experiment)
    if test.outcome == "binary":
        sides = [binary(side, reading, test.experiment) for side in cells]
    else:
        sides = [pd.Series(means(side), side.index) for side in cells]
    x, y = (
        by_unit(side.to_numpy(), split(side.index, test.levels, test.experiment)) for side in sides
    )
    arms = [side.arm for side in reading.sides]
    units = pd.concat([x - y.mean(), x.mean() - y], keys=arms)  # each against the other's mean
    units.index = [f"{arm} {unit}" for arm, unit in units.index]
    common = {"scale": DIFFERENCE, "units": units, "n": min(x.size, y.size), "prior": test.prior}
    if test.outcome == "binary" and len(test.levels) == 1:
        return _of_counts(x.to_numpy(), y.to_numpy(), common)
    items = None
    if len(test.levels) > 1:
        items = sides[0].to_numpy(), sides[1].to_numpy()
    if test.outcome == "binary" and test.prior is None:
        common["prior"] = ACCURACIES
    return _of_means(x.to_numpy(), y.to_numpy(), items, seed, common)


def _of_counts(x: np.ndarray, y: np.ndarray, common: dict) -> Evidence:
    right, items = np.array([x.sum(), y.sum()], dtype=int), np.array([x.size, y.size])
    fit = intervals.unpaired_proportions(right, items, 0.05)
    test = named("Fisher, exact", frequentist.fisher(right, items))
    return Evidence(
        **common,
        interval=lambda alpha: intervals.unpaired_proportions(right, items, alpha),
        sd=float(fit.se * np.sqrt(items.min())),
        model="two_proportions",
        data={"correct": right, "items": items},
        frequentist={"p_value": test["p_value"], "tests": [test]},
        specifications=lambda alpha: [
            specification("Agresti-Caffo", *_agresti_caffo(right, items, alpha)),
            specification("Welch over items", *intervals.welch(x, y, alpha)[:3]),
        ],
    )


def _agresti_caffo(right: np.ndarray, items: np.ndarray, alpha: float) -> Sequence[float]:
    """Wald's interval with one right and one wrong answer added to each arm (2000)."""
    p = (right + 1) / (items + 2)
    half = stats.norm.ppf(1 - alpha / 2) * np.sqrt((p * (1 - p) / (items + 2)).sum())
    return (right / items) @ [1, -1], p[0] - p[1] - half, p[0] - p[1] + half


def _of_means(
    x: np.ndarray,
    y: np.ndarray,
    items: tuple[np.ndarray, np.ndarray] | None,
    seed: int,
    common: dict,
) -> Evidence:
    varies = all(frequentist.varies(side, 2) for side in (x, y))
    fit = intervals.welch(x, y, 0.05) if varies else None
    tests = {}
    if fit:
        welch = frequentist.welch(x, y, 0.05)
        tests = {
            "p_value": welch["p_value"],
            "cohen_d_av": float(fit.estimate / np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)),
            "tests": [
                named("t, Welch", welch),
                named("Mann-Whitney", frequentist.mann_whitney(x, y)),
            ],
        }
    return Evidence(
        **common,
        interval=(lambda alpha: intervals.welch(x, y, alpha)) if varies else None,
        sd=float(fit.se * np.sqrt(common["n"])) if fit else float("nan"),
        model="two_samples",
        data=summary(x, y),
        frequentist=tests,
        specifications=lambda alpha: _alternatives(x, y, items, seed, alpha),
    )


def summary(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """What two samples say of the difference of their means: all that the model looks at."""
    sides = (x, y)
    return {
        "difference": np.array([x.mean() - y.mean()]),
        "squares": np.array([((side - side.mean()) ** 2).sum() for side in sides]),
        "n": np.array([side.size for side in sides]),
    }


def _alternatives(
    x: np.ndarray,
    y: np.ndarray,
    items: tuple[np.ndarray, np.ndarray] | None,
    seed: int,
    alpha: float,
) -> list[dict]:
    """One spread for both arms, trimmed means, outliers left out, bootstrap, items as units."""
    dof = x.size + y.size - 2
    pooled = np.sqrt(summary(x, y)["squares"].sum() / dof * (1 / x.size + 1 / y.size))
    half = stats.t.ppf(1 - alpha / 2, dof) * pooled
    centre = x.mean() - y.mean()
    fits = {
        "one spread, Student": (centre, centre - half, centre + half),
        "20 % trimmed means": _both(multiverse.trimmed_mean, x, y, alpha),
        "units beyond 3 MAD left out": _both(multiverse.without_outliers, x, y, alpha),
        "percentile bootstrap": _bootstrap(x, y, seed, alpha),
    }
    if items is not None:
        fits["items as units, clusters ignored"] = intervals.welch(*items, alpha)[:3]
    return [specification(label, *fit) for label, fit in fits.items() if fit is not None]


def _both(rule: Callable, x: np.ndarray, y: np.ndarray, alpha: float) -> Sequence[float] | None:
    """A rule for one sample, applied to both and combined."""
    fits = [
        intervals.Fit(fit[0], fit[1], fit[2], np.nan, np.nan)
        for fit in (rule(side, alpha) for side in (x, y))
        if fit is not None
    ]
    return intervals.combined(fits, (1, -1))[:3] if len(fits) == 2 else None


def _bootstrap(x: np.ndarray, y: np.ndarray, seed: int, alpha: float) -> Sequence[float]:
    rng = np.random.default_rng(seed)
    means = [
        x[rng.integers(0, x.size, x.size)].mean() - y[rng.integers(0, y.size, y.size)].mean()
        for _ in range(_RESAMPLES)
    ]
    return (x.mean() - y.mean(), *np.quantile(means, [alpha / 2, 1 - alpha / 2]))
