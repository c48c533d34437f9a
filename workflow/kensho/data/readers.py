"""Readers of tables and published files, one row after the other; a row that is bad is named.

Every reader yields `schema.Row`, or `schema.Fault` for a row that cannot be read. A file is read in
units (blocks of a JSON lines file, row groups of a Parquet file), so that several jobs share one
file and none holds it whole.
"""

import codecs
import gzip
import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from kensho.data import csv_rows, published, records
from kensho.data.lines import PACKED, lines, opened, text
from kensho.data.records import Reading
from kensho.data.rows import Fault, Row

BLOCK = 1 << 24  # bytes of a unit of a JSON lines file
BATCH = 256  # rows of a Parquet file held at once
Counted = dict[Path, tuple[int, int]]


@dataclass(frozen=True)
class Unit:
    """A part of a file: the ``part``-th block or row group; of other files the only one."""

    path: Path
    part: int = 0


def units(path: Path, form: str) -> list[Unit]:
    """The parts of a file in their order. Raises ValueError for a Parquet file that is cut."""
    if form == "parquet":
        with _parquet(path) as file:
            return [Unit(path, part) for part in range(file.num_row_groups)]
    if form == "jsonl" and path.suffix not in PACKED:
        return [Unit(path, part) for part in range(max(1, -(-path.stat().st_size // BLOCK)))]
    return [Unit(path)]


def rows(unit: Unit, how: Reading, name: str, counted: Counted) -> Iterator[Row | Fault]:
    """The rows of a unit of the file that is called ``name``.

    ``counted`` is empty at first and the same for all units of a job, which come in their order: it
    holds how many lines end before a byte of each file, so that none is counted twice.

    Raises ValueError, one line with file and row, for a file that no row can be read from: cut
    short, packed otherwise than its name says, or without the columns that are asked for.
    """
    try:
        match how.form:
            case "jsonl":
                yield from _json_lines(unit, how, name, counted)
            case "csv":
                yield from csv_rows.rows(unit.path, how, name)
            case "parquet":
                yield from _parquet_rows(unit, how, name)
            case form:
                yield from published.READERS[form](unit.path, how.longest)
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(
            f"{name}: cannot be unpacked ({error}); put the whole file there"
        ) from None


def _json_lines(unit: Unit, how: Reading, name: str, counted: Counted) -> Iterator[Row | Fault]:
    number, end = 0, None
    optional = {column for column in (how.columns.get("document"), *how.numbers) if column}
    first: dict[str, Any] = {}
    with opened(unit.path) as file:
        if unit.path.suffix not in PACKED:
            begin, end = unit.part * BLOCK, (unit.part + 1) * BLOCK
            if begin:  # a line is of the block in which it begins
                number = _newlines(file, begin - 1, *counted.get(unit.path, (0, 0)))
                counted[unit.path] = begin - 1, number
                for _ in lines(file, how.longest, begin):
                    number += 1
        for line, length in lines(file, how.longest, end):
            number += 1
            try:
                record = _record(
                    line if number > 1 else line.removeprefix(codecs.BOM_UTF8), length, how
                )
            except ValueError as error:
                yield Fault(number, str(error))
                continue
            if record is not None:
                first = first or record
                optional -= record.keys()
                yield records.row(number, record, how)
    for column in sorted(optional) if first else ():  # a row may lack it, a whole file may not
        if not _named(unit.path, column, how):
            raise records.lacking(column, [*first], name)


def _record(line: bytes, length: int, how: Reading) -> dict[str, Any] | None:
    """An object of one line, None of an empty one. Raises ValueError saying what is wrong."""
    content = text(line, length, how.longest)
    if not content.strip():
        return None
    try:
        record = json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos + 1})") from None
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def _named(path: Path, column: str, how: Reading) -> bool:
    """Whether any row of the whole file has a key."""
    with opened(path) as file:
        for line, length in lines(file, how.longest):
            try:
                if column in (_record(line.removeprefix(codecs.BOM_UTF8), length, how) or {}):
                    return True
            except ValueError:
                continue
    return False


def _newlines(file: IO[bytes], end: int, begin: int, count: int) -> int:
    """How many lines end before a byte, to which the file is then set; ``count`` before another."""
    file.seek(begin)
    while (left := end - file.tell()) > 0:
        count += file.read(min(left, 1 << 20)).count(b"\n")
    return count


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"{path}: row 1: not a whole Parquet file ({reason}); put the whole file there"
        ) from None


def _parquet_rows(unit: Unit, how: Reading, name: str) -> Iterator[Row | Fault]:
    with _parquet(unit.path) as file:
        records.require(file.schema_arrow.names, how, name)
        groups = [file.metadata.row_group(number).num_rows for number in range(unit.part)]
        number = sum(groups)
        columns = [*dict.fromkeys([*how.columns.values(), *how.numbers])]
        try:
            for batch in file.iter_batches(BATCH, row_groups=[unit.part], columns=columns):
                for record in _values(batch):
                    number += 1
                    if isinstance(record, dict):
                        yield records.row(number, record, how)
                    else:
                        yield Fault(number, record)
        except (pa.ArrowException, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ValueError(
                f"{name}: row {number + 1}: not readable from here on ({reason}); put a whole "
                "file there"
            ) from None


def _values(batch: Any) -> list[dict[str, Any] | str]:
    """Records of a batch; of one that holds what is no value of its kind, why."""
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError):
        if len(batch) > 1:
            return [row for place in range(len(batch)) for row in _values(batch.slice(place, 1))]
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.to_pylist()
        except UnicodeDecodeError as error:
            return [f"'{name}' is not UTF-8 at byte {error.start + 1}"]
        except (ValueError, OverflowError):
            return [f"'{name}' is out of the range of its kind ({column.type})"]
    raise AssertionError("a batch is as readable as its columns")
