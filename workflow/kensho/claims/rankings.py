"""Designs of claims over many tasks and on the order of models; part of `claims.designs`."""

from __future__ import annotations

from itertools import permutations
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kensho.claims.base import Contrast, Registered, Side, Text
from kensho.metrics import OVER


class Tasks(Registered):
    """A beats B on tasks: on all, on average, or on at least so many. Levels begin with `task`.

    With `levels: [task]` a task has one score of each arm, enough for the average over tasks.
    """

    design: Literal["tasks"]
    readings: Annotated[list[Contrast], Field(min_length=1)]
    on: Literal["all", "average", "at_least"]
    at_least: Annotated[int, Field(ge=1)] | None = None
    levels: Annotated[list[Text], Field(min_length=1, max_length=3)] = Field(["task", "item"])

    @model_validator(mode="after")
    def _count_is_given(self) -> Self:
        if (self.on == "at_least") != (self.at_least is not None):
            raise ValueError("at_least (how many tasks) goes with 'on: at_least' and only with it")
        if self.on != "average" and len(self.levels) == 1:
            raise ValueError(
                f"on: {self.on} asks how sure each task's difference is, which one score of a task "
                "does not tell; give levels: [task, item] and its items, or 'on: average'"
            )
        return self

    @property
    def score_range(self) -> list[float | None] | None:
        return self.range or ([0, 1] if self.prior is None else None)

    @property
    def priors(self) -> tuple[str, ...]:
        return "ability", "spread"


def _gaps(models: list[Text], order: Literal["whole", "first"]) -> list[tuple[int, int]]:
    return [(0 if order == "first" else i - 1, i) for i in range(1, len(models))]


class RankOrder(Registered):
    """Models in the claimed order over tasks: the whole order, or only who is first.

    The estimand is the smallest gap between a model and those that the claim puts behind it. With
    `levels: [task]` a task has one score of each model.
    """

    design: Literal["rank_order"]
    models: Annotated[list[Text], Field(min_length=2)]
    metric: Text
    order: Literal["whole", "first"]
    levels: Annotated[list[Text], Field(min_length=1, max_length=3)] = Field(["task", "item"])

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
        return _gaps(self.models, self.order)

    @property
    def score_range(self) -> list[float | None] | None:
        return self.range or ([0, 1] if self.prior is None else None)

    @property
    def priors(self) -> tuple[str, ...]:
        return "ability", "spread"


class PairRanking(Registered):
    """Models in the claimed order by pairwise judgements: the whole order, or only who is first.

    The arm is a comparison; its metric "A over B" holds 1 for a win, 0.5 for a tie and 0 for a loss
    of A, which was shown first, on a prompt (the block) by a judge (the replicate). The estimand is
    the smallest win probability of a model against those that the claim puts behind it, over both
    orders; comparisons with models that the claim does not name take no part.
    """

    scale: ClassVar[str] = "share"
    design: Literal["pair_ranking"]
    comparison: Text
    models: Annotated[list[Text], Field(min_length=2)]
    order: Literal["whole", "first"]
    first_shown: Literal["known", "unknown"] = "known"
    levels: Annotated[list[Text], Field(min_length=1, max_length=1)] = Field(["prompt"])

    @model_validator(mode="after")
    def _models_differ(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is listed twice")
        for model in self.models:
            if OVER in model:
                raise ValueError(
                    f"models: '{model}' holds '{OVER}', which stands between two models"
                )
        return self

    def metric(self, first: int, second: int) -> str:
        """Name of the comparisons of two models by their places in `models`."""
        return f"{self.models[first]}{OVER}{self.models[second]}"

    @property
    def sides(self) -> list[Side]:
        pairs = permutations(range(len(self.models)), 2)
        return [Side(arm=self.comparison, metric=self.metric(i, j)) for i, j in pairs]

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """As those of `RankOrder`."""
        return _gaps(self.models, self.order)

    @property
    def priors(self) -> tuple[str, ...]:
        return "strength", "order_effect", "ties", "answer_spread"
