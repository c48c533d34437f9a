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
    TIER           holds, at a weaker evidence tier than the claim needs
    TIER_EXCLUDED  excluded, at a weaker evidence tier than the claim needs
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from kensho.claims.designs import Test
from kensho.claims.model import Tier, Verdict
from kensho.digits import as_written, significant, telling
from kensho.stats.scales import RATIO, Interval, Region, Scale

_WHOLLY = 0.975  # posterior probability that settles a question under the primary prior
_LARGELY = 0.95  # and under each sensitivity prior

Decision = tuple[Verdict, str, str]


def settle(
    interval: Interval,
    region: Region,
    direction: str | None,
    sesoi: float,
    claimed_value: float | None,
    p_region: float,
    p_region_sensitivity: Sequence[float],
    p_direction: float | None,
    scale: Scale = RATIO,
) -> tuple[Verdict, str]:
    """The rule itself, for evidence at the claim's scope that has passed its gates.

    Args:
        interval: of the estimand, on the claim's scale like everything else.
        region: claimed set, None for an open end.
        direction: "less", "greater" or None (equivalence); an effect is established when the
            interval and 0.975 of the posterior (`p_direction`) lie beyond `sesoi` that way.
        claimed_value: of a point claim; None for an interval or a bound, from whose nearest end
            a miss is measured instead.
        p_region, p_region_sensitivity: posterior probability of the region under the primary and
            the other priors. NaN settles nothing.
    """
    moved = contained(interval, scale.beyond(direction, sesoi)) and (p_direction or 0) >= _WHOLLY
    answer, reason = _schools(interval, region, p_region, p_region_sensitivity)
    if answer == "inside":
        return Verdict.VERIFIED, reason
    if answer == "outside":
        if moved and _near(interval, region, claimed_value, direction, scale):
            return Verdict.PARTIAL, "MAGNITUDE"
        return Verdict.FAILED, reason
    return Verdict.PARTIAL if moved else Verdict.INCONCLUSIVE, reason


def by_interval(
    interval: Interval,
    test: Test,
    claimed_value: float | None,
    tier: Tier,
    required_tier: Tier,
    scale: Scale = RATIO,
) -> tuple[Verdict, str]:
    """The verdict that an interval alone would give, for the alternative analyses."""
    inside = contained(interval, test.region)
    verdict, reason = settle(
        interval, test.region, test.direction, test.sesoi, claimed_value, float(inside), [], 1.0,
        scale,
    )  # fmt: skip
    return cap(verdict, reason, tier, required_tier)


def decide(
    interval: Interval | None,
    region: Region,
    direction: str | None,
    sesoi: float,
    claimed_value: float | None,
    p_region: float,
    p_region_sensitivity: Sequence[float],
    gates_ok: bool,
    n_units: int,
    min_units: int,
    tier: Tier,
    required_tier: Tier,
    *,
    p_direction: float | None,
    estimate: float,
    scale: Scale = RATIO,
    quantity: str = "ratio",
    level: str = "95 %",
    n_required: int | None = None,
    scope: str = "",
    where: str = "the units",
) -> Decision:
    """Verdict on an estimand with uncertainty: `settle` behind the gates and under the tier.

    Args beyond those of `settle`:
        interval: None where nothing could be tested.
        tier, required_tier: of the evidence, and the weakest that can verify or refute.
        estimate, quantity, level, n_required, scope, where: for the sentence only.
    """
    if n_units < min_units:
        verdict, reason = Verdict.INCONCLUSIVE, "UNITS"
    elif interval is None:
        verdict, reason = Verdict.NOT_TESTED, "CONSTANT"
    elif not gates_ok:
        verdict, reason = Verdict.INCONCLUSIVE, "GATE"
    else:
        verdict, reason = settle(
            interval, region, direction, sesoi, claimed_value, p_region, p_region_sensitivity,
            p_direction, scale,
        )  # fmt: skip
    verdict, reason = cap(verdict, reason, tier, required_tier)
    shown = number(estimate) if math.isfinite(estimate) else "no estimate"
    if interval is not None and math.isfinite(estimate) and all(map(math.isfinite, interval)):
        edges = [*region, *scale.beyond(direction, sesoi)]
        decimals = telling([estimate, *interval], edges, _decimals(*interval))
        low, high = (number(end, decimals) for end in interval)
        shown = f"{number(estimate, decimals)} ({level} interval {low} to {high})"
    said = _said(verdict, reason, region, scope)
    if reason == "UNITS":
        said = f"{n_units} units are too few, {min_units} are needed"
    elif reason == "CONSTANT":
        said = f"No verdict: {where} do not vary, so nothing can be tested"
    elif reason in ("UNDECIDED", "SCHOOLS", "PRIORS") and (n_required or 0) > n_units:
        said += f"; if the claim is true, {n_required} units would show it with power 0.8"
    quantity = quantity[:1].upper() + quantity[1:]
    return verdict, reason, f"{quantity}: {shown}. {said}{_tier_note(reason, tier, required_tier)}."


def decide_deterministic(
    readings: Sequence[tuple[str, Fraction, Fraction]],
    region: Region,
    direction: str | None,
    claimed_value: float | None,
    tier: Tier,
    required_tier: Tier,
    *,
    quantity: str = "ratio",
    scope: str = "",
) -> Decision:
    """Verdict on exact ratios: one (label, lowest, highest) for each reading of the claim."""
    bounds = exact_region(region)
    holding = [row for row in readings if contained(row[1:], bounds)]
    others = [row for row in readings if row not in holding]
    registered = readings[0][1:]  # the best reading may not be picked
    near = contained(registered, RATIO.beyond(direction, 1)) and _near(
        registered, bounds, claimed_value, direction, RATIO
    )
    if not others:
        verdict, reason = Verdict.VERIFIED, "HOLDS"
    elif holding:
        verdict, reason = Verdict.PARTIAL, "READINGS"
    elif near:
        verdict, reason = Verdict.PARTIAL, "MAGNITUDE"
    else:
        verdict, reason = Verdict.FAILED, "EXCLUDED"
    verdict, reason = cap(verdict, reason, tier, required_tier)
    said = _said(verdict, reason, region, scope)
    if reason == "READINGS":
        said = (
            f"The claimed {region_words(region)} holds for {len(holding)} of {len(readings)} "
            f"readings: {_listed(holding, bounds)}; not for {_listed(others, bounds)}"
        )
        shown = quantity
    else:
        shown = f"{quantity}: {_listed(readings[:1], bounds)}"
        if readings[1:]:
            shown += f"; other readings: {_listed(readings[1:], bounds)}"
    shown = shown[:1].upper() + shown[1:]
    return verdict, reason, f"{shown}. {said}{_tier_note(reason, tier, required_tier)}."


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


def contained(interval: Sequence, region: Region) -> bool:
    """Whether the interval lies in the region; a NaN does not."""
    low, high = region
    return bool((low is None or interval[0] >= low) and (high is None or interval[1] <= high))


def disjoint(interval: Sequence, region: Region) -> bool:
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
    for answer, said, p, others in (
        ("inside", contained(interval, region), p_region, list(sensitivity)),
        ("outside", disjoint(interval, region), 1 - p_region, [1 - q for q in sensitivity]),
    ):
        if said and not p >= _WHOLLY:
            return None, "SCHOOLS"
        if said and not all(q >= _LARGELY for q in others):
            return None, "PRIORS"
        if said:
            return answer, "HOLDS" if answer == "inside" else "EXCLUDED"
    return None, "UNDECIDED"


def _near(
    interval: Sequence,
    region: Region,
    claimed_value: float | None,
    direction: str | None,
    scale: Scale,
) -> bool:
    """Whether the interval of (effect / claimed effect) has a point in [0.5, 2]."""
    ends = (claimed_value, claimed_value) if claimed_value else region
    low, high = (None if end is None else scale.effect(end) for end in ends)
    found = [scale.effect(end) for end in interval]
    if scale.name != "ratio" and direction == "less":  # effects as amounts in the direction
        low, high = (None if end is None else -end for end in (high, low))
        found = [-end for end in reversed(found)]
    return not (
        (low is not None and found[1] < low / 2) or (high is not None and found[0] > 2 * high)
    )


def _said(verdict: Verdict, reason: str, region: Region, scope: str) -> str:
    claimed, scope = f"the claimed {region_words(region)}", scope or "another system"
    undecided = {
        "UNDECIDED": f"whether {claimed} holds cannot be told from these data",
        "SCHOOLS": f"interval and posterior disagree about {claimed}",
        "PRIORS": f"what is said about {claimed} depends on the prior",
    }
    if reason in undecided:
        real = verdict == Verdict.PARTIAL
        text = ("the effect in the claimed direction is real, but " if real else "") + undecided[
            reason
        ]
    else:
        text = {
            "HOLDS": f"{claimed} holds",
            "EXCLUDED": f"{claimed} is excluded",
            "MAGNITUDE": f"the effect is real in the claimed direction and within a factor of two, "
            f"but {claimed} is excluded",
            "TIER_MAGNITUDE": "the effect is real in the claimed direction; at this scale "
            f"{claimed} is excluded, but the claim speaks of {scope}",
            "TIER": f"{claimed} holds at this scale, but the claim speaks of {scope}",
            "TIER_EXCLUDED": f"at this scale {claimed} is excluded, but the claim speaks of "
            f"{scope}; evidence at that tier would decide",
            "GATE": "no verdict: a check of the sampler or of the model failed (see diagnostics)",
        }.get(reason, "")
    return text[:1].upper() + text[1:]


def _tier_note(reason: str, tier: Tier, required_tier: Tier) -> str:
    if Tier.rank(tier) <= Tier.rank(required_tier):
        return ""
    return f" (evidence tier {tier}, {required_tier} needed)"


def region_words(region: Region) -> str:
    """A region in words, as registered: `0.05 to 0.13`, `at least 0.95`, `at most 0.25`."""
    low, high = region
    if low is None or high is None:
        return f"at least {as_written(low)}" if high is None else f"at most {as_written(high)}"
    return f"{as_written(low)} to {as_written(high)}"


def number(
    value: float | Fraction, decimals: int | None = None, edges: Sequence[float | None] = ()
) -> str:
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
    readings: Sequence[tuple[str, Fraction, Fraction]], region: Region, most: int = 3
) -> str:
    """Readings with their values; of more than ``most`` only their number and range."""

    def between(low: Fraction, high: Fraction) -> str:
        return f"{number(low, edges=region)} to {number(high, edges=region)}"

    if len(readings) > most:
        low, high = min(row[1] for row in readings), max(row[2] for row in readings)
        return f"{len(readings)} readings from {between(low, high)}"
    return ", ".join(
        f"{label} {number(low, edges=region) if low == high else between(low, high)}"
        for label, low, high in readings
    )
