"""The one schema of all corpora."""

from collections.abc import Sequence

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
