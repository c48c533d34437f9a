"""Is a gain of augmentation (F-4) found at the size of its studies? And one that is not there?

A verdict asks for the interval of an arm's score by that of `none` over seeds, at the level that
the family of F-4 leaves a claim. Both arms of a seed answer the same test items.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from kensho.stats import intervals
from kensho.stats.calibration import characteristics, claim_types
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.scales import RATIO

ALPHA, FAMILY = 0.05, 10  # stochastic claims of the family
REPLICATIONS = 20_000  # that the limits are for


class Accuracy(NamedTuple):
    """Of so many test items a seed the share ``right`` without a gain; of ``discordant`` ones one
    arm alone has the answer right; ``least`` as that of a score."""

    seeds: int
    items: int
    right: float
    discordant: float
    least: float = 0.8

    def __str__(self) -> str:
        return f"{self.seeds} seeds of {self.items} items"

    def simulated(self, ratio: float, size: int, rng: np.random.Generator) -> np.ndarray:
        """Log ratios of the accuracies of two arms: (size, seeds)."""
        gain = self.right * (ratio - 1)
        won, lost = (self.discordant + gain) / 2, (self.discordant - gain) / 2
        both = self.right - lost
        shares = [won, lost, both, 1 - won - lost - both]
        counts = rng.multinomial(self.items, shares, (size, self.seeds))
        return np.log((counts[..., 2] + counts[..., 0]) / (counts[..., 2] + counts[..., 1]))


class Score(NamedTuple):
    """A score of which two arms' log ratios scatter by ``sd`` between seeds; ``least`` is the share
    of studies that are to find a gain of 10 %."""

    seeds: int
    sd: float
    least: float = 0.8

    def __str__(self) -> str:
        return f"{self.seeds} seeds whose log ratios scatter by {self.sd:g}"

    def simulated(self, ratio: float, size: int, rng: np.random.Generator) -> np.ndarray:
        """Log ratios: (size, seeds)."""
        return rng.normal(math.log(ratio), self.sd, (size, self.seeds))


# As the embedded scale observed them (arms EDA and combined over none, 500 originals and 100), and
# rounded to what is harder: log ratios scattered by .05 to .06, .05 to .08, .006 to .008 and .25 to
# .34. Five times 24 translations find no 10 %.
STUDIES: dict[str, Accuracy | Score] = {
    "KeiCO": Accuracy(seeds=20, items=200, right=0.45, discordant=0.3),
    "JNLI": Accuracy(seeds=20, items=48, right=0.65, discordant=0.15),
    "likelihood": Score(seeds=5, sd=0.01),
    "chrF": Score(seeds=5, sd=0.35, least=0.0),
}


def acceptance(replications: int, seed: int) -> pd.DataFrame:
    """Share of studies in which a gain is found, as `characteristics.acceptance`."""
    wider, rows = math.sqrt(max(1, REPLICATIONS / replications)), []
    claimed = Hypothesis(RATIO, (1.05, 1.10), "greater", 1.01)
    rng = np.random.default_rng(seed)
    for name, study in STUDIES.items():
        for gain, low, high in (
            (1.1, study.least - 0.01 * wider, math.inf),
            (1.0, -math.inf, ALPHA + 0.004 * wider),
        ):
            log_ratios = study.simulated(gain, replications, rng)
            fit = claim_types.posterior(intervals.mean(log_ratios, ALPHA / FAMILY))
            verdicts = characteristics.answers(claimed, *fit)
            share = (verdicts["verified"] | verdicts["partial"]).mean()
            subject = f"{name}, true ratio {gain:g}, {study}"
            rows.append(("gain of augmentation found", subject, share, low, high))
    table = pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high"])
    return table.assign(holds=table["value"].between(table["low"], table["high"]))
