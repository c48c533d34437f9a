"""Interval estimates in closed form, on the working scale.

Every function takes leading axes for many data sets at once, units or effects on the last axis,
so that the calibration runs the very code that judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Values = Any  # an array over data sets, or the number of a single one


class Fit(NamedTuple):
    """Estimate, two-sided 1 - alpha interval, standard error and its degrees of freedom."""

    estimate: Values
    low: Values
    high: Values
    se: Values
    dof: Values


def mean(values: np.ndarray, alpha: float) -> Fit:
    """t interval of the mean over units: n - 1 degrees of freedom.

    Units are blocks, prompts or clusters; of clusters the unit value is the cluster's mean.
    """
    n = values.shape[-1]
    return _t(values.mean(-1), values.std(-1, ddof=1) / np.sqrt(n), n - 1, alpha)


def welch(x: np.ndarray, y: np.ndarray, alpha: float) -> Fit:
    """t interval of mean(x) - mean(y), independent units with a spread of their own (Welch 1947).

    Units on the last axis, at least 2 of each.
    """
    variances = [values.var(-1, ddof=1) / values.shape[-1] for values in (x, y)]
    dof = _satterthwaite(variances, [x.shape[-1] - 1, y.shape[-1] - 1])
    return _t(x.mean(-1) - y.mean(-1), np.sqrt(sum(variances)), dof, alpha)


def sites(estimate: np.ndarray, se: np.ndarray, alpha: float) -> Fit:
    """Mean over sites with a random effect of the site; sites on the last axis, at least 2.

    t interval of Hartung, Knapp, Sidik and Jonkman, k - 1 degrees of freedom, never narrower than
    the sites' own errors make it (max(1, q); Roever, Knapp & Friede 2015). Sites count alike:
    weighted by estimated variances the interval covers as little as 0.87 with few units at a site,
    or few at one and many at another (by simulation; see docs/pooling.md).
    """
    k = estimate.shape[-1]
    between, within = estimate.var(-1, ddof=1) / k, (se**2).sum(-1) / k**2
    return _t(estimate.mean(-1), np.sqrt(np.maximum(between, within)), k - 1, alpha)


def _satterthwaite(variances: Sequence[np.ndarray], dof: Sequence[Values]) -> np.ndarray:
    """Degrees of freedom of a sum of independent variances (Satterthwaite 1946)."""
    parts = sum(v**2 / d for v, d in zip(variances, dof, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(np.square(sum(variances)), parts)


def combined(fits: Sequence[Fit], weights: Sequence[float]) -> Fit:
    """Interval of a weighted sum of independent estimates from their intervals.

    Each end moves by the root of the summed squares of what the parts' ends move it by (MOVER,
    Zou & Donner 2008), so that the parts keep their asymmetry.
    """
    parts = list(zip(weights, fits, strict=True))
    estimate = sum(w * fit.estimate for w, fit in parts)
    down, up = (
        np.sqrt(sum((w * (fit.estimate - (fit.low if w * side > 0 else fit.high))) ** 2
                    for w, fit in parts))
        for side in (1, -1)
    )  # fmt: skip
    variances = [(w * fit.se) ** 2 for w, fit in parts]
    dof = _satterthwaite(variances, [fit.dof for fit in fits])
    return Fit(estimate, estimate - down, estimate + up, np.sqrt(sum(variances)), dof)


def crossed(values: np.ndarray, alpha: float) -> Fit:
    """Mean of values of the same units at several sites; sites and units on the last two axes.

    What differs between sites and what differs between units err each with degrees of freedom of
    its own; half-widths are added as `combined` does, since those of Satterthwaite cover as little
    as 0.87 at 2 sites (by simulation; see docs/pooling.md).
    """
    of_sites, of_units = values.mean(-1), values.mean(-2)
    around = of_units - of_units.mean(-1, keepdims=True)
    return combined([mean(of_sites, alpha), mean(around, alpha)], (1, 1))


def unpaired_proportions(right: Iterable[Values], items: Iterable[Values], alpha: float) -> Fit:
    """Difference, first - second, of the proportions of two sets of independent items.

    Newcombe's hybrid score interval (1998, method 10): Wilson's of both, combined. Proportions of
    0 and 1 have an interval too.
    """
    fits = [proportion(k, n, alpha) for k, n in zip(right, items, strict=True)]
    return combined(fits, (1, -1))


def linearised(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit values whose mean is the log of mean(x) / mean(y) and whose spread is that of the ratio.

    What the ratio's logarithm owes to each unit, to first order: with `mean` above, the delta
    method (Cochran 1977, section 6.4). Both means must be above 0.
    """
    x_mean, y_mean = x.mean(-1, keepdims=True), y.mean(-1, keepdims=True)
    return np.log(x_mean / y_mean) + x / x_mean - y / y_mean


def _t(estimate: Values, se: Values, dof: Values, alpha: float) -> Fit:
    half = stats.t.ppf(1 - alpha / 2, dof) * se
    return Fit(estimate, estimate - half, estimate + half, se, dof)


def proportion(correct: Values, items: Values, alpha: float) -> Fit:
    """Wilson's score interval (1927) of a proportion of independent items."""
    z2, p = stats.norm.ppf(1 - alpha / 2) ** 2, correct / items
    centre = (correct + z2 / 2) / (items + z2)
    half = np.sqrt(z2 * (p * (1 - p) * items + z2 / 4)) / (items + z2)
    return Fit(p, centre - half, centre + half, half / np.sqrt(z2), np.inf)


def share(values: np.ndarray, alpha: float) -> Fit:
    """Interval of the mean of unit values between 0 and 1: cluster shares, scores of prompts.

    Wilson's interval with as many items as the values are worth, mean (1 - mean) / se^2, and the t
    quantile of their number. Near 0 and 1 the plain t interval errs on one side (a quarter more
    often than it should at a mean of 0.9).
    """
    n, p = values.shape[-1], values.mean(-1)
    variance, t2 = values.var(-1, ddof=1) / n, stats.t.ppf(1 - alpha / 2, n - 1) ** 2
    spread = p * (1 - p)
    worth = np.divide(spread, variance, out=np.full(np.shape(p), float(n)), where=variance > 0)
    centre = (p * worth + t2 / 2) / (worth + t2)
    half = np.sqrt(t2 * (spread * worth + t2 / 4)) / (worth + t2)
    return Fit(p, centre - half, centre + half, half / np.sqrt(t2), n - 1)


def autocorrelated(values: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Whether unit values in the order of the run are positively autocorrelated at lag 1.

    Units on the last axis, at least 3. One-sided test of the serial correlation coefficient with
    its exact mean and variance under independent normal values (Moran 1948). A t interval of such
    units is too short: they are not replications of each other.
    """
    n = values.shape[-1]
    sd = (n - 2) / (n * np.sqrt(n - 1))
    return _lag_one(values) > -1 / n + stats.norm.ppf(1 - alpha) * sd


def of_run(values: np.ndarray, alpha: float) -> Fit:
    """t interval of the mean of units that were run one after the other.

    Neighbouring runs of a busy or warming machine are alike, and alike they are worth less than
    their number: n (1 - r) / (1 + r) with r the serial correlation at lag 1, corrected for its bias
    (Kendall 1954), never below 0, and a margin 0.3 (10 / n)^1.5 above, since few runs tell little
    about their own correlation. Chosen by simulation among batch means, equal-weighted cosines and
    earlier gates: of 10 blocks under AR(1) 0.6 it verifies a false bound in 0.03 of cases together
    with the gate of `autocorrelated` (the t interval: 0.10), and at 20 independent blocks it keeps
    0.64 of a power of 0.80.
    """
    n = values.shape[-1]
    r = _lag_one(values)
    r = np.clip(r + (1 + 3 * r) / n + 0.3 * (10 / n) ** 1.5, 0, 0.95)
    worth = n * (1 - r) / (1 + r)
    se = values.std(-1, ddof=1) / np.sqrt(worth)
    return _t(values.mean(-1), se, np.maximum(worth - 1, 1), alpha)


def _lag_one(values: np.ndarray) -> np.ndarray:
    """Serial correlation coefficient at lag 1; 0 where the values do not vary."""
    centred = values - values.mean(-1, keepdims=True)
    lagged, own = (centred[..., 1:] * centred[..., :-1]).sum(-1), (centred**2).sum(-1)
    return np.divide(lagged, own, out=np.zeros_like(own), where=own > 0)


def paired_proportions(only_a: Values, only_b: Values, items: Values, alpha: float) -> Fit:
    """Difference of two proportions of the same independent items.

    Bonett & Price's adjusted Wald interval (2012), one item added to each discordant cell: the
    plain normal interval is too short where discordant pairs are rare.
    """
    a, b = (only_a + 1) / (items + 2), (only_b + 1) / (items + 2)
    half_z = np.sqrt((a + b - (a - b) ** 2) / (items + 2))
    half = stats.norm.ppf(1 - alpha / 2) * half_z
    low, high = np.maximum(a - b - half, -1), np.minimum(a - b + half, 1)
    return Fit((only_a - only_b) / items, low, high, half_z, np.inf)


def constant_pairs(difference: float, units: int, alpha: float) -> Fit:
    """Mean difference of shares between -1 and 1 of units that all differ by the same.

    Bonett & Price's interval with the units as items, a difference of d as won by d of them: what
    so many equal answers leave open, where their spread is 0.
    """
    won, lost = max(difference, 0) * units, max(-difference, 0) * units
    return paired_proportions(won, lost, units, alpha)


def paired_ratio(both: int, only_a: int, only_b: int, alpha: float) -> Fit:
    """Log ratio of two proportions of the same independent items.

    Delta method with one item added to each discordant cell, as in `paired_proportions`, so that
    pairs without a discordant one have an interval too.
    """
    a, b = both + only_a + 1, both + only_b + 1
    se = np.sqrt((only_a + only_b + 2) / (a * b))
    estimate = np.log((both + only_a) / (both + only_b))
    fit = _t(np.log(a / b), se, np.inf, alpha)
    return fit._replace(estimate=estimate)


def peak(x: np.ndarray, y: np.ndarray, alpha: float) -> Fit:
    """Optimum of a quadratic in x with an effect of each seed, by Fieller's theorem (1954).

    Args: x (D,) doses; y (..., S, D) results of S seeds at every dose.
    The interval is unbounded where the curvature may be zero or upwards.
    """
    seeds, doses = y.shape[-2:]
    centre = x.mean()
    powers = np.stack([x - centre, (x - centre) ** 2])
    powers = powers - powers.mean(1, keepdims=True)
    inverse = np.linalg.inv(powers @ powers.T)
    within = y - y.mean(-1, keepdims=True)  # seed effects removed
    slope, curve = np.moveaxis(within.mean(-2) @ powers.T @ inverse, -1, 0)
    fitted = slope[..., None, None] * powers[0] + curve[..., None, None] * powers[1]
    dof = seeds * doses - seeds - 2
    variance = ((within - fitted) ** 2).sum((-2, -1)) / dof / seeds
    v_ss, v_sc, v_cc = (variance * inverse[i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    # x belongs to the set where (slope + 2 curve x)^2 <= t^2 Var(slope + 2 curve x)
    t2 = stats.t.ppf(1 - alpha / 2, dof) ** 2
    a = 4 * (curve**2 - t2 * v_cc)
    b = 4 * (slope * curve - t2 * v_sc)
    c = slope**2 - t2 * v_ss
    bounded = (a > 0) & (curve < 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(b**2 - 4 * a * c)
        low = np.where(bounded, centre + (-b - root) / (2 * a), -np.inf)
        high = np.where(bounded, centre + (-b + root) / (2 * a), np.inf)
        top = -slope / (2 * curve)
        se = np.sqrt(v_ss + 4 * top * v_sc + 4 * top**2 * v_cc) / (2 * np.abs(curve))
    return Fit(centre + top, low, high, se, dof)


def kth_largest(estimate: np.ndarray, se: np.ndarray, dof: Values, k: int, alpha: float) -> Fit:
    """Interval of the k-th largest of T effects, from their t intervals (effects on the last axis).

    Partial conjunction (Benjamini & Heller 2008): the k-th largest effect lies above L if k
    effects do. k = T is the intersection-union test, whose lower end needs no correction.
    Conservative: each end errs with a probability of at most alpha / 2.
    """
    effects = estimate.shape[-1]
    lows = estimate - stats.t.ppf(1 - alpha / (2 * (effects - k + 1)), dof) * se
    highs = estimate + stats.t.ppf(1 - alpha / (2 * k), dof) * se
    order = np.argsort(estimate, axis=-1)
    at = order[..., [effects - k]]
    chosen = [np.take_along_axis(np.broadcast_to(v, estimate.shape), at, -1)[..., 0]
              for v in (estimate, se, dof)]  # fmt: skip
    low = np.sort(lows, axis=-1)[..., effects - k]
    high = np.sort(highs, axis=-1)[..., effects - k]
    return Fit(chosen[0], low, high, chosen[1], chosen[2])
