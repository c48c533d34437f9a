"""The record of one training: what was trained on what, and what it observed of itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from kensho.files import read_json, write_json
from kensho.observations.conditions import Hardware, Record
from kensho.observations.ran import Data
from kensho.validation import validated


class Token(Record):
    """A token of a sample, as text, and whether it is learned."""

    text: str
    learned: bool


class Audit(Record):
    """What a training was about to learn: counts of its samples as cut, and what is odd in them.

    ``learned`` tokens are those with loss; ``shown`` has the first samples token by token.
    """

    samples: int
    tokens: int
    learned: int
    warnings: list[str]
    shown: list[list[Token]]


class Measured(Record):
    """What a stage observes of itself.

    ``tokens_per_second`` is None where no step lay beyond warm-up; ``weights`` and ``dtype`` are
    those in which the weights were held and computed.
    """

    trainable_parameters: int
    peak_memory_bytes: int
    tokens_per_second: float | None
    samples_in_order_sha256: str
    weights: str
    dtype: str
    processes: int = Field(1, description="that shared weights and rows (FSDP2)")
    own: dict[str, float] = Field({}, description="what a stage observes beside these")
    read: int | None = Field(None, description="different samples; null in older files")
    rows: str | None = Field(None, description="packed, or why they were padded; null in older")
    audit: Audit | None = Field(None, description="of the samples; null in older files")
    loss_unit: str | None = Field(None, description="of its steps; null in older files")


class TrainingRecord(Measured):
    """``record.json`` of one arm, stage and seed; ``base`` is the record of the base model."""

    arm: str
    number: int
    stage: str
    settings: dict[str, Any]
    seed: int
    samples_sha256: str
    tested: int = Field(0, description="documents left out, since the test set has them too")
    data: Data | None = Field(None, description="how much of the samples; null in older files")
    base: dict[str, Any]
    threads: int
    fallbacks: list[str]
    registered: dict[str, dict[str, Any]]
    hardware: Hardware
    software: dict[str, str]
    rocm_variables: dict[str, str] = Field({})


def read(path: Path | str) -> TrainingRecord:
    """A record from its file. Raises ValueError, a line for each key that is wrong."""
    return validated(TrainingRecord, read_json(path), str(path))


def write(path: Path | str, values: Mapping[str, Any]) -> None:
    """Write the record of a training. Raises ValueError as :func:`read` does."""
    write_json(path, validated(TrainingRecord, dict(values), str(path)).model_dump())
