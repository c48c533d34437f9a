"""Batch, learning rate and rank by the size of the base (config/strategy.yaml)."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, field_validator

from kensho.validation import Count, LearningRate, Rank, Section, read_yaml, validated


class Row(Section):
    """What bases of at most ``up_to`` parameters are trained with."""

    model_config = ConfigDict(frozen=True)

    up_to: Annotated[float, Field(gt=0)]
    batch: Count
    accumulation: Count
    learning_rate: LearningRate
    rank: Rank
    memory_gb: Annotated[int, Field(gt=0)] | None = Field(description="as the source states it")
    source: Annotated[str, Field(pattern="^([A-D]|own): .", description="document, or own rule")]


class Strategy(Section):
    rows: Annotated[list[Row], Field(min_length=1)]

    @field_validator("rows")
    @classmethod
    def _ascending(cls, rows: list[Row]) -> list[Row]:
        for row, following in pairwise(rows):
            if following.up_to <= row.up_to:
                raise ValueError(f"up_to {following.up_to:g} follows {row.up_to:g}; sort the rows")
        return rows


def load(path: Path) -> list[Row]:
    """Rows by ascending size. Raises ValueError with one line for each problem."""
    return validated(Strategy, read_yaml(path), str(path)).rows


def row_for(rows: Sequence[Row], parameters: int) -> Row:
    """The first row whose ``up_to`` is not exceeded. Raises ValueError above the last."""
    for row in rows:
        if parameters <= row.up_to:
            return row
    raise ValueError(
        f"no strategy for {parameters:,} parameters: add a row to config/strategy.yaml, "
        f"whose last ends at {rows[-1].up_to:,.0f}"
    )
