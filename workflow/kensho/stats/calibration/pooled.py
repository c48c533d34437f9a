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
SIZES = ((10, 40), (3, 3, 3), (5, 100, 5), (10, 20, 30, 40, 50), 10 * (3,), 5 * (10, 40))


def acceptance(replications: int, seed: int) -> pd.DataFrame:
    """Coverage, and wrong verdicts where the truth is an end, as `characteristics.acceptance`.

    The interval may be too wide.
    """
    wider, rows = math.sqrt(max(1, REPLICATIONS / replications)), []
    cases = list(product(SIZES, EFFECTS))
    streams = np.random.SeedSequence(seed).spawn(len(cases))
    for (sizes, effect), stream in zip(cases, streams, strict=True):
        covered, wrong = _errors(sizes, effect, replications, np.random.default_rng(stream))
        units = "-".join(map(str, sorted({min(sizes), max(sizes)})))
        subject = f"{len(sizes)} sites of {units} units, site effect {effect:g}"
        rows += [
            ("coverage, pooled", subject, covered, 0.95 - 0.005 * wider, math.inf),
            ("VERIFIED at an end, pooled", subject, wrong, -math.inf, 0.025 + 0.004 * wider),
        ]
    table = pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high"])
    return table.assign(holds=table["value"].between(table["low"], table["high"]))


def _errors(
    sizes: tuple[int, ...], effect: float, replications: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Shares of data sets covered, and VERIFIED by the worse of both ends."""
    n, shape = np.array(sizes), (replications, len(sizes))
    mean = rng.normal(TRUTH, np.sqrt(effect**2 + 1 / n), shape)
    se = np.sqrt(rng.chisquare(n - 1, shape) / (n - 1) / n)
    fit = intervals.sites(mean, se, ALPHA)
    flat = claim_types.posterior(fit)
    verified = [
        characteristics.answers(Hypothesis(DIFFERENCE, region, None, 0.0), *flat)["verified"].mean()
        for region in ([TRUTH, None], [None, TRUTH])
    ]
    return ((fit.low <= TRUTH) & (fit.high >= TRUTH)).mean(), max(verified)
