"""Pooled claims: how often their interval and the rule err, with and without an effect of the site.

Sites are few, of few units, or of very different sizes on purpose: there a mean weighted by
estimated variances covers too little. A verdict asks the posterior too, and so errs no more often.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd

from kensho.stats import intervals
from kensho.stats.calibration import characteristics, claim_types
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.scales import DIFFERENCE

ALPHA = 0.05
REPLICATIONS = 20_000  # that the limits are for
TRUTH = 0.4  # units have a standard deviation of 1
EFFECTS = (0.0, 0.3, 1.0)  # sd of the sites
OWN = ((10, 40), (3, 3, 3), (5, 100, 5), (10, 20, 30, 40, 50), 10 * (3,), 5 * (10, 40))
SHARED = ((2, 10), (2, 100), (3, 3), (5, 40))  # sites, and the units that all of them observe
NOISE = 0.3  # of a shared unit at one site


def acceptance(replications: int, seed: int) -> pd.DataFrame:
    """Coverage, and wrong verdicts where the truth is an end, as `characteristics.acceptance`.

    The interval may be too wide.
    """
    wider, rows = math.sqrt(max(1, REPLICATIONS / replications)), []
    cases = list(product([*product([_own], OWN), *product([_shared], SHARED)], EFFECTS))
    streams = np.random.SeedSequence(seed).spawn(len(cases))
    for ((observe, design), effect), stream in zip(cases, streams, strict=True):
        subject, fit = observe(design, effect, replications, np.random.default_rng(stream))
        covered = ((fit.low <= TRUTH) & (fit.high >= TRUTH)).mean()
        flat = claim_types.posterior(fit)
        claims = [
            Hypothesis(DIFFERENCE, ends, None, 0.0) for ends in ([TRUTH, None], [None, TRUTH])
        ]
        wrong = max(characteristics.answers(claim, *flat)["verified"].mean() for claim in claims)
        subject += f", site effect {effect:g}"
        rows += [
            ("coverage, pooled", subject, covered, 0.95 - 0.005 * wider, math.inf),
            ("VERIFIED at an end, pooled", subject, wrong, -math.inf, 0.025 + 0.004 * wider),
        ]
    table = pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high"])
    return table.assign(holds=table["value"].between(table["low"], table["high"]))


def _own(
    sizes: tuple[int, ...], effect: float, replications: int, rng: np.random.Generator
) -> tuple[str, intervals.Fit]:
    """Sites with so many units of their own."""
    n, shape = np.array(sizes), (replications, len(sizes))
    mean = rng.normal(TRUTH, np.sqrt(effect**2 + 1 / n), shape)
    se = np.sqrt(rng.chisquare(n - 1, shape) / (n - 1) / n)
    units = "-".join(map(str, sorted({min(sizes), max(sizes)})))
    return f"{len(sizes)} sites of {units} units", intervals.sites(mean, se, ALPHA)


def _shared(
    design: tuple[int, ...], effect: float, replications: int, rng: np.random.Generator
) -> tuple[str, intervals.Fit]:
    """Sites that all observe the same units."""
    k, n = design
    values = TRUTH + effect * rng.standard_normal((replications, k, 1))
    values = values + rng.standard_normal((replications, 1, n))
    values = values + NOISE * rng.standard_normal((replications, k, n))
    return f"{k} sites sharing {n} units", intervals.crossed(values, ALPHA)
