"""The one schema of all corpora, and the rows that could not be read into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

TURN = pa.struct([("speaker", pa.string()), ("text", pa.string())])
# id: file:row, rows from 1; language: of pairs from which into which. A text, a pair or turns.
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence_class", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("ja", pa.string()),
        pa.field("en", pa.string()),
        pa.field("turns", pa.list_(TURN)),
    ]
)


def schema(numbers: Sequence[str] = ()) -> pa.Schema:
    """The schema of a corpus that brings numbers of its own, each a column of doubles."""
    columns = [pa.field(f"number.{name}", pa.float64()) for name in numbers]
    return pa.schema([*SCHEMA, *columns])


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
