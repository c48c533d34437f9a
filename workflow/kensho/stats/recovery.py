"""Before a model that was built for one claim judges, it recovers what was planted.

Data of the same shape (rows, groups, levels) are simulated and both schools must find the truth:
the sampler a contrast that was drawn from the prior, everything else as fitted, and the interval
the contrast as fitted. The first is a short simulation-based calibration: the rank of the truth
among the posterior draws is uniform if likelihood, design and sampler agree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats

from kensho.stats.calibration import sbc
from kensho.stats.intervals import Fit
from kensho.stats.models import Data, Draws, Model, Prior
from kensho.stats.sampling import Sampling, flat, sample

PLANTED = 40  # contrasts that the sampler must find
COVERED = 1000  # data sets whose interval must hold the truth
CHANCE = 0.001  # that a sound check fails
MISSED = 1.5  # times the allowed share of misses, beyond which an interval is refused
_BATCH = 100  # data sets held at once


Interval = Callable[[np.ndarray, float], Fit]


@dataclass(frozen=True)
class Fitted:
    """A model of prepared data, and draws of its parameters given them.

    The draws have no group effects, so that simulated groups are new ones.
    """

    model: Model
    data: Data
    prior: Prior
    draws: Draws

    def some(self, n: int) -> Draws:
        """So many draws, in even steps; some of them repeated where there are fewer."""
        draws = {name: self.draws[name] for name in self.model.parameters}
        size = len(next(iter(draws.values())))
        at = np.linspace(0, size - 1, n).round().astype(int)
        return {name: values[at] for name, values in draws.items()}


def recover(
    fitted: Fitted,
    planted: Sequence[str],
    interval: Interval,
    alphas: Mapping[str, float],
    *,
    seed: int,
) -> dict:
    """Whether planted contrasts are recovered from data of this shape.

    Args:
        planted: parameters that are drawn from the prior for the sampler to find.
        interval: (y (N, rows), alpha) -> intervals of N data sets, working scale.
        alphas: errors of the interval by name.

    Returns: contrasts, ks_p, z2_p (of the ranks); data_sets, covered and limits ({name: share} of
        intervals that held the truth, and the least allowed); failed: None, or the check and its
        figure in words.
    """
    rng = np.random.default_rng(seed)
    ranks = _ranks(fitted, planted, rng)
    (tested,) = sbc.uniformity(ranks, alpha=2 * CHANCE, seed=seed).to_dict("records")
    covered = _covered(fitted, interval, alphas, rng)
    limits = {
        name: 1 - float(stats.binom.ppf(1 - CHANCE, COVERED, MISSED * alpha)) / COVERED
        for name, alpha in alphas.items()
    }
    return {
        "contrasts": PLANTED,
        "ks_p": float(tested["ks_p"]),
        "z2_p": float(tested["z2_p"]),
        "data_sets": COVERED,
        "covered": covered,
        "limits": limits,
        "failed": _failed(tested, covered, limits),
    }


def _failed(tested: Mapping, covered: Mapping, limits: Mapping) -> str | None:
    p = min(tested["ks_p"], tested["z2_p"])
    if not p > CHANCE:
        return (
            f"the sampler did not recover {PLANTED} contrasts planted in data of this shape "
            f"(ranks uniform with p = {p:.1g}, at least {CHANCE:g} needed); register a simpler "
            "formula"
        )
    for name, share in covered.items():
        if not share >= limits[name]:
            return (
                f"the {name} interval held {100 * share:.1f} % of {COVERED} contrasts planted in "
                f"data of this shape (at least {100 * limits[name]:.1f} % needed); observe more "
                "units"
            )
    return None


def _ranks(fitted: Fitted, planted: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Ranks of the planted contrasts as `sbc.uniformity` takes them, by short runs of one chain."""
    model, data, prior = fitted.model, fitted.data, fitted.prior
    truths, anew = fitted.some(PLANTED), model.prior_draws(data, prior, rng, PLANTED)
    truths |= {name: anew[name] for name in planted}
    true = model.estimand(truths, data)
    made = model.replicate(truths, data, rng)
    short = Sampling(4 * sbc.THINNED, tune=300, chains=1, cores=1)

    def estimand(i: int) -> np.ndarray:
        simulated = {**data, **{name: values[i] for name, values in made.items()}}
        trace = sample(model, simulated, short, prior, seed=i)
        values = model.estimand(flat(trace), data)[3::4]
        return np.where(np.isnan(values), -np.inf, values)

    sample(model, data, Sampling(1, tune=1, chains=1, cores=1), prior, seed=0)  # compiles
    posteriors = Parallel(n_jobs=len(os.sched_getaffinity(0)), prefer="threads")(
        delayed(estimand)(i) for i in range(PLANTED)
    )
    ranks = [sbc.rank(t, values, rng) for t, values in zip(true, posteriors, strict=True)]
    return pd.DataFrame({"model": model.name, "quantity": "estimand", "rank": ranks})


def _covered(
    fitted: Fitted, interval: Interval, alphas: Mapping[str, float], rng: np.random.Generator
) -> dict[str, float]:
    model, data, every = fitted.model, fitted.data, fitted.some(COVERED)
    held = {name: 0 for name in alphas}
    for start in range(0, COVERED, _BATCH):
        draws = {name: values[start : start + _BATCH] for name, values in every.items()}
        true, y = model.estimand(draws, data), model.replicate(draws, data, rng)["y"]
        for name, alpha in alphas.items():
            fit = interval(y, alpha)
            held[name] += int(((fit.low <= true) & (true <= fit.high)).sum())
    return {name: count / COVERED for name, count in held.items()}
