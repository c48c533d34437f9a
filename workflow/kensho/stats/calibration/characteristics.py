"""Operating characteristics of the closed-form engine: how often each verdict falls, by the truth.

Data are simulated for every claim type with the true value in the middle of the claimed region, at
its ends, outside it and at no effect; the shipped intervals and the shipped rule answer. The
posterior is the analytic one under a flat prior, so nothing here waits for a sampler.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from kensho.claims.model import Verdict
from kensho.stats import davidson, decision, intervals, power
from kensho.stats.evidence.base import AIM_IN_ORDER
from kensho.stats.scales import DIFFERENCE, DOSE, LEVEL, RATIO, SHARE, Region, Scale

ALPHA = 0.05
FAMILY = 12
REPLICATIONS = 20_000
_BATCH = 500  # replications held in memory at once
_FAR = 10.0  # an effect that no data set leaves in doubt

Below = Callable[[float], np.ndarray]  # posterior P(estimand <= x), one for each data set
Observe = Callable[[float, int, int, float, np.random.Generator], tuple[intervals.Fit, Below]]


@dataclass(frozen=True)
class Design:
    """A claim type with its registered set and the process that its data come from.

    `observe(truth, units, data_sets, alpha, rng)` simulates that many data sets, truth on the
    working scale, and gives their intervals and posteriors. `planned` is the number of units with
    power 0.8 at the centre. `conservative` marks compound claims, `in_order` runs one after the
    other: their intervals may be too wide.
    """

    name: str
    scale: Scale
    region: Region
    direction: str | None
    sesoi: float
    planned: int
    observe: Observe
    conservative: bool = False
    in_order: bool = False

    def truths(self) -> dict[str, float]:
        """True values on the working scale, no effect only where it is none of the others.

        NaN is a dose curve without an optimum.
        """
        places = _places(self.scale, self.region, self.sesoi)
        if self.scale is LEVEL:
            return places
        null = math.nan if self.scale.null is None else float(self.scale.forward(self.scale.null))
        return places if null in places.values() else places | {"null": null}


def _places(scale: Scale, region: Region, sesoi: float) -> dict[str, float]:
    """Centre, ends, and half a margin and a margin outside; the margin of a bound is the SESOI."""
    low, high = scale.ends(region)
    if math.isfinite(low) and math.isfinite(high):
        margin = (high - low) / 2
        inside = {"centre": low + margin, "lower": low, "upper": high}
        return inside | {"near": high + margin / 2, "far": high + margin}
    step = math.log(sesoi) if scale is RATIO else sesoi
    end, bound, inwards = ("lower", low, step) if high == math.inf else ("upper", high, -step)
    inside = {"centre": bound + inwards, end: bound}
    return inside | {"near": bound - inwards / 2, "far": bound - inwards}


def _design(
    name: str,
    scale: Scale,
    region: Region,
    direction: str | None,
    sesoi: float,
    sd: float,
    observe: Observe,
    *,
    floor: int = 10,
    alpha: float = ALPHA,
    wanted: float = 0.8,
    conservative: bool = False,
    in_order: bool = False,
) -> Design:
    centre = _places(scale, region, sesoi)["centre"]
    units = power.units_to_decide(sd, centre, *scale.ends(region), alpha, wanted)
    return Design(
        name, scale, region, direction, sesoi, max(units, floor), observe, conservative, in_order
    )


def _runs(name: str, region: Region, direction: str | None, sesoi: float, sd: float) -> Design:
    """Blocks timed one after the other, independent all the same."""
    wanted, observe = AIM_IN_ORDER, _blocks(sd, intervals.of_run)
    return _design(
        name, RATIO, region, direction, sesoi, sd, observe, wanted=wanted, in_order=True
    )  # fmt: skip


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
        each = np.exp(davidson.log_shares(eta, self.log_tie))
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


def designs() -> tuple[Design, ...]:
    """Every claim type, with what is realistic for it and the units that its power asks for."""
    bound = [0.0, None]

    def several(name: str, sesoi: float, sd: float, observe: Observe, alike: int, alpha: float):
        # The joint posterior of effects alike asks for more than their intervals: 0.9, not 0.8.
        wanted = 0.9 ** (1 / alike) if alike > 1 else 0.8
        return _design(
            name, DIFFERENCE, bound, "greater", sesoi, sd, observe, alpha=alpha, wanted=wanted,
            conservative=True,
        )  # fmt: skip

    def tasks(name: str, k: int, above: int, alike: int, below: int) -> Design:
        alpha = ALPHA / (above + alike + below - k + 1)
        observe = _tasks(k, above, alike, below, 0.4)
        return several(name, 0.05, 0.4, observe, k - above, alpha)

    def ranking(name: str, alike: int) -> Design:
        return several(name, 0.05, 0.05 * math.sqrt(2), _ranked(alike, 0.05), alike, ALPHA)

    def compared(name: str, alike: int) -> Design:
        pairs = _Compared(alike)
        wanted = 0.9 ** (1 / alike) if alike > 1 else 0.8
        return _design(
            name, SHARE, [0.5, None], "greater", 0.06, pairs.sd(0.56), pairs.observe,
            wanted=wanted, conservative=True,
        )  # fmt: skip

    return (
        _design("paired ratio", RATIO, [1.78 / 1.05, 1.78 * 1.05], "greater", 1.05, 0.1,
                _blocks(0.1)),
        _runs("paired times in order", [1.78 / 1.05, 1.78 * 1.05], "greater", 1.05, 0.1),
        _runs("throughput, at least", [1.62, None], "greater", 1.1, 0.2),
        _design("peak memory", RATIO, [0.45, 0.55], "less", 1.05, 0.01, _blocks(0.01)),
        _runs("equivalence of times", [0.95, 1 / 0.95], None, 1.05, 0.05),
        _design("interval of gains", RATIO, [1.10, 1.15], "greater", 1.02, 0.03,
                _blocks(0.03)),
        _design("score difference", DIFFERENCE, [-0.38, -0.18], "less", 0.05, math.sqrt(2),
                _judge_scores),
        _design("accuracy difference, items", DIFFERENCE, [0.04, 0.10], "greater", 0.01,
                math.sqrt(0.15 - 0.07**2), _paired_items(0.15)),
        _design("accuracy difference, clusters", DIFFERENCE, [0.04, 0.14], "greater", 0.01,
                math.sqrt(0.05**2 / 3 + (0.3 - 0.09**2) / 25), _clusters(0.3, 25, 0.05),
                floor=30),
        _design("accuracy", SHARE, [0.75, 0.85], None, 0.01, 0.4, _items),
        _design("win rate", SHARE, [0.82, 0.92], "greater", 0.05, math.sqrt(2 / 3 * 0.82 * 0.18),
                _prompts),
        _design("optimal dose", DOSE, [4000 / math.sqrt(2), 4000 * math.sqrt(2)], None, 1,
                _peak_sd(_DOSES, math.log2(4000), 0.2, 0.5), _curve(_DOSES, 0.2, 0.5)),
        _design("one task", DIFFERENCE, bound, "greater", 0.05, 0.4, _tasks(1, 0, 1, 0, 0.4)),
        tasks("all of 16 tasks, one in doubt", 16, 15, 1, 0),
        tasks("all of 16 tasks, all alike", 16, 0, 16, 0),
        tasks("12 of 16 tasks, 5 in doubt", 12, 11, 5, 0),
        tasks("12 of 16 tasks, 12 alike", 12, 0, 12, 4),
        _design("on average over tasks", DIFFERENCE, bound, "greater", 0.04, 0.05, _blocks(0.05)),
        ranking("rank order, one gap in doubt", 1),
        ranking("rank order, all gaps alike", 3),
        _design("score difference, unpaired", DIFFERENCE, [0.5, 1.5], "greater", 0.2,
                math.sqrt(1.5**2 + 1 / 2), _unpaired_scores),
        _design("accuracy difference, unpaired", DIFFERENCE, [0.05, 0.30], "greater", 0.01,
                math.sqrt(0.675 * 0.325 + 0.5**2), _unpaired_items),
        _design("accuracy, repeated items", SHARE, [0.6, 0.7], None, 0.01,
                math.sqrt(0.65 * 0.35 * (0.5 + 0.5 / 4)), _repeats),
        _design("mean score", LEVEL, [6.8, 7.2], None, 0.1, math.sqrt(10 * 0.7 * 0.3), _points),
        _design("win rate, one random order", SHARE, [0.55, 0.7], "greater", 0.02,
                math.sqrt(2 / 3 * 0.62 * 0.38), _one_order),
        compared("order by comparisons, one gap in doubt", 1),
        compared("order by comparisons, all gaps alike", 3),
    )  # fmt: skip


def run(replications: int = REPLICATIONS, seed: int = 0) -> pd.DataFrame:
    """Shares of verdicts for every claim type and truth, and of families with a wrong verdict.

    Returns columns claim_type, truth, n (planned units; half and twice as many at the centre
    too), replications, coverage (of the 1 - alpha interval), verified, partial, failed,
    inconclusive, excluded (FAILED, or PARTIAL because the magnitude is excluded) and wrong: at an
    end verified or excluded, inside excluded, outside verified. In the rows of a family n is its
    number of claims, coverage that of all its intervals together, and the others say that any of
    its claims got such a verdict at alpha / n.
    """
    rows, claim_types = [], designs()
    streams = iter(np.random.SeedSequence(seed).spawn(1000))
    for design in claim_types:
        for truth, value in design.truths().items():
            n = design.planned
            for units in sorted({max(2, n // 2), n, 2 * n}) if truth == "centre" else [n]:
                said = simulate(design, value, units, replications, next(streams))
                rows.append({"claim_type": design.name, "truth": truth, "n": units} | shares(said))
    simple = [design for design in claim_types if not design.conservative][:FAMILY]
    for name, members in (("12 paired ratios", simple[:1] * FAMILY), ("12 claim types", simple)):
        claims = [
            simulate(d, d.truths()["lower"], d.planned, replications, next(streams), ALPHA / FAMILY)
            for d in members
        ]
        said = {key: np.any([c[key] for c in claims], axis=0) for key in claims[0]}
        said["coverage"] = np.all([c["coverage"] for c in claims], axis=0)
        rows.append({"claim_type": name, "truth": "family", "n": FAMILY} | shares(said))
    return pd.DataFrame(rows)


def simulate(
    design: Design,
    truth: float,
    units: int,
    replications: int,
    stream: np.random.SeedSequence,
    alpha: float = ALPHA,
) -> dict[str, np.ndarray]:
    """What the engine says of each simulated data set: boolean arrays, one entry each."""
    rng, parts = np.random.default_rng(stream), []
    for start in range(0, replications, _BATCH):
        size = min(_BATCH, replications - start)
        with np.errstate(invalid="ignore", divide="ignore"):  # a constant sample settles nothing
            fit, below = design.observe(truth, units, size, alpha, rng)
            covered = (fit.low <= truth) & (truth <= fit.high)
            covered = covered.astype(float) if truth == truth else np.full(size, math.nan)
            registered = design.scale, design.region, design.direction, design.sesoi
            parts.append(answers(*registered, fit, below) | {"coverage": covered})
    said = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    low, high = design.scale.ends(design.region)
    inside, outside = low < truth < high, not low <= truth <= high
    wrong = (said["verified"] & (not inside)) | (said["excluded"] & (not outside))
    return said | {"wrong": wrong}


def answers(
    scale: Scale,
    region: Region,
    direction: str | None,
    sesoi: float,
    fit: intervals.Fit,
    below: Below,
) -> dict[str, np.ndarray]:
    """The shipped rule on many fits at once: a boolean array for each verdict, and excluded."""
    beyond = math.inf, -math.inf
    if direction is not None and scale.null is not None:
        beyond = scale.ends(scale.beyond(direction, sesoi))
    with np.errstate(over="ignore", invalid="ignore"):
        columns = (
            scale.back(fit.low),
            scale.back(fit.high),
            _mass(below, *scale.ends(region)),
            _mass(below, *beyond),
        )
    found = [
        decision.settle(ends, region, direction, sesoi, None, p_region, (), p_direction, scale)
        for *ends, p_region, p_direction in zip(*(c.tolist() for c in columns), strict=True)
    ]
    verdicts = np.array([verdict for verdict, _ in found])
    said = {verdict.lower(): verdicts == verdict for verdict in _VERDICTS}
    magnitude = np.array([reason == "MAGNITUDE" for _, reason in found])
    return said | {"excluded": said["failed"] | magnitude}


_VERDICTS = (Verdict.VERIFIED, Verdict.PARTIAL, Verdict.FAILED, Verdict.INCONCLUSIVE)


def _mass(below: Below, low: float, high: float) -> np.ndarray:
    """Posterior probability between two points; negative where low lies above high."""
    return below(high) - below(low)


def shares(said: dict[str, np.ndarray]) -> dict[str, float]:
    columns = ("coverage", *(v.lower() for v in _VERDICTS), "excluded", "wrong")
    return {"replications": said["wrong"].size} | {key: said[key].mean() for key in columns}


def acceptance(table: pd.DataFrame) -> pd.DataFrame:
    """What the table of `run` must keep: check, subject, value, low, high, holds.

    The limits are for 20,000 replications; for fewer they widen with the square root.
    """
    by_name = {design.name: design for design in designs()}
    wider = math.sqrt(max(1, REPLICATIONS / table["replications"].min()))
    rows = []

    def check(what: str, row, key: str, aim: float, below: float, above: float) -> None:
        value, low, high = getattr(row, key), aim - wider * below, aim + wider * above
        subject = f"{row.claim_type}, {row.truth}"
        rows.append((what, subject, value, low, high, bool(low <= value <= high)))

    for row in table.itertuples():
        if row.truth == "family":
            check("family-wise error", row, "wrong", 0.05, math.inf, 0.005)
            continue
        design = by_name[row.claim_type]
        if row.n != design.planned:
            continue
        if not math.isnan(design.truths()[row.truth]):
            above = math.inf if design.conservative or design.in_order else 0.005
            check("coverage", row, "coverage", 0.95, 0.005, above)
        if row.truth in ("lower", "upper"):
            check("VERIFIED at an end", row, "verified", 0.025, math.inf, 0.004)
            check("excluded at an end", row, "excluded", 0.025, math.inf, 0.004)
        else:
            check("wrong verdict", row, "wrong", 0.025, math.inf, 0.004)
        if row.truth == "centre":
            check("power at planned n", row, "verified", 0.8, 0.01, math.inf)
    centre = table[table["truth"] == "centre"].sort_values("n")
    for name, group in centre.groupby("claim_type", sort=False):
        step, low = group["verified"].diff().min(), -0.01 * wider
        subject = f"{name}, {', '.join(map(str, group['n']))} units"
        rows.append(("power grows with n", subject, step, low, math.inf, bool(step >= low)))
    return pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high", "holds"])
