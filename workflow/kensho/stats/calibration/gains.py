"""Is a gain of augmentation (F-4) found at the size of its study? And one that is not there?

Both arms of a seed answer the same test items; a verdict asks for the interval of their accuracies'
ratio over seeds, at the level that the family of F-4 leaves a claim.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from kensho.stats import intervals
from kensho.stats.calibration import characteristics, claim_types
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.scales import RATIO

ALPHA, FAMILY = 0.05, 10  # stochastic claims of the family
REPLICATIONS = 20_000  # that the limits are for
SEEDS = 20
ITEMS, ACCURACY = 200, 0.45  # of KeiCO: test items of a seed, share right without a gain
DISCORDANT = 0.3  # of items one arm alone has right: sd .09 of log ratios, the study's own have .05


def acceptance(replications: int, seed: int) -> pd.DataFrame:
    """Share of studies in which a gain is found, as `characteristics.acceptance`."""
    wider, rows = math.sqrt(max(1, REPLICATIONS / replications)), []
    claimed = Hypothesis(RATIO, (1.05, 1.10), "greater", 1.01)
    rng = np.random.default_rng(seed)
    for gain, low, high in (
        (1.1, 0.8 - 0.01 * wider, math.inf),
        (1.0, -math.inf, ALPHA + 0.004 * wider),
    ):
        log_ratios = simulated(gain, (replications, SEEDS), rng)
        fit = claim_types.posterior(intervals.mean(log_ratios, ALPHA / FAMILY))
        verdicts = characteristics.answers(claimed, *fit)
        share = (verdicts["verified"] | verdicts["partial"]).mean()
        subject = f"true ratio {gain:g}, {SEEDS} seeds of {ITEMS} items"
        rows.append(("gain of augmentation found", subject, share, low, high))
    table = pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high"])
    return table.assign(holds=table["value"].between(table["low"], table["high"]))


def simulated(ratio: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Log ratios of the accuracies of two arms over the same items: (replications, seeds)."""
    gain = ACCURACY * (ratio - 1)
    won, lost = (DISCORDANT + gain) / 2, (DISCORDANT - gain) / 2
    both = ACCURACY - lost
    counts = rng.multinomial(ITEMS, [won, lost, both, 1 - won - lost - both], shape)
    return np.log((counts[..., 2] + counts[..., 0]) / (counts[..., 2] + counts[..., 1]))
