"""The record of a claim: what was said, of what, and the test that was registered for it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from enum import StrEnum
from textwrap import shorten
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from kensho.claims import figures
from kensho.claims.base import Record, Text
from kensho.claims.designs import Test


class Tier(StrEnum):
    """Evidence tiers, strongest first."""

    AT_SCOPE = "at-scope"
    REFERENCE = "reference"
    PUBLISHED = "published"
    REDUCED = "reduced"
    ANALYTIC = "analytic"
    REHEARSAL = "rehearsal"  # of twins on a few rows: no evidence

    def rank(self) -> int:
        """Place in the order of strength, 0 for the strongest; `Tier.rank("reduced")` works too."""
        return list(Tier).index(Tier(self))


class Verdict(StrEnum):
    """The five verdict words."""

    VERIFIED = "VERIFIED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_TESTED = "NOT TESTED"


STALE = "STALE"  # in a summary, in place of a verdict that no longer holds


class Obstacle(StrEnum):
    """Why a claim has no verdict, in one of a few kinds; what it is in full is said beside it."""

    CLOSED_MODEL = "closed model"  # its weights were never released
    UNPUBLISHED_DATA = "unpublished data"  # only the source has what was learnt or asked
    UNKNOWN_CONDITIONS = "unknown conditions"  # the sentence does not say what to observe
    OPINION = "opinion"  # advice, which no observation could contradict
    BOOKKEEPING = "bookkeeping"  # arithmetic of the source, which is recomputed
    HARDWARE = "needs hardware"
    JUDGE = "needs judge"
    MODEL = "needs model"
    DATA = "needs data"
    SETTINGS = "other settings"  # another scale or setting observes it

    @property
    def final(self) -> bool:
        """Whether nobody but the source could test the claim."""
        return self in FINAL


FINAL = (
    *(Obstacle.CLOSED_MODEL, Obstacle.UNPUBLISHED_DATA, Obstacle.UNKNOWN_CONDITIONS),
    *(Obstacle.OPINION, Obstacle.BOOKKEEPING),
)


class Claimed(Record):
    """The claimed set, in the claim's own unit: a value, an interval or a bound."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = {("value",), ("low", "high"), ("at_least",), ("at_most",)}
        form = tuple(name for name in type(self).model_fields if getattr(self, name) is not None)
        if form not in forms:
            raise ValueError("give one of: value; low and high; at_least; at_most")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Scope(Record):
    """The models and the hardware that the claim speaks of."""

    models: list[Text]
    hardware: Text = "any"


class Audited(Record):
    """Figures of the source that can be held against each other, by a check of `kensho.audit`.

    Its arguments: a text is a figure as printed, a number an exact count or a word of the check.
    """

    text: Text
    check: Text
    of: dict[Text, str | int | float | list[str | int | float]]


class Claim(Record):
    """One entry of the registry. A claim has either a test or the reason why it has none.

    ``obstacles`` are the kinds of that reason. A test on tables that are brought may have some too,
    with the command that makes the tables (``recipe``): until they are there it is not tested.
    """

    id: Text
    source: Literal["A", "B", "C", "D", "own"]
    statement: Text
    quantity: Text
    unit: Text
    claimed: Claimed
    scope: Scope
    required_tier: Annotated[Tier, Field(strict=False)] = Tier.AT_SCOPE
    priority: bool = False
    remarks: list[Text] = Field([])
    audit: list[Audited] = Field([])
    test: Test | None
    not_tested: Text | None
    obstacles: list[Annotated[Obstacle, Field(strict=False)]] = Field([])
    recipe: Text | None = None

    @field_validator("required_tier")
    @classmethod
    def _tier_is_evidence(cls, tier: Tier) -> Tier:
        if tier == Tier.REHEARSAL:
            raise ValueError("a rehearsal is no evidence; name another tier")
        return tier

    @field_validator("id")
    @classmethod
    def _id_names_files(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9.-]*", name):
            raise ValueError(
                "expected a letter from A to Z, then such letters, digits, '.' and '-', since it "
                f"names files, found '{shorten(name, 60, placeholder=' …')}'"
            )
        return name

    @model_validator(mode="after")
    def _test_or_reason(self) -> Self:
        if (self.test is None) == (self.not_tested is None):
            raise ValueError("one of test and not_tested is needed; leave the other null")
        if self.test is None and not self.obstacles:
            kinds = ", ".join(kind for kind in Obstacle if kind != Obstacle.SETTINGS)
            raise ValueError(f"not_tested has no kind; add obstacles, one or more of: {kinds}")
        if Obstacle.SETTINGS in self.obstacles:
            raise ValueError(f"obstacles: '{Obstacle.SETTINGS}' is no claim's own; take another")
        brought = self.test is not None and bool(self.test.external)
        if self.test is not None and self.obstacles and not brought:
            raise ValueError("obstacles go with not_tested or test.external; leave them out")
        if self.recipe and not (brought and self.obstacles):
            raise ValueError("recipe goes with test.external and obstacles; leave it out")
        if self.test is not None:
            _region_agrees(self.claimed, self.unit, self.test)
        return self

    @property
    def required_test(self) -> Test:
        """The test. Raises ValueError where the claim has none."""
        if self.test is None:
            raise ValueError(f"{self.id}: has no test: {self.not_tested}")
        return self.test

    @property
    def speaks_of_gain(self) -> bool:
        """Whether the claimed figure is the distance of a ratio from 1: "+10 %", "10 % less"."""
        return self.unit in figures.GAINS

    def claimed_value(self) -> float | None:
        """The figure of a point claim on the scale of its test; None for intervals and bounds."""
        if self.test is None or self.claimed.value is None:
            return None
        test = self.test
        return figures.on_scale(self.unit, test.scale, test.score_range)(self.claimed.value)

    def digest(self) -> str:
        """sha256 of the record's canonical JSON; it changes whenever the registration does."""
        record = self.model_dump(mode="json")
        text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _region_agrees(claimed: Claimed, unit: str, test: Test) -> None:
    """ValueError where the registered region is not what the claimed figure says."""
    convert = figures.on_scale(unit, test.scale, test.score_range)
    figure = {key: convert(x) for key, x in claimed.model_dump(exclude_none=True).items()}
    low, high = test.region
    inside = all((low is None or low <= x) and (high is None or x <= high) for x in figure.values())
    if "value" in figure and (low is None or high is None):
        raise ValueError(
            "test.region of a claimed value needs both ends: what counts as that value"
        )
    ends = ("at_least", "low"), ("at_most", "high")
    if convert(1) < convert(0):  # the more of it, the lower on the scale
        ends = ends[::-1]
    bounds = {key: bound for keys, bound in zip(ends, (low, high), strict=True) for key in keys}
    on_bound = all(
        key not in figure or (bound is not None and math.isclose(bound, figure[key]))
        for key, bound in bounds.items()
    )
    if not (inside and on_bound):
        written = [next((f"{figure[k]:g}" for k in keys if k in figure), "null") for keys in ends]
        mend = "ends on both sides of it" if "value" in figure else f"[{', '.join(written)}]"
        raise ValueError(
            f"test.region {test.region} does not hold the claimed set {figure} ({test.scale} "
            f"scale); put {mend}"
        )
