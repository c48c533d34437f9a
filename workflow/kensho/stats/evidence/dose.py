"""The optimum of a dose curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

from kensho.claims import designs
from kensho.stats import frequentist, intervals
from kensho.stats.evidence.base import Evidence, named, specification
from kensho.stats.scales import DOSE
from kensho.stats.units import Tables, grid


def dose_optimum(test: designs.DoseOptimum, reading: None, tables: Tables, seed: int) -> Evidence:
    """Dose at the top of a quadratic in log2 dose with an effect of each seed (a block).

    An optimum counts only if the curve is concave and its top beats both ends of the range by
    more than the smallest effect of interest.
    """
    arms = sorted(test.doses, key=lambda arm: test.doses[arm])
    table = grid([s for a in arms for s in test.sides if s.arm == a], tables, test.experiment)
    x = np.log2([test.doses[arm] for arm in arms])
    y = table.to_numpy()  # seeds x doses
    best = table.columns[y.argmax(axis=1)]
    seeds, doses = y.shape
    enough = seeds >= 2 and frequentist.varies((y - y.mean(1, keepdims=True)).ravel())
    fit = intervals.peak(x, y, 0.05) if enough else None
    return Evidence(
        scale=DOSE,
        units=table.idxmax(axis=1).map(test.doses).rename("dose"),
        interval=(lambda alpha: _peak_in_range(x, y, alpha)) if enough else None,
        n=seeds,
        sd=float(fit.se * np.sqrt(seeds)) if fit and np.isfinite(fit.low) else float("nan"),
        model="dose",
        data={
            "x": np.tile(x, seeds),
            "seed": np.repeat(np.arange(seeds), doses),
            "y": y.ravel(),
        },
        frequentist=_anova(table) if enough and seeds > 2 else {},
        prior=test.prior,
        estimand=lambda draws, data: peak_with_gain(draws, data, test.sesoi / y.std()),
        aim=0.85,
        rival=("flat curve", {"curvature": 1e-6}),
        specifications=lambda alpha: _alternatives(x, y, alpha),
        shown={"grid_argmax": {str(arm): int((best == arm).sum()) for arm in arms}},
    )


def _peak_in_range(x: np.ndarray, y: np.ndarray, alpha: float) -> intervals.Fit:
    """The fit; its estimate is NaN where the curve has no top, or none among the doses."""
    fit = intervals.peak(x, y, alpha)
    top = np.isfinite(fit.low) and x.min() <= fit.estimate <= x.max()
    return fit if top else fit._replace(estimate=np.nan)


def peak_with_gain(
    draws: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], sesoi: float
) -> np.ndarray:
    """Draws of the peak; NaN where the curve is not concave or gains too little over an end.

    The model's curvature, and so `sesoi`, are in units of the scores' standard deviation.
    """
    peak, curvature, x = draws["peak"], draws["c"], data["x"]
    nearest_end = np.minimum(peak - x.min(), x.max() - peak)
    return np.where(curvature * nearest_end**2 > sesoi, peak, np.nan)


def _anova(table) -> dict:
    long = table.rename_axis(index="seed", columns="dose").stack().rename("score").reset_index()
    anova = frequentist.rm_anova(long, dv="score", within="dose", subject="seed")["dose"]
    return {
        "p_value": anova["p_gg"],
        "eta_squared": anova["ng2"],
        "tests": [named("repeated-measures ANOVA over doses", anova)],
    }


def _alternatives(x: np.ndarray, y: np.ndarray, alpha: float) -> list[dict]:
    """The lowest or the highest dose left out, and ranks within a seed in place of scores."""
    fits = {
        "without the lowest dose": intervals.peak(x[1:], y[:, 1:], alpha),
        "without the highest dose": intervals.peak(x[:-1], y[:, :-1], alpha),
        "ranks within a seed": intervals.peak(x, rankdata(y, axis=1), alpha),
    }
    return [specification(k, *np.exp2(np.array(fit[:3], float))) for k, fit in fits.items()]
