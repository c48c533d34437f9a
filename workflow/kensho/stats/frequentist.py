"""Paired ratios on the log scale: t intervals, effect sizes and prospective power.

Every ratio enters and leaves on its own scale; the logarithm stays inside. Effect sizes are those
of the log ratios.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pingouin as pg
from scipy import optimize, special, stats

Interval = tuple[float, float]
Region = Sequence[float | None]

_QUANTILES = (np.arange(2000) + 0.5) / 2000


def paired_log_ratio(
    ratios: pd.Series, alpha: float, m: int, *, seed: int = 0, resamples: int = 5000
) -> dict:
    """Geometric mean of paired ratios (one per block) and the test against a ratio of 1.

    Args:
        ratios: index block, value numerator / denominator.
        alpha: two-sided error of one claim; m: number of claims in its family (Bonferroni).
        seed: of the percentile bootstrap over blocks, which is shown and never decides.

    Returns: n, estimate, sd_log, interval (1 - alpha), interval_family (1 - alpha/m),
        interval_bootstrap, t, dof, p_value, p_bonferroni, cohen_dz with its noncentral t
        interval, hedges_g, eta_squared. All but n and estimate are None where nothing can be
        tested: fewer than 2 blocks, no variance, or fewer than 3 distinct values in 3 or more.

    Raises ValueError for a ratio that is not a positive finite number.
    """
    values = ratios.to_numpy(dtype=float)
    if not values.size or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError("ratios must be positive finite numbers, one for each block")
    logs, n = np.log(values), values.size
    result: dict = {"n": n, "estimate": math.exp(logs.mean())}
    if not varies(logs):
        return result | dict.fromkeys(_TESTED)
    # pingouin's CI95 is rounded, its cohen_d is d_av and its power uses d_av: take t and p alone.
    # One-sided and doubled: two-sided it integrates a Bayes factor too, for seconds at large t.
    test = pg.ttest(logs, 0, alternative="greater" if logs.mean() > 0 else "less").iloc[0]
    t, p, dof = float(test["T"]), 2 * float(test["p_val"]), n - 1
    sd = float(logs.std(ddof=1))
    dz = t / math.sqrt(n)
    # 12 decimals: compute_bootci rounds to 2 unless told.
    resampled = pg.compute_bootci(
        logs, func="mean", method="per", confidence=1 - alpha, n_boot=resamples, decimals=12,
        seed=seed,
    )  # fmt: skip
    found = (
        sd,
        t_interval(logs, alpha),
        t_interval(logs, alpha / m),
        tuple(np.exp(resampled).tolist()),
        t,
        dof,
        p,
        min(1.0, m * p),
        dz,
        dz_interval(t, n, alpha),
        _small_sample_factor(dof) * dz,
        t**2 / (t**2 + dof),
    )
    return result | dict(zip(_TESTED, found, strict=True))


_TESTED = (
    "sd_log", "interval", "interval_family", "interval_bootstrap", "t", "dof", "p_value",
    "p_bonferroni", "cohen_dz", "cohen_dz_interval", "hedges_g", "eta_squared",
)  # fmt: skip


def varies(logs: np.ndarray) -> bool:
    """Whether log ratios vary enough for a test; constants give t = inf and p = 0 elsewhere."""
    distinct = np.unique(np.round(logs, 12)).size
    return logs.size >= 2 and distinct >= min(logs.size, 3)


def t_interval(logs: np.ndarray, alpha: float) -> Interval:
    """Two-sided 1 - alpha interval of the ratio from the log ratios of at least 2 blocks."""
    half = stats.t.ppf(1 - alpha / 2, logs.size - 1) * logs.std(ddof=1) / math.sqrt(logs.size)
    return math.exp(logs.mean() - half), math.exp(logs.mean() + half)


def dz_interval(t: float, n: int, alpha: float) -> Interval | None:
    """Interval of d_z from the noncentral t distribution; None where it cannot be computed.

    The ends are the noncentralities for which the observed t is the 1 - alpha/2 and alpha/2
    quantile, over sqrt(n) (Cumming & Finch 2001).
    """
    dof = n - 1
    # scipy's nct is NaN far from the root, so the bracket follows the distribution of the sd.
    low, high = sorted(t * np.sqrt(stats.chi2.ppf([1e-9, 1 - 1e-9], dof) / dof))

    def end(probability: float) -> float:
        return optimize.brentq(
            lambda nc: stats.nct.cdf(t, dof, nc) - probability, low - 8, high + 8, xtol=1e-10
        )

    try:
        ends = end(1 - alpha / 2), end(alpha / 2)
    except (ValueError, RuntimeError):
        return None
    return ends[0] / math.sqrt(n), ends[1] / math.sqrt(n)


def _small_sample_factor(dof: int) -> float:
    """Hedges' exact J, by which d is multiplied to give g."""
    return math.exp(special.gammaln(dof / 2) - special.gammaln((dof - 1) / 2)) / math.sqrt(dof / 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given. Raises ValueError for NaN.

    pingouin skips NaN and so shrinks the family.
    """
    if not len(p_values):
        return []
    if not np.all(np.isfinite(p_values)):
        raise ValueError("p values must be finite: a NaN would shrink the family")
    return pg.multicomp(list(p_values), method="holm")[1].tolist()


def containment_power(n: int, sd: float, truth: float, region: Region, alpha: float) -> float:
    """Probability that the 1 - alpha t interval of n blocks lies inside the region.

    Args: sd of the log ratios; truth: the true ratio; region: ratios, None for an open end.
    The normal probability of the mean is integrated over the distribution of the sample sd.
    """
    low, high = log_ends(region)
    s = sd * np.sqrt(stats.chi2.ppf(_QUANTILES, n - 1) / (n - 1))
    half, scale = stats.t.ppf(1 - alpha / 2, n - 1) * s / math.sqrt(n), sd / math.sqrt(n)
    centre = math.log(truth)
    upper = special.ndtr((high - half - centre) / scale)
    lower = special.ndtr((low + half - centre) / scale)
    return float(np.maximum(upper - lower, 0).mean())


def units_to_decide(
    sd: float, truth: float, region: Region, alpha: float, power: float = 0.8, limit: int = 10_000
) -> int | None:
    """Smallest n whose containment power reaches `power`; None where `limit` does not."""

    def enough(n: int) -> bool:
        return containment_power(n, sd, truth, region, alpha) >= power

    if not enough(limit):
        return None
    low, high = 1, limit  # a single block never decides
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def prospective_power(n: int, sd: float, region: Region, sesoi: float, alpha: float) -> dict:
    """Power of n blocks to verify a claim that is true, and the n that has power 0.8.

    The true ratio assumed is the middle of the region on the log scale. At the bound of a
    half-open region power is alpha/2 whatever n is; there it is the bound moved into the region
    by `sesoi`, the smallest ratio of interest.
    """
    low, high = region
    if low is None:
        effect = high / sesoi
    elif high is None:
        effect = low * sesoi
    else:
        effect = math.sqrt(low * high)
    return {
        "effect_assumed": effect,
        "sd_log": sd,
        "power_at_n": containment_power(n, sd, effect, region, alpha),
        "n_required": units_to_decide(sd, effect, region, alpha),
    }


def log_ends(region: Region) -> Interval:
    """Ends of a region of ratios on the log scale, open ends as infinities."""
    low, high = region
    return (
        -math.inf if low is None else math.log(low),
        math.inf if high is None else math.log(high),
    )
