"""What a claim registers of its decision, in the words of its own scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kensho.claims.designs import Test
from kensho.claims.model import Claim, Tier
from kensho.stats.scales import BY_NAME, GAIN, Region, Scale

Direction = Literal["less", "greater"]


@dataclass(frozen=True)
class Hypothesis:
    """That an estimand lies in a region of its scale.

    scale: that of the region; of a gain, it says that effects are distances from 1.
    region: claimed set, None for an open end.
    direction: None for equivalence.
    sesoi: smallest effect of interest, which multiplies the null of a ratio and is added to others.
    claimed_value: of a point claim; None for an interval or a bound, from whose nearest end a miss
        is measured instead.
    """

    scale: Scale
    region: Region
    direction: Direction | None
    sesoi: float
    claimed_value: float | None = None

    @property
    def effects(self) -> Region:
        """Effects in the direction that are large enough to matter."""
        return self.scale.beyond(self.direction, self.sesoi)

    @classmethod
    def of_test(cls, test: Test) -> Hypothesis:
        """That of a test alone, without a claimed value."""
        return Hypothesis(BY_NAME[test.scale], test.region, test.direction, test.sesoi)


@dataclass(frozen=True, kw_only=True)
class Rule(Hypothesis):
    """A hypothesis, what must be there before it is decided, and the words of its sentence.

    min_units: units below which there is no verdict; required_tier: the weakest that can verify or
    refute; quantity and scope (the models that the claim speaks of) are for the sentence only.
    """

    min_units: int
    required_tier: Tier = Tier.AT_SCOPE
    quantity: str = "ratio"
    scope: str = ""

    @classmethod
    def of_claim(cls, claim: Claim) -> Rule:
        """That of a claim with a test. Raises ValueError where it has none."""
        test = claim.required_test
        return Rule(
            scale=GAIN if claim.speaks_of_gain else BY_NAME[test.scale],
            region=test.region,
            direction=test.direction,
            sesoi=test.sesoi,
            claimed_value=claim.claimed_value(),
            min_units=test.needed_units,
            required_tier=claim.required_tier,
            quantity=claim.quantity,
            scope=" and ".join(claim.scope.models),
        )
