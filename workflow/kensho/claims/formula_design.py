"""The general design: an R-style formula and a registered contrast of two arms."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kensho.claims.base import Record, Registered, Side, Text
from kensho.claims.formula import ARM, RESPONSE, Formula, parse

_PRIORS = {
    "gaussian": ("level", "effect", "spread", "noise"),
    "bernoulli": ("level", "effect", "spread"),
    "beta_binomial": ("level", "effect", "spread", "precision"),
    "ordinal": ("level", "effect", "spread"),
}
# Columns of every table, and what the fitted model calls its own quantities.
RESERVED = (
    *(RESPONSE, ARM, "replicate", "y", "trials", "level", "effect", "spread", "noise"),
    *("precision", "row_variance", "Intercept", "mu", "p", "sigma", "kappa", "threshold"),
)


class ArmContrast(Record):
    """Difference or ratio of the average predictions for the two arms."""

    kind: Literal["difference", "ratio"]
    treatment: Text
    control: Text

    @model_validator(mode="after")
    def _arms_differ(self) -> Self:
        if self.treatment == self.control:
            raise ValueError(f"treatment and control are the same arm '{self.control}'")
        return self


class FormulaContrast(Registered):
    """Average prediction for one arm against another's, from a formula with groups.

    Columns of the formula: `arm`, `replicate` and the registered levels. Levels are nested, so each
    group is named by its whole path; the first that is not one of the `strata` is the unit of
    replication. Strata are fixed (the claim speaks of these tasks), all other levels are groups,
    and the claim speaks of new ones.
    """

    design: Literal["formula"]
    formula: Text
    likelihood: Literal["gaussian", "bernoulli", "beta_binomial", "ordinal"]
    metric: Text
    contrast: ArmContrast
    levels: list[Text] = Field(["item"], min_length=1, max_length=3)
    strata: list[Text] = Field([])

    @property
    def scale(self) -> str:
        return self.contrast.kind

    @property
    def score_range(self) -> list[float | None] | None:
        return [0, 1] if self.likelihood in ("bernoulli", "beta_binomial") else self.range

    @property
    def parsed(self) -> Formula:
        grouping = self.levels[len(self.strata) :]
        if self.likelihood == "beta_binomial":  # counts over replicates, which are then no column
            return parse(self.formula, [ARM, *self.strata], grouping, grouping)
        names = [ARM, "replicate", *self.strata]
        return parse(self.formula, names, [*grouping, "replicate"], grouping)

    @property
    def unit(self) -> str:
        """The level whose groups are the units of replication."""
        return self.levels[len(self.strata)]

    @property
    def sides(self) -> list[Side]:
        arms = (self.contrast.treatment, self.contrast.control)
        return [Side(arm=arm, metric=self.metric) for arm in arms]

    @property
    def priors(self) -> tuple[str, ...]:
        return _PRIORS[self.likelihood]

    @model_validator(mode="after")
    def _formula_is_sound(self) -> Self:
        taken = next((level for level in self.levels if level in RESERVED), None)
        if taken:
            raise ValueError(f"levels: '{taken}' is a name of the model's own; use another")
        if self.strata != self.levels[: len(self.strata)] or len(self.strata) == len(self.levels):
            raise ValueError(
                f"strata: expected the first of the levels {', '.join(self.levels)}, not all"
            )
        self.parsed  # noqa: B018  raises
        return self
