"""What every registered test fixes before the data, whatever its design.

`region` is the claimed set on the design's scale: a ratio, a difference in the metric's unit (of
accuracies: -1 to 1), a share, a level in the score's unit, a dose. `sesoi` is the smallest effect
of interest: it multiplies the null of a ratio and is added to any other null; of a level it is the
smallest distance that matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kensho.claims import figures

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
NULLS = {"ratio": 1.0, "difference": 0.0, "share": 0.5, "level": None, "dose": None}


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ExternalTable(Record):
    """A table of results that the user brings; the column names are those of the file."""

    path: Text
    format: Literal[
        "lm-eval", "lm-eval-results", "inspect", "helm", "alpaca-eval",
        "csv", "jsonl", "parquet", "pairwise", "comparisons", "crate",
    ]  # fmt: skip
    arm: Text | None = None  # where the file names its arms, null takes all of them
    metric: Text | None = None
    item: Text | None = None
    cluster: Text | None = None
    score: Text | None = None
    filter: Text | None = None  # of lm-eval logs with several; of helm, the split
    task: Text | None = None  # where neither the file nor its name says it
    # of an exported crate: which experiment, and which arm of it
    experiment: Text | None = None
    of: Text | None = None
    # of csv, jsonl and parquet
    layout: Literal["long", "wide", "pairwise", "comparisons"] | None = None
    # Columns or keys of other names than these; "a.b" is b inside a.
    fields: dict[
        Literal["arm", "task", "replicate", "unit", "order", "judge", "first", "second"], Text
    ] = Field({})
    delimiter: Annotated[str, Field(pattern=r"^([^\"\r\n]|tab)$")] | None = None
    decimal: Literal[".", ","] | None = None


class Side(Record):
    """One side of a reading; block null means all blocks, paired by their name."""

    arm: Text
    metric: Text
    block: Text | None = None


class Compared(Record):
    """Two sides that a claim's words can mean."""

    label: Text

    @property
    def sides(self) -> tuple[Side, Side]:
        """The side that is compared, and what it is compared with."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _sides_differ(self) -> Self:
        one, other = self.sides
        if one == other:
            raise ValueError(f"both sides are {one.arm}/{one.metric}: one must be another")
        return self


class Reading(Compared):
    """One ratio that the claim's words can mean."""

    numerator: Side
    denominator: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.numerator, self.denominator


class Contrast(Compared):
    """One difference that the claim's words can mean: treatment minus control."""

    treatment: Side
    control: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.treatment, self.control


class Level(Record):
    """One quantity of a single arm that the claim's words can mean."""

    label: Text
    of: Side

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.of,)


class Registered(Record):
    __test__ = False  # not a pytest class
    paired: ClassVar[bool] = True  # whether all arms must hold the same blocks

    design: str
    experiment: Text
    external: list[ExternalTable] = Field([])
    aliases: dict[Text, Text] = Field({})  # name of an arm here: as it stands in the tables
    incomplete: Literal["refuse", "drop"] = "refuse"  # items that not every arm has
    region: Annotated[list[float | None], Field(min_length=2, max_length=2)]
    direction: Literal["less", "greater"] | None = None
    sesoi: Annotated[float, Field(ge=0)] = 0.0
    min_units: Annotated[int, Field(ge=2)] = 10
    family: Text = "main"
    # What the parts of a block's name mean ("passage/item"); the first is the replication unit.
    levels: Annotated[list[Text], Field(min_length=1, max_length=3)] = ["block"]
    prior: dict[str, Positive] | None = None
    # What the scores can be, null for an open end; every observation is held against it.
    range: Annotated[list[float | None], Field(min_length=2, max_length=2)] | None = None

    @property
    def scale(self) -> str:
        return "difference"

    @property
    def score_range(self) -> list[float | None] | None:
        """What the observations of a difference or a level can be; None where nothing says so."""
        return self.range

    @property
    def floor(self) -> int:
        """Fewest units on which a verdict of this design can rest, whatever is registered."""
        return 5

    @property
    def needed_units(self) -> int:
        """Units below which there is no verdict: as registered, and never under the floor."""
        return max(self.min_units, self.floor)

    @property
    def in_order(self) -> bool:
        """Whether units are runs of a program one after the other."""
        return False

    @property
    def stochastic(self) -> bool:
        """Whether the test is one of the family over which errors are controlled."""
        return True

    @property
    def sampled(self) -> bool:
        """Whether the verdict rests on a posterior that is sampled, or drawn from, and kept."""
        return self.stochastic

    @property
    def priors(self) -> tuple[str, ...]:
        """Scales of the model's primary prior that a claim may register, all or none."""
        return ()

    @property
    def all_readings(self) -> Sequence[Reading | Contrast | Level]:
        """What the claim's words can mean; [] where a design has one meaning only."""
        return getattr(self, "readings", [])

    @property
    def sides(self) -> list[Side]:
        """Everything that the test observes."""
        return [side for reading in self.all_readings for side in reading.sides]

    @property
    def arms(self) -> list[str]:
        """Arms that the test observes, sorted."""
        return sorted({side.arm for side in self.sides})

    @model_validator(mode="after")
    def _region_is_sound(self) -> Self:
        low, high = self.region
        if low is None and high is None:
            raise ValueError(f"region has two open ends and would hold for any {self.scale}")
        if low is not None and high is not None and not low < high:
            raise ValueError(f"region: low {low:g} is not below high {high:g}")
        for end in (low, high):
            if end is not None and self.scale in ("ratio", "dose") and not end > 0:
                raise ValueError(f"region: {end:g} is no {self.scale}: it must be above 0")
        null = NULLS[self.scale]
        if null is None:
            if self.direction:
                raise ValueError(f"a {self.scale} has no direction; give null")
        elif self.direction == "less" and low is not None and low >= null:
            raise ValueError(f"region lies above {null:g} but the direction is 'less'")
        elif self.direction == "greater" and high is not None and high <= null:
            raise ValueError(f"region lies below {null:g} but the direction is 'greater'")
        return self

    @model_validator(mode="after")
    def _aliases_differ(self) -> Self:
        for name in self.aliases.values():
            if list(self.aliases.values()).count(name) > 1:
                raise ValueError(f"aliases: '{name}' is given two names; give it one")
        return self

    @model_validator(mode="after")
    def _range_is_sound(self) -> Self:
        scored = self.scale in ("difference", "level")
        if self.range is not None:
            if not scored:
                raise ValueError(f"range is for scores, and a {self.scale} is none; leave it out")
            low, high = self.range
            if low is not None and high is not None and not low < high:
                raise ValueError(f"range: low {low:g} is not below high {high:g}")
        ends = [0, 1] if self.scale == "share" else self.score_range if scored else None
        if ends is not None:
            figures.on_range(self.region, self.sesoi, self.scale, ends)
        return self

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        labels = [reading.label for reading in self.all_readings]
        if len(set(labels)) < len(labels):
            raise ValueError("two readings have the same label")
        return self

    @model_validator(mode="after")
    def _sesoi_is_given(self) -> Self:
        if self.scale == "share" and self.sesoi > 0.5:
            raise ValueError("sesoi of a share is at most 0.5")
        if self.prior is not None and set(self.prior) != set(self.priors):
            raise ValueError(f"prior must give {', '.join(self.priors) or 'nothing'}")
        if self.stochastic and self.sesoi <= (1 if self.scale == "ratio" else 0):
            least = "above 1 (a factor)" if self.scale == "ratio" else "above 0"
            raise ValueError(f"sesoi must be {least} for {self.design}")
        return self
