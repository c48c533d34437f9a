"""Rows as readers take them from a file, and those that could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """What a reader takes from one row of a file; ``number`` counts from 1."""

    number: int
    document: str
    text: str | None = None
    ja: str | None = None
    en: str | None = None
    turns: Sequence[Mapping[str, str]] | None = None
    numbers: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A row that is not read, and why."""

    number: int
    reason: str


def running_text(row: Row) -> str:
    """What is cleaned and measured of a row: its text, Japanese side, or turns line by line."""
    if row.turns is not None:
        return "\n".join(turn["text"] for turn in row.turns)
    return (row.ja if row.text is None else row.text) or ""
