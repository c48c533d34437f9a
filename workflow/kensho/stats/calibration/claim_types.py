"""Claim types whose operating characteristics are told: their sets, and processes of their data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from kensho.stats import davidson, intervals, power
from kensho.stats.evidence.base import AIM_IN_ORDER
from kensho.stats.hypothesis import Direction, Hypothesis
from kensho.stats.scales import DIFFERENCE, DOSE, LEVEL, RATIO, SHARE, Region

ALPHA = 0.05
_FAR = 10.0  # an effect that no data set leaves in doubt

Below = Callable[[float], np.ndarray]  # posterior P(estimand <= x), one for each data set
Observe = Callable[[float, int, int, float, np.random.Generator], tuple[intervals.Fit, Below]]


@dataclass(frozen=True)
class ClaimType:
    """A claim with its registered set and the process that its data come from.

    sd: of one unit, from which the units are planned, `floor` at least, whose interval at `alpha`
        has the power `wanted`.
    observe: simulates that many data sets, truth on the working scale, and gives their intervals
        and posteriors.
    conservative marks compound claims, in_order runs one after the other: their intervals may be
        too wide.
    """

    name: str
    claimed: Hypothesis
    sd: float
    observe: Observe
    floor: int = 10
    alpha: float = ALPHA
    wanted: float = 0.8
    conservative: bool = False
    in_order: bool = False

    @cached_property
    def units(self) -> int:
        """Number of units with the wanted power at the centre."""
        region, centre = self.claimed.scale.ends(self.claimed.region), self._places["centre"]
        units = power.units_to_decide(self.sd, centre, region, self.alpha, self.wanted)
        if units is None:
            raise ValueError(f"{self.name}: no number of units has a power of {self.wanted}")
        return max(units, self.floor)

    def truths(self) -> dict[str, float]:
        """True values on the working scale, no effect only where it is none of the others.

        NaN is a dose curve without an optimum.
        """
        scale, places = self.claimed.scale, self._places
        if scale is LEVEL:
            return places
        null = math.nan if scale.null is None else float(scale.forward(scale.null))
        return places if null in places.values() else places | {"null": null}

    @property
    def _places(self) -> dict[str, float]:
        """Centre, ends, half a margin and a margin outside; the margin of a bound is the SESOI."""
        scale, sesoi = self.claimed.scale, self.claimed.sesoi
        low, high = scale.ends(self.claimed.region)
        if math.isfinite(low) and math.isfinite(high):
            margin = (high - low) / 2
            inside = {"centre": low + margin, "lower": low, "upper": high}
            return inside | {"near": high + margin / 2, "far": high + margin}
        step = math.log(sesoi) if scale is RATIO else sesoi
        end, bound, inwards = ("lower", low, step) if high == math.inf else ("upper", high, -step)
        inside = {"centre": bound + inwards, end: bound}
        return inside | {"near": bound - inwards / 2, "far": bound - inwards}


def _runs(name: str, region: Region, direction: Direction | None, sesoi: float, sd: float):
    """Blocks timed one after the other, independent all the same."""
    claimed, observe = Hypothesis(RATIO, region, direction, sesoi), _blocks(sd, intervals.of_run)
    return ClaimType(name, claimed, sd, observe, wanted=AIM_IN_ORDER, in_order=True)


def posterior(fit: intervals.Fit) -> tuple[intervals.Fit, Below]:
    """The t (or normal) posterior that a flat prior gives."""
    return fit, lambda x: special.stdtr(fit.dof, (x - fit.estimate) / fit.se)


def _blocks(sd: float, interval: Callable = intervals.mean) -> Observe:
    """Normal unit values: log ratios of blocks, differences of tasks."""

    def observe(truth, units, size, alpha, rng):
        return posterior(interval(rng.normal(truth, sd, (size, units)), alpha))

    return observe


def _judge_scores(truth, units, size, alpha, rng):
    """Differences of whole points, -4 to 4, of one item under both arms."""
    points = rng.binomial(8, (truth + 4) / 8, (size, units)) - 4
    return posterior(intervals.mean(points, alpha))


def _paired_items(discordance: float) -> Observe:
    """Items right under only one arm, without clusters."""

    def observe(truth, units, size, alpha, rng):
        a, b = (discordance + truth) / 2, (discordance - truth) / 2
        counts = rng.multinomial(units, [a, b, 1 - discordance], size)
        return posterior(intervals.paired_proportions(counts[:, 0], counts[:, 1], units, alpha))

    return observe


def _clusters(discordance: float, items: int, spread: float) -> Observe:
    """Paired items in clusters, each with its own difference, uniform within +-spread."""

    def observe(truth, units, size, alpha, rng):
        own = truth + rng.uniform(-spread, spread, (size, units))
        discordant = rng.binomial(items, discordance, (size, units))
        wins = rng.binomial(discordant, (1 + own / discordance) / 2)
        return posterior(intervals.mean((2 * wins - discordant) / items, alpha))

    return observe


def _items(truth, units, size, alpha, rng):
    """Independent items right or wrong; Jeffreys' Beta(1/2, 1/2) prior."""
    correct = rng.binomial(units, truth, size)
    fit = intervals.proportion(correct, units, alpha)
    return fit, lambda x: special.betainc(correct + 0.5, units - correct + 0.5, np.clip(x, 0, 1))


def _unpaired_scores(truth, units, size, alpha, rng):
    """Items of their own for each arm, twice as many and less spread in the second."""
    over, under = rng.normal(truth, 1.5, (size, units)), rng.normal(0, 1, (size, 2 * units))
    return posterior(intervals.welch(over, under, alpha))


def _unpaired_items(truth, units, size, alpha, rng):
    right = [rng.binomial(units, p, size) for p in (0.5 + truth, 0.5)]
    return posterior(intervals.unpaired_proportions(right, [units, units], alpha))


def _repeats(truth, units, size, alpha, rng, answers: int = 4):
    """Items answered several times, some nearly always right and some nearly never."""
    own = rng.beta(truth, 1 - truth, (size, units))
    return posterior(intervals.share(rng.binomial(answers, own) / answers, alpha))


def _points(truth, units, size, alpha, rng):
    """Scores in whole points, 0 to 10."""
    return posterior(intervals.mean(rng.binomial(10, truth / 10, (size, units)), alpha))


def _prompts(truth, units, size, alpha, rng):
    """Wins, ties and losses (1, 1/2, 0) of prompts that differ in how often they are won."""
    own = rng.beta(2 * truth, 2 * (1 - truth), (size, units))
    return posterior(intervals.share(rng.binomial(2, own) / 2, alpha))


def _one_order(truth, units, size, alpha, rng, gain: float = 0.08):
    """The same judged once each, first in 45 % of the prompts, where that gains 8 points."""
    first = round(0.45 * units)
    fits = []
    for n, share in ((first, truth + gain), (units - first, truth - gain)):
        own = rng.beta(2 * share, 2 * (1 - share), (size, n))
        fits.append(intervals.share(rng.binomial(2, own) / 2, alpha))
    return posterior(intervals.combined(fits, (0.5, 0.5)))


def _curve(doses: np.ndarray, curvature: float, sd: float) -> Observe:
    """Scores of seeds crossed with doses (log2); no curvature where there is no optimum."""

    def observe(truth, units, size, alpha, rng):
        flat = math.isnan(truth)
        mean = 0 * doses if flat else -curvature * (doses - truth) ** 2
        seeds = rng.normal(0, 1, (size, units, 1))
        y = mean + seeds + rng.normal(0, sd, (size, units, len(doses)))
        return posterior(intervals.peak(doses, y, alpha))

    return observe


def _tasks(k: int, above: int, alike: int, below: int, sd: float) -> Observe:
    """Task means: some above all doubt, some at the truth, some below all doubt."""
    offsets = np.repeat([_FAR, 0, -_FAR], [above, alike, below])

    def observe(truth, units, size, alpha, rng):
        shape = size, len(offsets)
        mean = truth + offsets + rng.normal(0, sd / math.sqrt(units), shape)
        se = sd / math.sqrt(units) * np.sqrt(rng.chisquare(units - 1, shape) / (units - 1))
        return _effects(mean, se, units - 1, k, alpha)

    return observe


def _ranked(gaps_in_doubt: int, sd: float, models: int = 4) -> Observe:
    """Tasks scored for every model; the order holds as far as the smallest adjacent gap."""

    def observe(truth, units, size, alpha, rng):
        gaps = np.full(models - 1, truth)
        gaps[gaps_in_doubt:] += _FAR
        level = np.append(0, -np.cumsum(gaps))
        scores = level + rng.normal(0, sd, (size, units, models))
        between = -np.diff(scores, axis=-1)
        se = between.std(1, ddof=1) / math.sqrt(units)
        return _effects(between.mean(1), se, units - 1, models - 1, alpha)

    return observe


class _Compared:
    """Prompts on which one pair of four models is judged once, every pair and order as often.

    The adjacent gaps are the true win probability as far as they are in doubt, else far above it.
    """

    models, position, log_tie, apart = 4, 0.3, -0.5, 1.5

    def __init__(self, gaps_in_doubt: int) -> None:
        self.gaps_in_doubt = gaps_in_doubt
        self.pairs = [(i, i + 1) for i in range(self.models - 1)]

    def shares(self, truth: float) -> np.ndarray:
        """Probabilities of first, second and outcome: (M, M, 3)."""
        grid = np.linspace(-8, 8, 4001)
        place, tie = np.full_like(grid, self.position), np.full_like(grid, self.log_tie)
        steps = np.full(
            self.models - 1, np.interp(truth, davidson.win_probability(grid, place, tie), grid)
        )
        steps[self.gaps_in_doubt :] += self.apart
        theta = np.append(0, -np.cumsum(steps))
        eta = theta[:, None] - theta + self.position
        each = np.exp(davidson.log_shares(eta, np.array(self.log_tie)))
        return each * (1 - np.eye(self.models))[..., None] / (self.models * (self.models - 1))

    def sd(self, truth: float, prompts: int = 100_000) -> float:
        """Large-sample sd of the smallest win probability of one prompt."""
        fit = davidson.strengths(prompts * self.shares(truth), True)
        _, errors = davidson.gaps(fit, self.pairs)
        return float(errors[0] * truth * (1 - truth) * math.sqrt(prompts))

    def observe(self, truth, units, size, alpha, rng):
        shares = self.shares(truth)
        counts = rng.multinomial(units, shares.ravel(), size).reshape(size, *shares.shape)
        logits, errors = davidson.gaps(davidson.strengths(counts, True), self.pairs)
        dof = units // 2  # each model is on half of the prompts
        fit = davidson.smallest(logits, errors, dof, alpha)

        def below(x: float) -> np.ndarray:
            above = special.stdtr(dof, (logits - special.logit(np.clip(x, 0, 1))) / errors)
            return _fewer(above, len(self.pairs))

        return fit, below


def _effects(mean: np.ndarray, se: np.ndarray, dof: int, k: int, alpha: float):
    """Interval and posterior of the k-th largest effect.

    Effects are independent a posteriori here. Adjacent gaps are not, but where a verdict is
    settled the error of that is of second order.
    """
    fit = intervals.kth_largest(mean, se, dof, k, alpha)
    return fit, lambda x: _fewer(special.stdtr(dof, (mean - x) / se), k)


def _fewer(p: np.ndarray, k: int) -> np.ndarray:
    """Probability that fewer than k of independent events occur; events on the last axis."""
    occurred = np.zeros((*p.shape[:-1], k))
    occurred[..., 0] = 1
    for event in np.moveaxis(p, -1, 0)[..., None]:
        moved = occurred[..., :-1] * event
        occurred *= 1 - event
        occurred[..., 1:] += moved
    return occurred.sum(-1)


def _peak_sd(doses: np.ndarray, peak: float, curvature: float, sd: float) -> float:
    """Large-sample sd of the optimum of one seed (delta method)."""
    x = doses - peak
    powers = np.stack([x - x.mean(), x**2 - np.mean(x**2)])
    return sd * math.sqrt(np.linalg.inv(powers @ powers.T)[0, 0]) / (2 * curvature)


_DOSES = np.log2([500, 1000, 2000, 4000, 8000, 16000])


def claim_types() -> tuple[ClaimType, ...]:
    """Every claim type, with what is realistic for it and the units that its power asks for."""

    def ratio(low: float, high: float, direction: Direction, sesoi: float) -> Hypothesis:
        return Hypothesis(RATIO, (low, high), direction, sesoi)

    def difference(low: float, high: float | None, sesoi: float) -> Hypothesis:
        return Hypothesis(DIFFERENCE, (low, high), "greater", sesoi)

    def share(low: float, high: float, sesoi: float, direction: Direction | None = None):
        return Hypothesis(SHARE, (low, high), direction, sesoi)

    def several(
        name: str, claimed: Hypothesis, sd: float, observe: Observe, alike: int, alpha: float
    ) -> ClaimType:
        # The joint posterior of effects alike asks for more than their intervals: 0.9, not 0.8.
        wanted = 0.9 ** (1 / alike) if alike > 1 else 0.8
        return ClaimType(name, claimed, sd, observe, alpha=alpha, wanted=wanted, conservative=True)

    def tasks(name: str, k: int, above: int, alike: int, below: int) -> ClaimType:
        alpha = ALPHA / (above + alike + below - k + 1)
        observe = _tasks(k, above, alike, below, 0.4)
        return several(name, difference(0.0, None, 0.05), 0.4, observe, k - above, alpha)

    def ranking(name: str, alike: int) -> ClaimType:
        claimed, sd = difference(0.0, None, 0.05), 0.05 * math.sqrt(2)
        return several(name, claimed, sd, _ranked(alike, 0.05), alike, ALPHA)

    def compared(name: str, alike: int) -> ClaimType:
        pairs, claimed = _Compared(alike), Hypothesis(SHARE, (0.5, None), "greater", 0.06)
        return several(name, claimed, pairs.sd(0.56), pairs.observe, alike, ALPHA)

    return (
        ClaimType("paired ratio", ratio(1.78 / 1.05, 1.78 * 1.05, "greater", 1.05), 0.1,
                  _blocks(0.1)),
        _runs("paired times in order", (1.78 / 1.05, 1.78 * 1.05), "greater", 1.05, 0.1),
        _runs("throughput, at least", (1.62, None), "greater", 1.1, 0.2),
        ClaimType("peak memory", ratio(0.45, 0.55, "less", 1.05), 0.01, _blocks(0.01)),
        _runs("equivalence of times", (0.95, 1 / 0.95), None, 1.05, 0.05),
        ClaimType("interval of gains", ratio(1.10, 1.15, "greater", 1.02), 0.03, _blocks(0.03)),
        ClaimType("score difference", Hypothesis(DIFFERENCE, (-0.38, -0.18), "less", 0.05),
                  math.sqrt(2), _judge_scores),
        ClaimType("accuracy difference, items", difference(0.04, 0.10, 0.01),
                  math.sqrt(0.15 - 0.07**2), _paired_items(0.15)),
        ClaimType("accuracy difference, clusters", difference(0.04, 0.14, 0.01),
                  math.sqrt(0.05**2 / 3 + (0.3 - 0.09**2) / 25), _clusters(0.3, 25, 0.05),
                  floor=30),
        ClaimType("accuracy", share(0.75, 0.85, 0.01), 0.4, _items),
        ClaimType("win rate", share(0.82, 0.92, 0.05, "greater"),
                  math.sqrt(2 / 3 * 0.82 * 0.18), _prompts),
        ClaimType("optimal dose",
                  Hypothesis(DOSE, (4000 / math.sqrt(2), 4000 * math.sqrt(2)), None, 1),
                  _peak_sd(_DOSES, math.log2(4000), 0.2, 0.5), _curve(_DOSES, 0.2, 0.5)),
        ClaimType("one task", difference(0.0, None, 0.05), 0.4, _tasks(1, 0, 1, 0, 0.4)),
        tasks("all of 16 tasks, one in doubt", 16, 15, 1, 0),
        tasks("all of 16 tasks, all alike", 16, 0, 16, 0),
        tasks("12 of 16 tasks, 5 in doubt", 12, 11, 5, 0),
        tasks("12 of 16 tasks, 12 alike", 12, 0, 12, 4),
        ClaimType("on average over tasks", difference(0.0, None, 0.04), 0.05, _blocks(0.05)),
        ranking("rank order, one gap in doubt", 1),
        ranking("rank order, all gaps alike", 3),
        ClaimType("score difference, unpaired", difference(0.5, 1.5, 0.2),
                  math.sqrt(1.5**2 + 1 / 2), _unpaired_scores),
        ClaimType("accuracy difference, unpaired", difference(0.05, 0.30, 0.01),
                  math.sqrt(0.675 * 0.325 + 0.5**2), _unpaired_items),
        ClaimType("accuracy, repeated items", share(0.6, 0.7, 0.01),
                  math.sqrt(0.65 * 0.35 * (0.5 + 0.5 / 4)), _repeats),
        ClaimType("mean score", Hypothesis(LEVEL, (6.8, 7.2), None, 0.1),
                  math.sqrt(10 * 0.7 * 0.3), _points),
        ClaimType("win rate, one random order", share(0.55, 0.7, 0.02, "greater"),
                  math.sqrt(2 / 3 * 0.62 * 0.38), _one_order),
        compared("order by comparisons, one gap in doubt", 1),
        compared("order by comparisons, all gaps alike", 3),
    )  # fmt: skip
