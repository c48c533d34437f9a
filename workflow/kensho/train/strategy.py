"""Analysis of model, data and device, and what they are trained with (config/strategy.yaml).

Pure: :mod:`kensho.train.analysis` measures. The decision is a recipe, an overlay of the
configuration that a person reads, changes and pins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import ConfigDict, Field, field_validator

from kensho.models.cards import Card
from kensho.part import resolve
from kensho.train.catalogue import METHODS
from kensho.train.plan import ADAPTABLE, TARGETS, Module, Step, plan
from kensho.validation import Count, LearningRate, Name, Rank, Section, Share, read_yaml, validated

Source = Annotated[str, Field(pattern="^([A-D]|own): .", description="document, or own rule")]
Task = Literal["standard", "complex"]
NAME = "by-strategy"  # of the arm
BOUND = 64  # longest samples are rounded up to it, so that one more sample changes no recipe


class Row(Section):
    """What bases of at most ``up_to`` parameters are trained with."""

    model_config = ConfigDict(frozen=True)

    up_to: Annotated[float, Field(gt=0)]
    batch: Count
    accumulation: Count
    learning_rate: LearningRate
    rank: Rank
    memory_gb: Annotated[int, Field(gt=0)] | None = Field(description="as the source states it")
    source: Source


class Ranks(Section):
    """Ranks that a kind of task takes; that of the base's row is moved to the nearest."""

    least: Rank
    most: Rank
    source: Source


class Way(Section):
    """A method, with or without activations that are computed again."""

    method: Name
    checkpointing: bool
    source: Source

    @field_validator("method")
    @classmethod
    def _planned(cls, name: str) -> str:
        if not resolve(METHODS[name].code).branches:
            raise ValueError(f"a step of method {name} is not planned; take lora or qlora")
        return name


class Modules(Section):
    targets: Annotated[list[Module], Field(min_length=1)]
    source: Source


class Sign(Section):
    """What a figure of the analysis above ``above`` advises before any adapter."""

    figure: Literal["nll_per_character", "tokens_per_character"]
    above: Annotated[float, Field(gt=0)]
    advice: str
    source: Source


class Strategy(Section):
    rows: Annotated[list[Row], Field(min_length=1)]
    ranks: dict[Task, Ranks]
    modules: Modules
    memory: Share = Field(description="of the device's, that a planned step may take")
    ways: Annotated[list[Way], Field(min_length=1, description="the first that fits is taken")]
    signs: list[Sign]

    @field_validator("rows")
    @classmethod
    def _ascending(cls, rows: list[Row]) -> list[Row]:
        for row, following in pairwise(rows):
            if following.up_to <= row.up_to:
                raise ValueError(f"up_to {following.up_to:g} follows {row.up_to:g}; sort the rows")
        return rows


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What decides. ``nll_per_character`` (nat) and ``tokens_per_character`` are of held-out
    Japanese; ``length`` is the 95th percentile of the training samples in tokens, prompt included;
    ``memory_bytes`` is the device's."""

    model: str
    parameters: int
    vocabulary: int
    nll_per_character: float
    tokens_per_character: float
    samples: int
    length: int
    device: str
    memory_bytes: int
    dtype: Literal["float32", "bfloat16"]


class Decision(NamedTuple):
    """Settings of a stage of training, steps and length, the planned peak and the reasons."""

    stage: dict[str, Any]
    steps: int
    max_length: int
    peak_bytes: int
    reasons: list[str]


def read(path: Path) -> Strategy:
    """The tables. Raises ValueError with one line for each problem."""
    return validated(Strategy, read_yaml(path), str(path))


def load(path: Path) -> list[Row]:
    """Rows by ascending size. Raises ValueError as :func:`read` does."""
    return read(path).rows


def row_for(rows: Sequence[Row], parameters: int) -> Row:
    """The first row whose ``up_to`` is not exceeded. Raises ValueError above the last."""
    for row in rows:
        if parameters <= row.up_to:
            return row
    raise ValueError(
        f"no strategy for {parameters:,} parameters: add a row to config/strategy.yaml, "
        f"whose last ends at {rows[-1].up_to:,.0f}"
    )


def require_planned(card: Card, key: str) -> None:
    """Raises ValueError for a base that no step is planned for; the setting ``key`` names it."""
    if card.model_type not in ADAPTABLE:
        raise ValueError(
            f"{key} (null for train.base): '{card.name}' is of type {card.model_type}; take one of "
            f"type {', '.join(ADAPTABLE)}"
        )


def decide(analysis: Analysis, card: Card, task: Task, tables: Strategy) -> Decision:
    """Method, rank, targets, batch and learning rate for a base of an architecture.

    Each sample is seen once. Raises ValueError where no way fits the device, or where
    :func:`kensho.train.plan.plan` does not know the architecture.
    """
    row, bounds = row_for(tables.rows, analysis.parameters), tables.ranks[task]
    rank = min(max(row.rank, bounds.least), bounds.most)
    length = -(-analysis.length // BOUND) * BOUND
    way, batch, peak = _fitting(analysis, card, rank, row, length, tables)
    accumulation = row.batch * row.accumulation // batch
    targets = tables.modules.targets
    stage = {
        "stage": "sft",
        "learning_rate": row.learning_rate,
        "batch_size": batch,
        "accumulation": accumulation,
        "checkpointing": way.checkpointing,
        "method": {"name": way.method, "rank": rank, "targets": list(targets)},
    }
    steps = max(3, -(-analysis.samples // (batch * accumulation)))
    limit = analysis.memory_bytes * tables.memory
    reasons = [
        f"learning rate and {batch * accumulation} samples a step: {row.source}",
        f"rank {row.rank} of that row, moved into {bounds.least} to {bounds.most}: {bounds.source}",
        f"{', '.join(targets)}: {tables.modules.source}",
        f"{way.method}{' with checkpointing' * way.checkpointing}, batch {batch}: a step plans "
        f"{peak / 1e9:.2f} GB of {limit / 1e9:.2f} GB ({way.source})",
    ]
    advised = [
        f"advice: {sign.advice}, since {sign.figure.replace('_', ' ')} is {value:.2f}, above "
        f"{sign.above:g} ({sign.source})"
        for sign in tables.signs
        if (value := getattr(analysis, sign.figure)) > sign.above
    ]
    return Decision(stage, steps, length, peak, reasons + advised)


def _fitting(
    analysis: Analysis, card: Card, rank: int, row: Row, length: int, tables: Strategy
) -> tuple[Way, int, int]:
    """The first way whose planned step fits, with the largest batch by halving, and its peak.

    Batches divide the samples of a step, which stay what the row has.
    """
    limit = analysis.memory_bytes * tables.memory
    targets = next(key for key, names in TARGETS.items() if {*tables.modules.targets} <= {*names})
    halves = (row.batch >> halved for halved in range(row.batch.bit_length()))
    batches = [batch for batch in halves if row.batch * row.accumulation % batch == 0]
    for way, rows in product(tables.ways, batches):
        method = resolve(METHODS[way.method].code)
        shape = (method, analysis.dtype, rows, length, rank, targets)
        peak = plan(card, Step(*shape, checkpointing=way.checkpointing))["peak"]
        if peak <= limit:
            return way, rows, peak
    raise ValueError(
        f"{analysis.model}: a step of one sample plans {peak / 1e9:.1f} GB by the last way, "
        f"{limit / 1e9:.1f} GB are there ({analysis.device}); take a smaller model"
    )


def recipe(analysis: Analysis, decision: Decision) -> str:
    """An overlay of the configuration as YAML; analysis and reasons stand above it as comments."""
    own: Mapping[str, Any] = {
        "train": {
            "base": analysis.model,
            "steps": decision.steps,
            "max_length": decision.max_length,
            "arms": [{"name": NAME, "stages": [decision.stage]}],
        }
    }
    lines = [f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in vars(analysis).items()]
    comments = [
        "Made by `snakemake strategy`; lay it over a configuration with --configfile, or edit it.",
        "Analysis",
        *(f"  {line}" for line in lines),
        "Why",
        *(f"  {line}" for line in decision.reasons),
    ]
    text = yaml.safe_dump(own, sort_keys=False, allow_unicode=True, width=100)
    return "".join(f"# {line}\n" for line in comments) + text


def _shown(value: object) -> str:
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:.3f}"
        if isinstance(value, float)
        else str(value)
    )
