"""The decision rule: numbers in, a verdict, a reason code and one sentence out.

A claim says that an estimand lies in a region of its scale. The interval handed in is the one that
decides, at 1 - alpha over the size of the family. Reason codes:

    HOLDS          inside the region
    EXCLUDED       outside it, and not an effect of the claimed order
    MAGNITUDE      outside it, but an effect in the claimed direction within a factor of two
    TIER_MAGNITUDE the same on evidence below the required tier
    UNDECIDED      neither confirmed nor excluded (PARTIAL if the direction is established)
    READINGS       only some readings of a deterministic claim hold
    SCHOOLS        interval and posterior disagree
    PRIORS         the posterior answer depends on the prior
    GATE           a check of the sampler or of the model failed
    UNITS          too few paired units
    CONSTANT       too little variation between units for a test: not tested
    UNDEFINED      the observations give no such quantity, a ratio to zero for one: not tested
    REHEARSAL      twins ran on a few rows, which say nothing of any claim: not tested
    TIER           holds, at a weaker evidence tier than the claim needs
    TIER_EXCLUDED  excluded, at a weaker evidence tier than the claim needs
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kensho.claims.model import Tier, Verdict
from kensho.digits import as_written, significant, telling
from kensho.stats.hypothesis import Hypothesis, Rule
from kensho.stats.scales import Interval, Number, Region

_WHOLLY = 0.975  # posterior probability that settles a question under the primary prior
_LARGELY = 0.95  # and under each sensitivity prior

Decision = tuple[Verdict, str, str]  # verdict, reason code, sentence


@dataclass(frozen=True)
class Result:
    """What the evidence says of an estimand, on the claim's scale.

    interval: at `level`, the one that decides; None where nothing could be tested, for `constant`
        says what does not vary.
    p_region, p_region_sensitivity: posterior probability of the region under the primary and the
        other priors; p_direction: of the effects in the direction. NaN settles nothing.
    failed: gates of the sampler and the model that did not hold, one sentence each.
    n_required: units with a power of 0.8 if the claim is true.
    """

    tier: Tier
    n_units: int
    estimate: float
    interval: Interval | None
    p_region: float = math.nan
    p_region_sensitivity: Sequence[float] = ()
    p_direction: float | None = None
    failed: Sequence[str] = ()
    constant: str = "the units do not vary"
    level: str = "95 %"
    n_required: int | None = None


def settle(
    hypothesis: Hypothesis,
    interval: Interval,
    p_region: float,
    p_region_sensitivity: Sequence[float],
    p_direction: float | None,
) -> tuple[Verdict, str]:
    """The rule itself, for evidence at the claim's scope that has passed its gates.

    An effect is established when the interval and 0.975 of the posterior (`p_direction`) lie beyond
    the smallest effect of interest. Arguments as in `Result`.
    """
    moved = contained(interval, hypothesis.effects) and (p_direction or 0) >= _WHOLLY
    answer, reason = _schools(interval, hypothesis.region, p_region, p_region_sensitivity)
    if answer == "inside":
        return Verdict.VERIFIED, reason
    if answer == "outside":
        if moved and _near(interval, hypothesis, hypothesis.region):
            return Verdict.PARTIAL, "MAGNITUDE"
        return Verdict.FAILED, reason
    return Verdict.PARTIAL if moved else Verdict.INCONCLUSIVE, reason


def by_interval(hypothesis: Hypothesis, interval: Interval) -> tuple[Verdict, str]:
    """The verdict that an interval alone would give, for the alternative analyses."""
    inside = float(contained(interval, hypothesis.region))
    return settle(hypothesis, interval, inside, (), 1.0)


def decide(rule: Rule, result: Result) -> Decision:
    """Verdict on an estimand with uncertainty: `settle` behind the gates and under the tier."""
    interval, estimate = result.interval, result.estimate
    if result.n_units < rule.min_units:
        verdict, reason = Verdict.INCONCLUSIVE, "UNITS"
    elif interval is None:
        verdict, reason = Verdict.NOT_TESTED, "CONSTANT"
    elif result.failed:
        verdict, reason = Verdict.INCONCLUSIVE, "GATE"
    else:
        verdict, reason = settle(
            rule, interval, result.p_region, result.p_region_sensitivity, result.p_direction
        )
    verdict, reason = cap(verdict, reason, result.tier, rule.required_tier)
    shown = number(estimate) if math.isfinite(estimate) else "no estimate"
    if interval is not None and math.isfinite(estimate) and all(map(math.isfinite, interval)):
        edges = [*rule.region, *rule.effects]
        decimals = telling([estimate, *interval], edges, _decimals(*interval))
        low, high = (number(end, decimals) for end in interval)
        shown = f"{number(estimate, decimals)} ({result.level} interval {low} to {high})"
    if reason == "UNITS":
        answer = f"{result.n_units} units are too few, {rule.min_units} are needed"
    elif reason == "CONSTANT":
        answer = f"No verdict: {result.constant}, so nothing can be tested"
    elif reason == "GATE":
        answer = f"No verdict: {'; '.join(result.failed)}"
    else:
        answer = _answer(verdict, reason, rule)
        required = result.n_required or 0
        if reason in ("UNDECIDED", "SCHOOLS", "PRIORS") and required > result.n_units:
            answer += f"; if the claim is true, {required} units would show it with power 0.8"
    sentence = f"{_capital(rule.quantity)}: {shown}. {answer}{_tier_note(result.tier, rule)}."
    return verdict, reason, sentence


def decide_deterministic(
    rule: Rule, readings: Sequence[tuple[str, Fraction, Fraction]], tier: Tier
) -> Decision:
    """Verdict on exact ratios: one (label, lowest, highest) for each reading of the claim."""
    region = exact_region(rule.region)
    holding = [row for row in readings if contained(row[1:], region)]
    others = [row for row in readings if row not in holding]
    interval = readings[0][1:]  # the best reading may not be picked
    moved = contained(interval, rule.effects) and not interval[0] <= 1 <= interval[1]
    if not others:
        verdict, reason = Verdict.VERIFIED, "HOLDS"
    elif holding:
        verdict, reason = Verdict.PARTIAL, "READINGS"
    elif moved and _near(interval, rule, region):
        verdict, reason = Verdict.PARTIAL, "MAGNITUDE"
    else:
        verdict, reason = Verdict.FAILED, "EXCLUDED"
    verdict, reason = cap(verdict, reason, tier, rule.required_tier)
    if reason == "READINGS":
        shown = rule.quantity
        answer = (
            f"The claimed {region_words(rule.region)} holds for {len(holding)} of {len(readings)} "
            f"readings: {_listed(holding, region)}; not for {_listed(others, region)}"
        )
    else:
        shown = f"{rule.quantity}: {_listed(readings[:1], region)}"
        answer = _answer(verdict, reason, rule)
        if readings[1:]:
            shown += f"; other readings: {_listed(readings[1:], region)}"
    return verdict, reason, f"{_capital(shown)}. {answer}{_tier_note(tier, rule)}."


def cap(verdict: Verdict, reason: str, tier: Tier, required_tier: Tier) -> tuple[Verdict, str]:
    """What evidence below the required tier can say: it neither verifies nor refutes a claim."""
    if Tier.rank(tier) <= Tier.rank(required_tier):
        return verdict, reason
    if verdict == Verdict.VERIFIED:
        return Verdict.PARTIAL, "TIER"
    if verdict == Verdict.FAILED:
        return Verdict.INCONCLUSIVE, "TIER_EXCLUDED"
    if reason == "MAGNITUDE":
        return verdict, "TIER_MAGNITUDE"
    return verdict, reason


def contained(interval: Sequence[Number], region: Sequence[Number | None]) -> bool:
    """Whether the interval lies in the region; a NaN does not."""
    low, high = region
    return bool((low is None or interval[0] >= low) and (high is None or interval[1] <= high))


def disjoint(interval: Sequence[Number], region: Sequence[Number | None]) -> bool:
    """Whether the interval has no point in the region; a NaN does not count as none."""
    low, high = region
    return bool(
        (low is not None and interval[1] < low) or (high is not None and interval[0] > high)
    )


def exact_region(region: Region) -> tuple[Fraction | None, Fraction | None]:
    """The region's ends as the decimals that were written, so that 0.05 is 1/20."""
    low, high = (None if end is None else Fraction(repr(end)) for end in region)
    return low, high


def schools_agree(interval: Interval, region: Region, p_region: float) -> bool:
    """Whether interval and posterior answer alike: inside, outside or neither."""
    inside, outside = contained(interval, region), disjoint(interval, region)
    return inside == (p_region >= _WHOLLY) and outside == (1 - p_region >= _WHOLLY)


def _schools(
    interval: Interval, region: Region, p_region: float, sensitivity: Sequence[float]
) -> tuple[str | None, str]:
    """What interval, posterior and all priors say together: inside, outside or nothing."""
    for answer, by_interval, p, others in (
        ("inside", contained(interval, region), p_region, list(sensitivity)),
        ("outside", disjoint(interval, region), 1 - p_region, [1 - q for q in sensitivity]),
    ):
        if by_interval and not p >= _WHOLLY:
            return None, "SCHOOLS"
        if by_interval and not all(q >= _LARGELY for q in others):
            return None, "PRIORS"
        if by_interval:
            return answer, "HOLDS" if answer == "inside" else "EXCLUDED"
    return None, "UNDECIDED"


def _near(
    interval: Sequence[Number], hypothesis: Hypothesis, region: Sequence[Number | None]
) -> bool:
    """Whether the interval of (effect / claimed effect) has a point in [0.5, 2].

    The effect is what the claim's words are about: of a ratio the ratio, of a gain the distance
    from 1, of a difference the difference, of a win rate the distance from 1/2.
    """
    value, scale = hypothesis.claimed_value, hypothesis.scale
    low, high = (
        None if end is None else scale.effect(end) for end in ((value, value) if value else region)
    )
    lowest, highest = (scale.effect(end) for end in interval)
    if scale.from_null and hypothesis.direction == "less":  # effects as amounts in the direction
        low, high = (None if end is None else -end for end in (high, low))
        lowest, highest = -highest, -lowest
    return not ((low is not None and highest < low / 2) or (high is not None and lowest > 2 * high))


def _answer(verdict: Verdict, reason: str, rule: Rule) -> str:
    """What a reason code says of the claim."""
    claimed, scope = f"the claimed {region_words(rule.region)}", rule.scope or "another system"
    real = "the effect in the claimed direction is real, but " if verdict == Verdict.PARTIAL else ""
    return _capital(
        {
            "UNDECIDED": f"{real}whether {claimed} holds cannot be told from these data",
            "SCHOOLS": f"{real}interval and posterior disagree about {claimed}",
            "PRIORS": f"{real}what is said about {claimed} depends on the prior",
            "HOLDS": f"{claimed} holds",
            "EXCLUDED": f"{claimed} is excluded",
            "MAGNITUDE": f"the effect is real in the claimed direction and within a factor of two, "
            f"but {claimed} is excluded",
            "TIER_MAGNITUDE": "the effect is real in the claimed direction; at this scale "
            f"{claimed} is excluded, but the claim speaks of {scope}",
            "TIER": f"{claimed} holds at this scale, but the claim speaks of {scope}",
            "TIER_EXCLUDED": f"at this scale {claimed} is excluded, but the claim speaks of "
            f"{scope}; evidence at that tier would decide",
        }[reason]
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _tier_note(tier: Tier, rule: Rule) -> str:
    if Tier.rank(tier) <= Tier.rank(rule.required_tier):
        return ""
    return f" (evidence tier {tier}, {rule.required_tier} needed)"


def region_words(region: Region) -> str:
    """A region in words, as registered: `0.05 to 0.13`, `at least 0.95`, `at most 0.25`."""
    low, high = region
    if low is not None and high is not None:
        return f"{as_written(low)} to {as_written(high)}"
    if low is not None:
        return f"at least {as_written(low)}"
    if high is not None:
        return f"at most {as_written(high)}"
    raise ValueError("a region has at least one end")


def number(value: Number, decimals: int | None = None, edges: Sequence[Number | None] = ()) -> str:
    """So many decimals, or four significant digits and what tells the value from the edges."""
    value = float(value)
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    text = f"{value:,.{telling([value], edges, significant(value, 4))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(low: float, high: float) -> int:
    """Decimals that show two digits of the width of an interval."""
    return min(significant(high - low, 2), 9)


def _listed(
    readings: Sequence[tuple[str, Fraction, Fraction]],
    region: Sequence[Number | None],
    most: int = 3,
) -> str:
    """Readings with their values; of more than ``most`` only their number and range."""

    def between(low: Fraction, high: Fraction) -> str:
        return f"{number(low, edges=region)} to {number(high, edges=region)}"

    if len(readings) > most:
        low, high = min(row[1] for row in readings), max(row[2] for row in readings)
        return f"{len(readings)} readings from {between(low, high)}"
    return "; ".join(
        f"{label} {number(low, edges=region) if low == high else between(low, high)}"
        for label, low, high in readings
    )
