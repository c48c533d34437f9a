"""Records of a table as rows of the schema, or what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isinf, isnan
from typing import Any

from kensho.data.lines import LONGEST
from kensho.data.rows import Fault, Row

SIDES = {"ja": "Japanese", "en": "English"}


@dataclass(frozen=True)
class Reading:
    """How the rows of a table become rows of the schema; see `corpora.Corpus`.

    ``columns``: by text, ja, en, turns and document the column that holds it.
    """

    form: str
    columns: Mapping[str, str]
    numbers: tuple[str, ...] = ()
    longest: int = LONGEST  # bytes of a line or a cell


def reading(entry: Mapping[str, Any], form: str, longest: int) -> Reading:
    """Of a corpus as a rule's params hold it."""
    columns = {key: entry["fields"][key] for key in ("text", "ja", "en", "turns", "document")}
    columns = {key: column for key, column in columns.items() if column}
    if not columns.keys() & {"text", "ja", "turns"}:
        columns["text"] = "text"
    return Reading(form, columns, tuple(entry["fields"]["numbers"]), longest)


def lacking(column: str, there: Sequence[str], name: str) -> ValueError:
    """Of a table that has no such column."""
    known = ", ".join(there[:8]).encode(errors="replace").decode()
    return ValueError(
        f"{name}: row 1: no field '{column}', there are {known or 'none'}; name its columns by "
        "`fields`"
    )


def require(there: list[str], how: Reading, name: str) -> None:
    """All columns that are asked for. Raises ValueError where one is not there, or there twice."""
    for column in [*how.columns.values(), *how.numbers]:
        if column not in there:
            raise lacking(column, there, name)
    if double := [c for c in [*how.columns.values(), *how.numbers] if there.count(c) > 1]:
        raise ValueError(f"{name}: row 1: two fields '{double[0]}'; rename one of them")


def row(number: int, record: Mapping[str, Any], how: Reading) -> Row | Fault:
    """A record as a row of the schema, or what is wrong with it."""
    columns = how.columns
    values: dict[str, Any] = {}
    try:
        for key in ("text", "ja", "en"):
            if key in columns:
                values[key] = _string(record, columns[key], how.longest)
        for key, side in SIDES.items():
            if key in columns and not values[key].strip():
                raise ValueError(f"no {side} side")
        if "turns" in columns:
            values["turns"] = turns(record.get(columns["turns"]), columns["turns"], how.longest)
        numbers = {name: _number(record.get(name), name) for name in how.numbers}
        document = _document(record, columns["document"]) if "document" in columns else None
    except ValueError as error:
        return Fault(number, str(error))
    return Row(number, str(number) if document is None else document, **values, numbers=numbers)


def _string(record: Mapping[str, Any], column: str, longest: int) -> str:
    if column not in record:
        raise ValueError(f"no field '{column}', there are {', '.join(map(str, [*record][:8]))}")
    value = record[column]
    if value is None:
        raise ValueError(f"'{column}' is null")
    if not isinstance(value, str):
        raise ValueError(f"'{column}' is no text but {type(value).__name__}")
    if len(value) > longest:
        raise ValueError(f"{len(value):,} characters in '{column}', more than {longest:,} bytes")
    return _whole(value, column)


def _whole(value: str, column: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"'{column}' holds half a character (a lone surrogate)") from None
    return value


def turns(value: Any, column: str, longest: int) -> list[dict[str, str]]:
    """Turns of a dialogue. Raises ValueError saying what is wrong with them."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{column}' is no list of turns")
    keys = ("speaker", "text")
    for turn in value:
        if not isinstance(turn, Mapping) or not all(isinstance(turn.get(k), str) for k in keys):
            raise ValueError(f"a turn of '{column}' has no speaker or no text")
    if (length := sum(len(turn["text"]) for turn in value)) > longest:
        raise ValueError(f"{length:,} characters in '{column}', more than {longest:,} bytes")
    return [{key: _whole(turn[key], column) for key in keys} for turn in value]


def _document(record: Mapping[str, Any], column: str) -> str | None:
    """The source's own name of a document: a text, a whole number or a date."""
    value = record.get(column)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | date):
        raise ValueError(f"'{column}' is no name of a document but {type(value).__name__}")
    return _whole(str(value), column)


def _number(value: Any, name: str) -> float | None:
    """A finite number, None where it is missing; NaN counts as missing."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError(f"'{name}' is no number but {type(value).__name__}")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"'{name}' is no number but the text '{str(value)[:40]}'") from None
    if isinf(number):
        raise ValueError(f"'{name}' is infinite")
    return None if isnan(number) else number
