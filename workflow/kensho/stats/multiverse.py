"""Alternative analyses of one paired comparison, to see whether the answer hangs on the choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from kensho.stats import frequentist, intervals
from kensho.stats.scales import Scale
from kensho.stats.units import means

Specification = tuple[float, float, float]  # estimate, low, high

_MIN_BOOTSTRAP = 10  # fewer units and a bootstrap interval is far too short
_MAX_RANKED = 2000  # units whose pairwise means are held at once


def specifications(
    over: Sequence[Sequence[float]],
    under: Sequence[Sequence[float]] | None,
    scale: Scale,
    alpha: float,
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> list[dict]:
    """The same comparison by other rules, each with its 1 - alpha interval.

    Args:
        over, under: the replicates of each unit on the claim's scale, units in the same order;
            under is None where units carry one score (a win rate).
        clusters: (n,) cluster of each unit; clusters then are the units, means of their members.
        seed: of the bootstrap.

    Returns {label, estimate, low, high} on the claim's scale for each rule that these data allow:
        it needs variation, and some need more units or replicates than there may be.
    """
    x, y = (_units(side, scale.forward, np.mean, len(over)) for side in (over, under))
    rank = np.arange(len(over)) if clusters is None else np.unique(clusters, return_inverse=True)[1]

    def pooled(values: np.ndarray) -> np.ndarray:
        return np.bincount(rank, values) / np.bincount(rank)

    values = pooled(x - y)
    if not frequentist.varies(values):
        return []
    fits = {
        "pairing ignored, Welch": _welch(pooled(x), pooled(y), alpha),
        "signed ranks, Hodges-Lehmann": hodges_lehmann(values, alpha),
        "20 % trimmed mean": trimmed_mean(values, alpha),
        "percentile bootstrap": _bootstrap(values, alpha, seed),
        "units beyond 3 MAD left out": without_outliers(values, alpha),
    }
    if scale.name == "ratio":
        a, b = (pooled(_units(side, np.asarray, np.mean, len(over))) for side in (over, under))
        fits["ratio of means"] = ratio_of_means(a, b, alpha)
    if max(len(unit) for unit in over) > 2:
        middles = [_units(side, scale.forward, np.median, len(over)) for side in (over, under)]
        fits["median of replicates"] = _mean(pooled(middles[0] - middles[1]), alpha)
    if clusters is not None:
        fits["items weighted equally"] = _items(x - y, rank, alpha)
    return [
        {"label": label, **dict(zip(("estimate", "low", "high"), map(float, ends), strict=True))}
        for label, fit in fits.items()
        if fit and fit[1] < fit[2]  # mostly tied values leave an interval of no width
        for ends in [scale.back(np.array(fit))]
    ]


def share(specifications: Sequence[dict], verdict: str) -> float | None:
    """Share of specifications whose `verdict` is this one; None where there are none."""
    same = [row["verdict"] == verdict for row in specifications]
    return sum(same) / len(same) if same else None


def _units(
    side: Sequence[Sequence[float]] | None, forward: Callable, middle: Callable, n: int
) -> np.ndarray:
    """One value for each unit, (n,); zeros for a side that is not there."""
    if side is None:
        return np.zeros(n)
    if middle is np.mean:
        return means(side, forward)
    return np.array([middle(forward(np.asarray(unit, dtype=float))) for unit in side])


def _mean(values: np.ndarray, alpha: float) -> Specification | None:
    if not frequentist.varies(values):
        return None
    fit = intervals.mean(values, alpha)
    return fit.estimate, fit.low, fit.high


def _welch(x: np.ndarray, y: np.ndarray, alpha: float) -> Specification | None:
    test = frequentist.welch(x, y, alpha)
    return (test["estimate"], *test["interval"]) if test["interval"] else None


def hodges_lehmann(values: np.ndarray, alpha: float) -> Specification | None:
    """Median of the pairwise means, and the means that the signed-rank test does not reject.

    Hollander, Wolfe & Chicken (2014), section 3.2-3.3. None where no n of this size rejects.
    """
    n = values.size
    if n > _MAX_RANKED:
        return None
    rows, columns = np.triu_indices(n)
    walsh = np.sort((values[rows] + values[columns]) / 2)
    if n <= 50:
        p = np.ones(1)
        for k in range(1, n + 1):  # distribution of W+: rank k is in or out
            p = (np.pad(p, (0, k)) + np.pad(p, (k, 0))) / 2
        cut = int(np.searchsorted(p.cumsum(), alpha / 2))
    else:
        sd = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        cut = int(n * (n + 1) / 4 + stats.norm.ppf(alpha / 2) * sd)
    return (np.median(walsh), walsh[cut - 1], walsh[-cut]) if cut >= 1 else None


def trimmed_mean(values: np.ndarray, alpha: float) -> Specification | None:
    """Tukey & McLaughlin's (1963) interval of the 20 % trimmed mean, from the winsorised sd."""
    n, cut = values.size, values.size // 5
    if cut < 1:
        return None
    kept, ordered = n - 2 * cut, np.sort(values)
    winsorised = np.clip(ordered, ordered[cut], ordered[-cut - 1])
    se = math.sqrt((n - 1) * winsorised.var(ddof=1) / (kept * (kept - 1)))
    half = stats.t.ppf(1 - alpha / 2, kept - 1) * se
    estimate = ordered[cut : n - cut].mean()
    return estimate, estimate - half, estimate + half


def _bootstrap(values: np.ndarray, alpha: float, seed: int) -> Specification | None:
    if values.size < _MIN_BOOTSTRAP:
        return None
    return (values.mean(), *frequentist.bootstrap_interval(values, alpha, seed))


def without_outliers(values: np.ndarray, alpha: float) -> Specification | None:
    """t interval of the units within 3 median absolute deviations (scaled to the normal)."""
    distance = np.abs(values - np.median(values))
    return _mean(values[distance <= 3 * stats.median_abs_deviation(values, scale="normal")], alpha)


def ratio_of_means(x: np.ndarray, y: np.ndarray, alpha: float) -> Specification | None:
    """Log of the ratio of arithmetic means, linearised (Cochran 1977, section 6.4)."""
    fit = _mean(x / x.mean() - y / y.mean(), alpha)
    centre = math.log(x.mean() / y.mean())
    return (centre + fit[0], centre + fit[1], centre + fit[2]) if fit else None


def of_ratio(x: np.ndarray, y: np.ndarray, alpha: float) -> list[dict]:
    """A ratio of means by Fieller's theorem (1954), and with the pairing ignored."""
    means, t2 = np.array([x.mean(), y.mean()]), stats.t.ppf(1 - alpha / 2, x.size - 1) ** 2
    # r belongs to the set where (mean(x) - r mean(y))^2 <= t^2 Var(mean(x) - r mean(y))
    (c, b), (_, a) = np.outer(means, means) - t2 * np.cov(x, y) / x.size
    ratio, fits = means[0] / means[1], {}
    if a > 0 and c > 0:  # else the set is no interval above 0
        root = math.sqrt(max(0.0, b**2 - a * c))
        fits["Fieller"] = ratio, (b - root) / a, (b + root) / a
    apart = _welch(x / means[0], y / means[1], alpha)
    if apart:
        fits["pairing ignored, Welch"] = tuple(ratio * math.exp(end) for end in apart)
    return [
        {"label": label, **dict(zip(("estimate", "low", "high"), map(float, fit), strict=True))}
        for label, fit in fits.items()
    ]


def _items(values: np.ndarray, rank: np.ndarray, alpha: float) -> Specification:
    """Mean over items with the variance of the clusters' sums of residuals, t with G - 1.

    Clustered standard error of Miller (2024), with the factor G / (G - 1) for few clusters.
    """
    sums = np.bincount(rank, values - values.mean())
    se = math.sqrt(sums.size / (sums.size - 1) * (sums**2).sum()) / values.size
    half = stats.t.ppf(1 - alpha / 2, sums.size - 1) * se
    return values.mean(), values.mean() - half, values.mean() + half
