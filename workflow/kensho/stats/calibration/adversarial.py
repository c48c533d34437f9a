"""Bad data: how often the closed-form engine verifies a claim that is just not true.

The true value lies just outside the claimed region, so that every VERIFIED is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kensho.claims.base import Reading, Side
from kensho.claims.designs import PairedRatio
from kensho.claims.model import Tier, Verdict
from kensho.stats import decision, evidence, frequentist, intervals
from kensho.stats.calibration.characteristics import answers
from kensho.stats.calibration.claim_types import ALPHA, posterior
from kensho.stats.hypothesis import Hypothesis, Rule
from kensho.stats.scales import DIFFERENCE, RATIO, SHARE, Region, Scale

REPLICATIONS = 2000
_OUTSIDE = 0.01  # of the margin: the true value's distance from the region

Sample = Callable[[float, int, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Case:
    """Unit values that break an assumption: `sample(truth, units, data_sets, rng)`.

    `fit` is the interval that ships for such a claim: `of_run` for runs of a program one after the
    other, whose autocorrelation is a gate besides.
    """

    name: str
    scale: Scale
    region: Region
    units: int
    sample: Sample
    fit: Callable[[np.ndarray, float], intervals.Fit] = intervals.mean

    @property
    def in_order(self) -> bool:
        return self.fit is intervals.of_run


def _autoregressive(shape: tuple[int, ...], rho: float, rng: np.random.Generator) -> np.ndarray:
    """Stationary AR(1) along the last axis, variance 1."""
    x = rng.normal(0, 1, shape)
    for i in range(1, shape[-1]):
        x[..., i] = rho * x[..., i - 1] + math.sqrt(1 - rho**2) * x[..., i]
    return x


def _processes(spread: float, rho: float, iterations: int = 20, sd: float = 0.03) -> Sample:
    """Both arms once in every block; the unit is the difference of the processes' means."""

    def sample(truth, units, size, rng):
        noise = sd * _autoregressive((size, units, 2, iterations), rho, rng)
        process = noise.mean(-1) + rng.normal(0, spread, (size, units, 2))
        return truth + process[..., 0] - process[..., 1]

    return sample


def _dependent_blocks(truth, units, size, rng):
    return truth + 0.03 * _autoregressive((size, units), 0.6, rng)


def _drift(truth, units, size, rng, total: float = 0.06, sd: float = 0.02):
    """All runs grow slower by 6 % over the session; a coin says which arm of a pair is first."""
    coin = rng.choice([-1, 1], (size, units))
    return truth + coin * total / (2 * units) + rng.normal(0, sd, (size, units))


def _outliers(truth, units, size, rng, sd: float = 0.03):
    """One time in fifty is five times as long, in either arm."""
    slow = math.log(5) * (rng.random((size, units, 2)) < 0.02)
    times = rng.normal(0, sd, (size, units, 2)) + slow
    return truth + times[..., 0] - times[..., 1]


def _paired_ceiling(truth, units, size, rng, accuracy: float = 0.98):
    """Right minus wrong of items nearly all of which both arms get right: -1, 0 or 1."""
    right = rng.random((size, units, 2)) < [accuracy, accuracy - truth]
    return right[..., 0].astype(int) - right[..., 1]


def _paired_items(values: np.ndarray, alpha: float) -> intervals.Fit:
    wins, losses = (values == 1).sum(-1), (values == -1).sum(-1)
    return intervals.paired_proportions(wins, losses, values.shape[-1], alpha)


def _right(truth, units, size, rng):
    return (rng.random((size, units)) < truth).astype(int)


def _items(values: np.ndarray, alpha: float) -> intervals.Fit:
    return intervals.proportion(values.sum(-1), values.shape[-1], alpha)


def _cluster_shares(truth, units, size, rng, items: int = 20):
    """Accuracies of clusters that differ in how hard they are."""
    return rng.binomial(items, rng.beta(20 * truth, 20 * (1 - truth), (size, units))) / items


def _few_clusters(truth, units, size, rng, items: int = 20, discordance: float = 0.3):
    own = truth + rng.uniform(-0.1, 0.1, (size, units))
    discordant = rng.binomial(items, discordance, (size, units))
    return (2 * rng.binomial(discordant, (1 + own / discordance) / 2) - discordant) / items


_SPEED = (1.70, 1.86)
CASES = (
    Case("AR(1) 0.6 between iterations", RATIO, _SPEED, 10, _processes(0.0, 0.6), intervals.of_run),
    Case("process effects", RATIO, _SPEED, 10, _processes(0.03, 0.6), intervals.of_run),
    Case("AR(1) 0.6 between 10 blocks", RATIO, _SPEED, 10, _dependent_blocks, intervals.of_run),
    Case("AR(1) 0.6 between 40 blocks", RATIO, _SPEED, 40, _dependent_blocks, intervals.of_run),
    Case("drift of 6 %, random order", RATIO, _SPEED, 10, _drift, intervals.of_run),
    Case("outliers", RATIO, _SPEED, 20, _outliers, intervals.of_run),
    Case("ceiling, paired items", DIFFERENCE, [-0.015, 0.015], 500, _paired_ceiling, _paired_items),
    Case("ceiling, accuracy", SHARE, [0.94, 0.98], 400, _right, _items),
    Case(
        "ceiling, accuracy of clusters", SHARE, [0.94, 0.98], 40, _cluster_shares, intervals.share
    ),
    Case("5 clusters", DIFFERENCE, [-0.1, 0.1], 5, _few_clusters),
    Case("AR(1) 0.6 between 20 blocks", RATIO, _SPEED, 20, _dependent_blocks, intervals.of_run),
)


def run(replications: int = REPLICATIONS, seed: int = 0) -> pd.DataFrame:
    """Columns case, truth, n, replications, wrong_verified, gated, limit, holds.

    `gated` is the share of data sets that a check withheld from any verdict. The limit of
    wrong_verified is 0.035 for 2,000 replications, for fewer it widens with the square root; of
    tables that no verdict can rest on it is 0.
    """
    streams = iter(np.random.SeedSequence(seed).spawn(100))
    limit = 0.025 + 0.01 * math.sqrt(max(1, REPLICATIONS / replications))
    rows = []
    for case in CASES:
        for end, (region, truth) in _just_outside(case).items():
            shares = _verified(case, region, truth, replications, next(streams))
            rows.append((case.name, end, case.units, replications, *shares, limit))
    few = min(replications, 20)  # whole tables take longer, and chance plays no part
    for name, (units, tables) in FAULTS.items():
        rng = np.random.default_rng(next(streams))
        withheld = np.mean([_withheld(tables(rng)) for _ in range(few)])
        rows.append((name, "inside", units, few, float(1 - withheld), float(withheld), 0.0))
    columns = ["case", "truth", "n", "replications", "wrong_verified", "gated", "limit"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(holds=table["wrong_verified"] <= table["limit"])


def _just_outside(case: Case) -> dict[str, tuple[Region, float]]:
    """A bound to either side of the region's ends, and the truth that barely misses it."""
    low, high = case.scale.ends(case.region)
    step = _OUTSIDE * (high - low) / 2
    return {
        "below": ([case.region[0], None], low - step),
        "above": ([None, case.region[1]], high + step),
    }


def _verified(
    case: Case, region: Region, truth: float, replications: int, stream: np.random.SeedSequence
) -> tuple[float, float]:
    """Shares of data sets VERIFIED, and withheld from a verdict by a check of their units."""
    values = case.sample(truth, case.units, replications, np.random.default_rng(stream))
    fits = case.fit(values, ALPHA)
    with np.errstate(invalid="ignore", divide="ignore"):
        claimed = Hypothesis(case.scale, region, None, 0)
        verified = answers(claimed, *posterior(fits))["verified"]
    gated = np.zeros(replications, dtype=bool)
    if case.fit in (intervals.mean, intervals.of_run):
        gated |= ~np.array([frequentist.varies(row) for row in values])
    if case.in_order:
        gated |= intervals.autocorrelated(values)
    return float((verified & ~gated).mean()), float(gated.mean())


def _table(arm: str, seconds: Sequence[float]) -> pd.DataFrame:
    rows = {"metric": "seconds", "block": [f"b{i:02d}" for i in range(len(seconds))]}
    return pd.DataFrame(rows | {"replicate": 0, "value": seconds, "unit": "s"})


def _blocks(n: int, sd: float) -> Callable[[np.random.Generator], dict[str, pd.DataFrame]]:
    def tables(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
        over, under = np.exp(rng.normal(0, sd, (2, n))) * [[1.78], [1.0]]
        return {"slow": _table("slow", over), "quick": _table("quick", under)}

    return tables


def _without_partner(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    tables = _blocks(12, 0.01)(rng)
    lost = rng.integers(12)
    return tables | {"quick": tables["quick"].drop(index=lost)}


FAULTS = {
    "a pair without its partner": (12, _without_partner),
    "constants": (12, _blocks(12, 0.0)),
    "2 blocks": (2, _blocks(2, 0.001)),
}


def _withheld(tables: dict[str, pd.DataFrame]) -> bool:
    """Whether tables of a claim that is true are refused, or leave it without a verdict."""
    slow, quick = (Side(arm=arm, metric="seconds") for arm in ("slow", "quick"))
    reading = Reading(label="speed", numerator=slow, denominator=quick)
    test = PairedRatio(
        design="paired_log_ratio", experiment="speed", readings=[reading], region=[*_SPEED],
        sesoi=1.05,
    )  # fmt: skip
    try:
        speed = evidence.gather(test, reading, tables, 0)
    except ValueError:
        return True
    interval = None
    if speed.interval is not None:
        fit = speed.interval(ALPHA)
        interval = float(RATIO.back(fit.low)), float(RATIO.back(fit.high))
    rule = Rule(RATIO, test.region, None, test.sesoi, min_units=test.needed_units)
    result = decision.Result(Tier.AT_SCOPE, speed.n, 1.78, interval, p_region=1.0)
    verdict, *_ = decision.decide(rule, result)
    return verdict in (Verdict.NOT_TESTED, Verdict.INCONCLUSIVE)
