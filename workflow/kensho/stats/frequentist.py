"""One adaptor of pingouin's tests: plain numbers in a dict, none rounded, no row dropped unsaid.

Values are those of units (blocks, prompts, clusters) on the working scale: log ratios, differences.
A figure that the data cannot give, a test of constants for one, is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pingouin as pg
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from kensho.stats import intervals
from kensho.stats.scales import Interval

_PAIRED = (
    "sd", "t", "dof", "p_value", "interval", "interval_bootstrap", "cohen_dz",
    "cohen_dz_interval", "hedges_g", "cohen_d_av", "eta_squared",
)  # fmt: skip
_RM = ("F", "dof_effect", "dof_error", "p_value", "p_gg", "epsilon", "ng2", "np2")


def paired(
    values: ArrayLike,
    alpha: float,
    *,
    sides: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    resamples: int = 5000,
) -> dict:
    """Mean of paired unit values and the two-sided t test against 0.

    Args:
        values: (n,) differences of the two sides on the working scale.
        sides: both sides (n,) on that scale, for d_av.
        seed: of the percentile bootstrap, which is shown and never decides.

    Returns: n, mean, sd, t, dof, p_value, interval (1 - alpha), interval_bootstrap, cohen_dz with
        its noncentral t interval, hedges_g (d_z times the exact J), cohen_d_av (mean over the
        root of the mean variance of the sides), eta_squared. All but n and mean are None where
        the values do not vary.
    """
    values = _finite(values)
    n, mean = values.size, float(values.mean())
    result = {"n": n, "mean": mean}
    if not varies(values):
        return result | dict.fromkeys(_PAIRED)
    t, dof, p = _t_test(values)
    fit = intervals.mean(values, alpha)
    dz = t / math.sqrt(n)
    d_av = mean / math.sqrt(np.var(sides, axis=1, ddof=1).mean()) if sides is not None else None
    # Hedges' J
    small = math.exp(special.gammaln(dof / 2) - special.gammaln((dof - 1) / 2)) / math.sqrt(dof / 2)
    figures = (
        float(values.std(ddof=1)),
        t,
        dof,
        p,
        (float(fit.low), float(fit.high)),
        bootstrap_interval(values, alpha, seed, resamples),
        dz,
        dz_interval(t, n, alpha),
        small * dz,
        d_av,
        t**2 / (t**2 + dof),
    )
    return result | dict(zip(_PAIRED, figures, strict=True))


def varies(values: np.ndarray, distinct: int = 3) -> bool:
    """Whether values vary enough for a test; constants give t = inf and p = 0 elsewhere."""
    different = np.unique(np.round(values / _size(values), 12)).size  # float noise is no variation
    return values.size >= 2 and different >= min(values.size, distinct)


def bootstrap_interval(
    values: np.ndarray, alpha: float, seed: int, resamples: int = 5000
) -> Interval:
    """Percentile interval of the mean over resampled units (Efron & Tibshirani 1993, ch. 13).

    Of more than 20,000 units fewer resamples are taken, 500 at least, so that it costs no more:
    the mean of so many is normal, and the interval is shown and never decides.
    """
    rng, n = np.random.default_rng(seed), values.size
    resamples = min(resamples, max(500, 20_000 * resamples // n))
    means = [values[rng.integers(0, n, n)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2]).tolist()
    return low, high


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


def welch(over: ArrayLike, under: ArrayLike, alpha: float) -> dict:
    """Difference of the means of independent units: estimate, statistic, dof, p_value, interval."""
    x, y = _finite(over), _finite(under)
    estimate = float(x.mean() - y.mean())
    if not (varies(x, 2) and varies(y, 2)):  # answers are right or wrong
        return {"estimate": estimate, **_test(), "interval": None}
    t, dof, p = _t_test(x, y, correction=True)
    se = math.sqrt(sum(v.var(ddof=1) / v.size for v in (x, y)))
    half = float(stats.t.ppf(1 - alpha / 2, dof)) * se  # pingouin rounds its interval
    ends = (estimate - half, estimate + half)
    return {"estimate": estimate, **_test(t, dof, p), "interval": ends}


def mann_whitney(over: ArrayLike, under: ArrayLike) -> dict:
    """Mann-Whitney's U of independent units: statistic (of `over`) and two-sided p_value."""
    test = stats.mannwhitneyu(_finite(over), _finite(under))
    return _test(float(test.statistic), None, float(test.pvalue))


def fisher(right: Iterable[int], items: Iterable[int]) -> dict:
    """Fisher's exact test of two proportions: statistic (odds ratio, None if infinite), p_value."""
    test = stats.fisher_exact([[k, n - k] for k, n in zip(right, items, strict=True)])
    return _test(_plain([test.statistic])[0], None, float(test.pvalue))


def tost(values: ArrayLike, low: float, high: float) -> dict:
    """Two one-sided t tests that the mean lies in (low, high); +-inf for an open end.

    Bounds need not be symmetric (Schuirmann 1987). Returns statistic and p_value of the weaker
    test, and dof.
    """
    values = _finite(values)
    if not varies(values):
        return _test()
    tests = []
    for bound, alternative in ((low, "greater"), (high, "less")):
        if math.isfinite(bound):
            row = pg.ttest(values, float(bound), alternative=alternative).iloc[0]
            tests.append((float(row["p_val"]), float(row["T"])))
    if not tests:
        raise ValueError("a test of equivalence needs at least one finite bound")
    p, t = max(tests)
    return _test(t, values.size - 1, p)


def wilcoxon(values: ArrayLike) -> dict:
    """Wilcoxon's signed-rank test against 0: statistic W+, p_value, and the zeros it leaves out.

    Exact up to 50 units without ties and zeros, else the corrected normal approximation.
    """
    values = _finite(values)
    kept = values[values != 0]
    if not kept.size:
        return {**_test(), "zeros": values.size}
    ranks = stats.rankdata(np.abs(kept))
    exact = kept.size == values.size <= 50 and np.unique(ranks).size == kept.size
    p = pg.wilcoxon(values, method="exact" if exact else "asymptotic")["p_val"].iloc[0]
    return {
        # pingouin gives the smaller rank sum whatever the sign
        **_test(float(ranks[kept > 0].sum()), None, float(p)),
        "zeros": values.size - kept.size,
    }


def mcnemar(only_a: int, only_b: int) -> dict:
    """Exact McNemar test of discordant pairs: statistic (pairs that only A has right), p_value."""
    if min(only_a, only_b) < 0 or only_a != int(only_a) or only_b != int(only_b):
        raise ValueError(f"discordant pairs are counts, not {only_a} and {only_b}")
    only_a, pairs = int(only_a), int(only_a + only_b)
    return _test(only_a, None, float(stats.binomtest(only_a, pairs).pvalue) if pairs else 1.0)


def anova(table: pd.DataFrame, dv: str, between: str) -> dict:
    """One-way analysis of variance of independent rows: F, dof_effect, dof_error, p_value, np2."""
    data, scores = _coded(table, dv, [between])
    residuals = scores - data.groupby("factor_0")["score"].transform("mean").to_numpy()
    keys = ("F", "dof_effect", "dof_error", "p_value", "np2")
    if not varies(residuals / _size(scores)):
        return dict.fromkeys(keys)
    row = pg.anova(data, dv="score", between="factor_0", effsize="np2").iloc[0]
    return dict(zip(keys, _plain(row[["F", "ddof1", "ddof2", "p_unc", "np2"]]), strict=True))


def rm_anova(
    table: pd.DataFrame, dv: str, within: str | Sequence[str], subject: str
) -> dict[str, dict]:
    """Repeated measures analysis of variance with one or two factors within subjects.

    Every subject needs one row in every cell. Returns for each effect ("a", "b", "a * b"): F,
    dof_effect, dof_error, p_value (uncorrected), p_gg (Greenhouse & Geisser 1959), epsilon,
    ng2 (generalised eta squared, Olejnik & Algina 2003) and np2 (partial).
    """
    factors = [within] if isinstance(within, str) else list(within)
    effects = factors if len(factors) == 1 else [*factors, " * ".join(factors)]
    data, scores = _coded(table, dv, factors, subject)
    centred = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    if not varies((centred / _size(scores)).ravel()):
        return {effect: dict.fromkeys(_RM) for effect in effects}
    codes = [f"factor_{i}" for i in range(len(factors))]
    # correction="auto" leaves Greenhouse & Geisser's p out wherever Mauchly's test sees nothing.
    by_effect = pg.rm_anova(
        data,
        dv="score",
        within=codes if len(codes) == 2 else codes[0],
        subject="subject",
        correction=True,
        effsize="ng2",
    )
    return {
        effect: _rm_row(row) for effect, (_, row) in zip(effects, by_effect.iterrows(), strict=True)
    }


def _rm_row(row: pd.Series) -> dict:
    f, effect, error, p, epsilon, ng2 = _plain(row[["F", "ddof1", "ddof2", "p_unc", "eps", "ng2"]])
    (p_gg,) = _plain([row.get("p_GG_corr", p)])  # absent with two levels
    np2 = None
    if f is not None and effect is not None and error is not None:
        np2 = f * effect / (f * effect + error)
    return dict(zip(_RM, (f, effect, error, p, p_gg, epsilon, ng2, np2), strict=True))


def friedman(table: pd.DataFrame, dv: str, within: str, subject: str) -> dict:
    """Friedman's rank test: statistic (chi squared, tie-corrected), dof, p_value, kendall_w."""
    data, scores = _coded(table, dv, [within], subject)
    if np.all(scores == scores[:, :1]):
        return {**_test(), "kendall_w": None}
    row = pg.friedman(data, dv="score", within="factor_0", subject="subject").iloc[0]
    return {**_test(*_plain(row[["Q", "ddof1", "p_unc"]])), "kendall_w": float(row["W"])}


def bonferroni(p_value: float, m: int) -> float:
    """Bonferroni's adjusted p value in a family of m."""
    if not (0 <= p_value <= 1 and m >= 1):
        raise ValueError(f"p must be between 0 and 1 in a family of at least 1: {p_value}, {m}")
    return min(1.0, m * p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given. Raises ValueError for NaN.

    pingouin skips NaN and so shrinks the family.
    """
    if not len(p_values):
        return []
    if not np.all(np.isfinite(p_values)):
        raise ValueError("p values must be finite: a NaN would shrink the family")
    return pg.multicomp(list(p_values), method="holm")[1].tolist()


def _finite(observed: ArrayLike) -> np.ndarray:
    values = np.asarray(observed, dtype=float)
    bad = np.flatnonzero(~np.isfinite(values))
    if not values.size:
        raise ValueError("there are no unit values")
    if bad.size:
        raise ValueError(
            f"unit value {bad[0] + 1} of {values.size} is {values[bad[0]]}: each must be a finite "
            "number; measure it again, or leave the unit out and say so"
        )
    return values


def _t_test(x: np.ndarray, y: np.ndarray | float = 0.0, **options: bool) -> tuple:
    """t, dof and two-sided p. pingouin's cohen_d is d_av and its power uses it: not taken.

    One-sided and doubled: two-sided it integrates a Bayes factor too, for seconds at large t.
    """
    alternative = "greater" if np.mean(x) > np.mean(y) else "less"
    row = pg.ttest(x, y, alternative=alternative, **options).iloc[0]
    return float(row["T"]), float(row["dof"]), min(1.0, 2 * float(row["p_val"]))


def _test(
    statistic: float | None = None, dof: float | None = None, p_value: float | None = None
) -> dict:
    return {"statistic": statistic, "dof": dof, "p_value": p_value}


def _plain(values: Sequence[float]) -> list[float | None]:
    """Plain floats, None for NaN and infinities."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _size(scores: np.ndarray) -> float:
    return max(1.0, float(np.abs(scores).max(initial=0)))


def _coded(
    table: pd.DataFrame, dv: str, factors: Sequence[str], subject: str | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns renamed and levels numbered, since names and labels can collide in pingouin.

    With a subject also the scores, subjects x cells: each subject once in each cell, or
    ValueError. pingouin averages replicates and drops subjects with a gap.
    """
    keys = list(factors) if subject is None else [subject, *factors]
    if gone := [column for column in (dv, *keys) if column not in table]:
        raise ValueError(f"the table has no column {gone[0]!r}; it has {', '.join(table)}")
    scores = pd.to_numeric(table[dv], errors="coerce").to_numpy(dtype=float)
    bad = np.flatnonzero(~np.isfinite(scores) | table[keys].isna().any(axis=1).to_numpy())
    if bad.size:
        row = _named([*keys, dv], table.iloc[bad[0]][[*keys, dv]])
        raise ValueError(f"row {bad[0] + 1} is incomplete or no finite number: {row}")
    if low := [key for key in keys if table[key].nunique() < 2]:
        raise ValueError(f"column {low[0]!r} needs at least two different values")
    data = pd.DataFrame({"score": scores})
    names = ["subject"] * (subject is not None) + [f"factor_{i}" for i in range(len(factors))]
    for name, key in zip(names, keys, strict=True):
        data[name] = pd.factorize(table[key])[0]
    if subject is None:
        return data, scores
    if (twice := table.duplicated(keys)).any():
        raise ValueError(f"{_named(keys, table.loc[twice, keys].iloc[0])} stands there twice")
    cells = pd.MultiIndex.from_product([table[key].unique() for key in keys])
    if len(gaps := cells.difference(pd.MultiIndex.from_frame(table[keys]))):
        raise ValueError(
            f"{_named(keys, gaps[0])} is missing: leave the {subject} out or fill the gap"
        )
    return data, data.sort_values(names)["score"].to_numpy().reshape(table[subject].nunique(), -1)


def _named(keys: Sequence[str], values: Sequence) -> str:
    return ", ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True))
