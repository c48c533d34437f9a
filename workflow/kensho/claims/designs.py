"""The designs of a registered test: what each kind of claim must fix before the data.

`region` is the claimed set on the design's scale: a ratio, a difference in the metric's unit (of
accuracies: -1 to 1), a share, a dose. `sesoi` is the smallest effect of interest: it multiplies
the null of a ratio and is added to any other null.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
NULLS = {"ratio": 1.0, "difference": 0.0, "share": 0.5, "dose": None}


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ExternalTable(Record):
    """A table of results that the user brings; the column names are those of the file."""

    path: Text
    format: Literal[
        "lm-eval", "lm-eval-results", "inspect", "helm", "alpaca-eval",
        "csv", "jsonl", "parquet", "pairwise",
    ]  # fmt: skip
    arm: Text | None = None  # where the file names its arms, null takes all of them
    metric: Text | None = None
    item: Text | None = None
    cluster: Text | None = None
    score: Text | None = None
    filter: Text | None = None  # of lm-eval logs with several; of helm, the split
    task: Text | None = None  # where neither the file nor its name says it
    layout: Literal["long", "wide", "pairwise"] | None = None  # of csv, jsonl and parquet
    # Columns or keys of other names than these; "a.b" is b inside a.
    fields: dict[Literal["arm", "task", "replicate", "unit", "order", "judge"], Text] = Field({})
    delimiter: Annotated[str, Field(pattern=r"^([^\"\r\n]|tab)$")] | None = None
    decimal: Literal[".", ","] | None = None


class Side(Record):
    """One side of a reading; block null means all blocks, paired by their name."""

    arm: Text
    metric: Text
    block: Text | None = None


class Reading(Record):
    """One ratio that the claim's words can mean."""

    label: Text
    numerator: Side
    denominator: Side

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.numerator, self.denominator


class Contrast(Record):
    """One difference that the claim's words can mean: treatment minus control."""

    label: Text
    treatment: Side
    control: Side

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.treatment, self.control


class Level(Record):
    """One quantity of a single arm that the claim's words can mean."""

    label: Text
    of: Side

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.of,)


class _Test(Record):
    __test__ = False  # not a pytest class
    scale: ClassVar[str] = "difference"

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

    @property
    def stochastic(self) -> bool:
        """Whether the test is one of the family over which errors are controlled."""
        return True

    @property
    def priors(self) -> tuple[str, ...]:
        """Scales of the model's primary prior that a claim may register, all or none."""
        return ()

    @property
    def sides(self) -> list[Side]:
        """Everything that the test observes."""
        return [side for reading in self.readings for side in reading.sides]

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
        lowest, highest = {"ratio": (0, None), "dose": (0, None), "share": (-1e-9, 1)}.get(
            self.scale, (None, None)
        )
        for end in (low, high):
            if end is not None and lowest is not None and not end > lowest:
                raise ValueError(f"region: {end:g} is no {self.scale}: it must be above 0")
            if end is not None and highest is not None and not end <= highest:
                raise ValueError(f"region: {end:g} is no {self.scale}: it must be at most 1")
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
    def _labels_differ(self) -> Self:
        labels = [reading.label for reading in getattr(self, "readings", [])]
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


class Deterministic(_Test):
    """Exact ratios, computed and compared; never tested."""

    scale: ClassVar[str] = "ratio"
    design: Literal["deterministic"]
    readings: Annotated[list[Reading], Field(min_length=1)]
    sesoi: Annotated[float, Field(ge=1)] = 1.0
    min_units: Annotated[int, Field(ge=1)] = 1

    @property
    def stochastic(self) -> bool:
        return False


class PairedRatio(_Test):
    """Geometric mean of the ratios of paired blocks: times, throughputs, peak memory.

    Peak memory that varies by less than 0.5 % between repetitions is compared, not tested.
    """

    scale: ClassVar[str] = "ratio"
    design: Literal["paired_log_ratio", "peak_memory"]
    readings: Annotated[list[Reading], Field(min_length=1)]

    @property
    def priors(self) -> tuple[str, ...]:
        return "location", "spread"


class RatioOfMeans(_Test):
    """Ratio of both sides' means over the same units: a relative gain of accuracy."""

    scale: ClassVar[str] = "ratio"
    design: Literal["ratio_of_means"]
    readings: Annotated[list[Reading], Field(min_length=1)]

    @property
    def priors(self) -> tuple[str, ...]:
        return "location", "spread"


class PairedDifference(_Test):
    """Mean difference over the units: accuracy (binary) or scores, from judges for instance."""

    design: Literal["paired_difference"]
    readings: Annotated[list[Contrast], Field(min_length=1)]
    outcome: Literal["binary", "score"]

    @model_validator(mode="after")
    def _outcome_has_its_unit(self) -> Self:
        if self.outcome == "binary":
            if any(end is not None and abs(end) > 1 for end in self.region) or self.sesoi > 1:
                raise ValueError(
                    "accuracies differ by -1 to 1 (0.05 is 5 points): mend region and sesoi"
                )
        elif self.prior is None:
            raise ValueError(
                "scores need 'prior: {location: ..., spread: ...}', scales of the difference and "
                "of its spread over units in the score's unit"
            )
        return self

    @property
    def priors(self) -> tuple[str, ...]:
        if self.outcome == "score":
            return "location", "spread"
        if len(self.levels) == 1:
            return ("concentration",)
        return "discordance", "discordance_spread", "difference", "difference_spread"


class Proportion(_Test):
    """Share of right items of one arm, over items or clusters."""

    scale: ClassVar[str] = "share"
    design: Literal["proportion"]
    readings: Annotated[list[Level], Field(min_length=1)]

    @property
    def priors(self) -> tuple[str, ...]:
        return ("concentration",) if len(self.levels) == 1 else ("location", "spread")


class WinRate(_Test):
    """P(win) + P(tie) / 2 over prompts, averaged over both orders of showing the answers.

    The arm is a comparison of one system with another; its metrics `preference.first` and
    `preference.second` hold 1 for a win, 0.5 for a tie and 0 for a loss of the first system, where
    its answer was shown first, or second.
    """

    scale: ClassVar[str] = "share"
    design: Literal["win_rate"]
    comparison: Text

    @property
    def sides(self) -> list[Side]:
        orders = ("preference.first", "preference.second")
        return [Side(arm=self.comparison, metric=order) for order in orders]

    @property
    def priors(self) -> tuple[str, ...]:
        return "strength_scale", "order_effect", "ties", "prompt_spread"


class DoseOptimum(_Test):
    """Dose with the best mean result; a block is a seed that ran at every dose."""

    scale: ClassVar[str] = "dose"
    design: Literal["dose_optimum"]
    doses: Annotated[dict[Text, Positive], Field(min_length=4)]
    metric: Text

    @model_validator(mode="after")
    def _doses_differ(self) -> Self:
        if len(set(self.doses.values())) < len(self.doses):
            raise ValueError("two doses are equal")
        return self

    @property
    def sides(self) -> list[Side]:
        return [Side(arm=arm, metric=self.metric) for arm in self.doses]

    @property
    def priors(self) -> tuple[str, ...]:
        return "level", "curvature", "seed_spread", "noise"


class Tasks(_Test):
    """A beats B on tasks: on all, on average, or on at least so many. Levels begin with `task`."""

    design: Literal["tasks"]
    readings: Annotated[list[Contrast], Field(min_length=1)]
    on: Literal["all", "average", "at_least"]
    at_least: Annotated[int, Field(ge=1)] | None = None
    levels: Annotated[list[Text], Field(min_length=2, max_length=3)] = ["task", "item"]

    @model_validator(mode="after")
    def _count_is_given(self) -> Self:
        if (self.on == "at_least") != (self.at_least is not None):
            raise ValueError("at_least (how many tasks) goes with 'on: at_least' and only with it")
        return self

    @property
    def priors(self) -> tuple[str, ...]:
        return "ability", "spread"


class RankOrder(_Test):
    """Models in the claimed order over tasks: the whole order, or only who is first.

    The estimand is the smallest gap between a model and those that the claim puts behind it.
    """

    design: Literal["rank_order"]
    models: Annotated[list[Text], Field(min_length=2)]
    metric: Text
    order: Literal["whole", "first"]
    levels: Annotated[list[Text], Field(min_length=2, max_length=3)] = ["task", "item"]

    @model_validator(mode="after")
    def _models_differ(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is listed twice")
        return self

    @property
    def sides(self) -> list[Side]:
        return [Side(arm=arm, metric=self.metric) for arm in self.models]

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Pairs (better, worse) of places in `models` that the claim states."""
        last = range(1, len(self.models))
        return [(0 if self.order == "first" else i - 1, i) for i in last]

    @property
    def priors(self) -> tuple[str, ...]:
        return "ability", "spread"


Test = Annotated[
    Deterministic
    | PairedRatio
    | RatioOfMeans
    | PairedDifference
    | Proportion
    | WinRate
    | DoseOptimum
    | Tasks
    | RankOrder,
    Field(discriminator="design"),
]
