"""Cells of CSV, JSON lines and Parquet, read in passing: no file is held as a whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from kensho.claims.base import ExternalTable
from kensho.external.kinds import expect, opened, undecodable
from kensho.external.rows import At, dig, known, need, shown

ABSENT = object()  # a column that may be missing and is
DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}
csv.field_size_limit(1 << 30)  # a long answer in a cell is no fault; the default is 131,072


def records(
    table: ExternalTable, needed: Mapping[str, str], optional: Mapping[str, str]
) -> Iterator[tuple[At, dict]]:
    """Where each record stands, and its cells by the names that `needed` and `optional` give.

    Their values are the columns. An optional one that is not there gives ABSENT. Raises ValueError,
    one line with file and line, for a file of another kind, without a needed column, or with a torn
    record.
    """
    expect(table.path, table.format)
    read = {"jsonl": _json, "parquet": _parquet}.get(table.format, _csv)
    names, where = [*needed, *optional], None
    for where, cells in read(table, list(needed.values()), list(optional.values())):
        yield where, dict(zip(names, cells, strict=True))
    if where is None:
        raise ValueError(f"{table.path}: holds no result")


def objects(table: ExternalTable) -> Iterator[tuple[At, dict]]:
    """Objects of JSON lines, or of one JSON list, and where each stands."""
    with opened(table.path) as file:
        listed = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"["
    if listed:
        for number, entry in enumerate(document(table), start=1):
            where = At(table, number)
            if not isinstance(entry, dict):
                raise ValueError(f"{where}: not a JSON object")
            yield where, entry
        return
    with opened(table.path) as file:
        for number, raw in enumerate(file, start=1):
            where = At(table, number)
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise undecodable(table.path) from None
            if not text.strip():
                continue
            try:
                entry = json.loads(text)
            except (ValueError, RecursionError):
                entry = None
            if not isinstance(entry, dict):
                raise ValueError(f"{where}: not a JSON object; each line holds one")
            yield where, entry


def document(table: ExternalTable) -> Any:
    """The one JSON value of a file. Raises ValueError with file and line where there is none."""
    with opened(table.path) as file:
        raw = file.read()
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise undecodable(table.path) from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{table.path}, line {error.lineno}: not JSON ({error.msg}); was it cut short?"
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; deep nesting
        raise ValueError(f"{table.path}: not readable JSON ({error})") from None


def _json(table, needed, optional) -> Iterator[tuple[At, list]]:
    for where, line in objects(table):
        yield where, [need(line, key, where) for key in needed] + _optional(line, optional)


def _optional(line: object, keys: Sequence[str]) -> list:
    cells = []
    for key in keys:
        try:
            cells.append(dig(line, key))
        except KeyError:
            cells.append(ABSENT)
    return cells


def _csv(table, needed, optional) -> Iterator[tuple[At, list]]:
    delimiter = "\t" if table.delimiter == "tab" else table.delimiter or ","
    with opened(table.path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as stream:
        lines = csv.reader(stream, delimiter=delimiter, strict=True)
        ended = 0  # line on which the last record ended
        try:
            header = next(lines, [])
            places = _columns(table, header, delimiter, needed, optional)
            ended = lines.line_num
            cells_of = itemgetter(*places, 0, 0)  # two more, so that there is always a tuple
            for cells in lines:
                where, ended = At(table, ended + 1), lines.line_num
                if not cells:  # a blank line
                    continue
                if len(cells) != len(header):
                    raise ValueError(f"{where}: not {len(header)} cells like the header")
                held = cells_of([*cells, ABSENT])[:-2]
                yield where, [c if c is ABSENT else c.strip() for c in held]
        except UnicodeDecodeError:
            raise undecodable(table.path) from None
        except csv.Error as error:
            cause = str(error)
            if "unexpected end" in cause:
                cause = "a quote is opened here that nothing closes"
            raise ValueError(f"{At(table, ended + 1)}: {cause}") from None


def _columns(table, header, delimiter, needed, optional) -> list[int]:
    """Place of each column in a row; one past the end for an optional one that is not there."""
    where, header = At(table, 1), [name.strip() for name in header]
    if not any(header):
        raise ValueError(f"{table.path}: holds no result")
    if doubled := sorted({name for name in header if name and header.count(name) > 1}):
        raise ValueError(f"{where}: column '{shown(doubled[0])}' stands there twice")
    for column in needed:
        if column not in header:
            other = next((d for d in DELIMITERS if d != delimiter and d in "".join(header)), None)
            if len(header) == 1 and other:
                raise ValueError(
                    f"{where}: no column '{column}': the cells are parted by another sign; say "
                    f"delimiter: {DELIMITERS[other]}"
                )
            raise _without(table, column, header, where)
    return [header.index(c) if c in header else len(header) for c in [*needed, *optional]]


def _without(
    table: ExternalTable, column: str, columns: Sequence[str], where: object
) -> ValueError:
    """What to say of a column that is not there."""
    message = f"{where}: no column '{column}', {known(column, columns)}"
    if column == (table.score or "score") and table.layout is None:
        message += "; if each arm has a column of its own, say layout: wide"
    return ValueError(message)


def _parquet(table, needed, optional) -> Iterator[tuple[At, list]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(table.path) as file:
            columns = file.schema_arrow.names
            for key in needed:
                if _top(key, columns) not in columns:
                    raise _without(table, key, columns, table.path)
            tops = {_top(key, columns) for key in [*needed, *optional]} & set(columns)
            number = 0
            for batch in file.iter_batches(batch_size=65_536, columns=sorted(tops)):
                names = batch.schema.names
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    where, line = At(table, number), dict(zip(names, cells, strict=True))
                    yield (
                        where,
                        [need(line, key, where) for key in needed] + _optional(line, optional),
                    )
    except (ArrowException, OSError) as error:
        cause = shown(str(error).splitlines()[0], 100) if str(error) else "damaged"
        raise ValueError(f"{table.path}: not readable Parquet ({cause})") from None


def _top(key: str, columns: Sequence[str]) -> str:
    return key if key in columns else key.partition(".")[0]
