"""The designs of a registered test, one class for each kind of claim; `Test` is any of them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kensho.claims.base import Contrast, Level, Positive, Reading, Registered, Side, Text
from kensho.claims.formula_design import FormulaContrast
from kensho.claims.rankings import PairRanking, RankOrder, Tasks

# Units of times and rates that are no runs: each is something else, and has no place in an order.
THINGS = ("item", "sentence", "prompt", "passage", "document", "task", "cell")


class Deterministic(Registered):
    """Exact ratios, computed and compared; never tested."""

    floor: ClassVar[int] = 1

    scale: ClassVar[str] = "ratio"
    design: Literal["deterministic"]
    readings: Annotated[list[Reading], Field(min_length=1)]
    sesoi: Annotated[float, Field(ge=1)] = 1.0
    min_units: Annotated[int, Field(ge=1)] = 1

    @property
    def stochastic(self) -> bool:
        return False


class PairedRatio(Registered):
    """Geometric mean of the ratios of paired blocks: times, throughputs, peak memory.

    Peak memory that varies by less than 0.5 % between repetitions is compared, not tested.
    """

    scale: ClassVar[str] = "ratio"
    design: Literal["paired_log_ratio", "peak_memory"]
    readings: Annotated[list[Reading], Field(min_length=1)]

    @model_validator(mode="after")
    def _units_are_runs_or_not(self) -> Self:
        if self.design == "peak_memory":
            return self
        for level in self.levels:
            if level not in ("block", "seed", *THINGS):
                raise ValueError(
                    "levels: expected block for repeated runs of whatever kind, seed for trainings "
                    f"or what each unit is ({', '.join(THINGS)}), found '{level}', which does not "
                    "say whether its units ran one after the other"
                )
        return self

    @property
    def in_order(self) -> bool:
        """Blocks are timed one after the other; seeds and sentences are not."""
        return self.design == "paired_log_ratio" and self.levels[0] == "block"

    @property
    def floor(self) -> int:
        if self.in_order:
            return 10
        return 3 if self.design == "peak_memory" or self.levels[0] == "seed" else 5

    @property
    def priors(self) -> tuple[str, ...]:
        return "location", "spread"


class RatioOfMeans(Registered):
    """Ratio of both sides' means over the same units: a relative gain of accuracy."""

    scale: ClassVar[str] = "ratio"
    design: Literal["ratio_of_means"]
    readings: Annotated[list[Reading], Field(min_length=1)]

    @property
    def priors(self) -> tuple[str, ...]:
        return "location", "spread"


class Difference(Registered):
    """Accuracy (binary) or scores, from judges for instance, of two arms."""

    readings: Annotated[list[Contrast], Field(min_length=1)]
    outcome: Literal["binary", "score"]

    @model_validator(mode="after")
    def _outcome_has_its_unit(self) -> Self:
        if self.outcome == "binary":
            if self.range is not None:
                raise ValueError("range is for scores: right or wrong is 0 or 1; leave it out")
        elif self.prior is None:
            raise ValueError(
                "scores need 'prior: {location: ..., spread: ...}', scales of the difference and "
                "of its spread over units in the score's unit"
            )
        return self

    @property
    def score_range(self) -> list[float | None] | None:
        return [0, 1] if self.outcome == "binary" else self.range

    @property
    def floor(self) -> int:
        return 10 if self.outcome == "binary" and len(self.levels) == 1 else 5

    @property
    def priors(self) -> tuple[str, ...]:
        if self.outcome == "score":
            return "location", "spread"
        if len(self.levels) == 1:
            return ("concentration",)
        return "discordance", "discordance_spread", "difference", "difference_spread"


class PairedDifference(Difference):
    """Mean difference over the units of both arms."""

    design: Literal["paired_difference"]


class UnpairedDifference(Difference):
    """Difference of the means of two arms with items of their own, which nothing pairs."""

    paired: ClassVar[bool] = False
    design: Literal["unpaired_difference"]

    @property
    def priors(self) -> tuple[str, ...]:
        independent = self.outcome == "binary" and len(self.levels) == 1
        return ("concentration",) if independent else ("location", "spread")


Items = Annotated[int, Field(ge=10)]  # of a published mean


class PublishedAggregate(Registered):
    """Difference of two means of which no item was published: both arms' figure on one task, or on
    each of several, whose differences count alike.

    `items` independent items lie under each figure, the same for both arms, of several tasks a
    number for each by its name; `range` is what they can score, right and wrong its ends (`outcome:
    binary`) or anything between (`score`, such as a mean over several answers). `decimals` were
    printed at least; the difference was picked as the best of `best_of`.
    """

    design: Literal["published_aggregate"]
    readings: Annotated[list[Contrast], Field(min_length=1)]
    outcome: Literal["binary", "score"]
    items: Items | Annotated[dict[str, Items], Field(min_length=1)]
    decimals: Annotated[int, Field(ge=0, le=9)] = 0
    best_of: Annotated[int, Field(ge=1)] = 1
    levels: list[Text] = Field(["task"], min_length=1, max_length=1)

    @model_validator(mode="after")
    def _ends_are_said(self) -> Self:
        if self.range is None or None in self.range:
            raise ValueError("range: both ends are needed, what one item can score; add them")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Least and most that an item can score."""
        low, high = self.range or (None, None)
        assert low is not None and high is not None
        return low, high

    @property
    def sampled(self) -> bool:
        return False


class Proportion(Registered):
    """Share of right items of one arm, over items or clusters: a level, no effect.

    With `repeats` an item is answered several times (its replicates) and counts with the share of
    its right answers: pass@1.
    """

    scale: ClassVar[str] = "share"
    design: Literal["proportion"]
    readings: Annotated[list[Level], Field(min_length=1)]
    outcome: Literal["binary", "repeats"] = "binary"

    @model_validator(mode="after")
    def _a_share_has_no_direction(self) -> Self:
        if self.direction:
            raise ValueError(
                "the share of one arm is no distance from 1/2, as a win rate; give null"
            )
        return self

    @property
    def floor(self) -> int:
        return 10 if len(self.levels) == 1 else 5

    @property
    def priors(self) -> tuple[str, ...]:
        if self.outcome == "repeats":
            return "concentration", "likeness"
        return ("concentration",) if len(self.levels) == 1 else ("location", "spread")


class MeanScore(Registered):
    """Mean score of one arm over items or clusters, in the score's unit: a level, no effect."""

    scale: ClassVar[str] = "level"
    design: Literal["mean_score"]
    readings: Annotated[list[Level], Field(min_length=1)]

    @model_validator(mode="after")
    def _prior_is_given(self) -> Self:
        if self.prior is None:
            raise ValueError(
                "scores need 'prior: {location: ..., spread: ...}': how far from 0 their mean and "
                "how large their spread over units can be, in the score's unit"
            )
        farthest = max(abs(end) for end in self.region if end is not None)
        if self.prior["location"] < farthest:
            raise ValueError(
                f"prior: location {self.prior['location']:g} speaks against a mean of "
                f"{farthest:g} before the data; give at least {farthest:g}"
            )
        return self

    @property
    def priors(self) -> tuple[str, ...]:
        return "location", "spread"


class WinRate(Registered):
    """P(win) + P(tie) / 2 over prompts, averaged over both orders of showing the answers.

    The arm is a comparison of one system with another; its metrics `preference.first` and
    `preference.second` hold 1 for a win, 0.5 for a tie and 0 for a loss of the first system, where
    its answer was shown first, or second. With `orders: random` each prompt was judged in one
    order that was drawn for it, and both orders count alike all the same.
    """

    scale: ClassVar[str] = "share"
    design: Literal["win_rate"]
    comparison: Text
    orders: Literal["both", "random"] = "both"

    @model_validator(mode="after")
    def _prompts_are_units(self) -> Self:
        if self.orders == "random" and len(self.levels) > 1:
            raise ValueError(
                "orders: random takes one level, the prompt that its order was drawn for"
            )
        return self

    @property
    def sides(self) -> list[Side]:
        orders = ("preference.first", "preference.second")
        return [Side(arm=self.comparison, metric=order) for order in orders]

    @property
    def priors(self) -> tuple[str, ...]:
        if self.orders == "random":
            return "strength", "order_effect", "ties", "answer_spread"
        return "strength_scale", "order_effect", "ties", "prompt_spread"


class DoseOptimum(Registered):
    """Dose with the best mean result; a block is a seed that ran at every dose."""

    scale: ClassVar[str] = "dose"
    floor: ClassVar[int] = 3
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


Test = Annotated[
    Deterministic
    | PairedRatio
    | RatioOfMeans
    | PairedDifference
    | UnpairedDifference
    | PublishedAggregate
    | Proportion
    | MeanScore
    | WinRate
    | DoseOptimum
    | Tasks
    | RankOrder
    | PairRanking
    | FormulaContrast,
    Field(discriminator="design"),
]
