"""Readers of tables and published files, one row after the other; a row that is bad is named.

Every reader yields `schema.Row`, or `schema.Fault` for a row that cannot be read. A file is read in
units (blocks of a JSON lines file, row groups of a Parquet file), so that several jobs share one
file and none holds it whole.
"""

import codecs
import csv
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isinf, isnan
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from kensho.data import published
from kensho.data.rows import Fault, Row

BLOCK = 1 << 24  # bytes of a unit of a JSON lines file
BATCH = 256  # rows of a Parquet file held at once
Counted = dict[Path, tuple[int, int]]
PACKED: dict[str, Callable] = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Unit:
    """A part of a file: the ``part``-th block or row group; of other files the only one."""

    path: Path
    part: int = 0


@dataclass(frozen=True)
class Reading:
    """How the rows of a table become rows of the schema; see `corpora.Corpus`.

    ``columns``: by text, ja, en, turns and document the column that holds it.
    """

    form: str
    columns: Mapping[str, str]
    numbers: tuple[str, ...] = ()
    longest: int = 5_000_000  # bytes of a line or a cell


def reading(entry: Mapping[str, Any], form: str, longest: int) -> Reading:
    """Of a corpus as a rule's params hold it."""
    columns = {key: entry["fields"][key] for key in ("text", "ja", "en", "turns", "document")}
    columns = {key: column for key, column in columns.items() if column}
    if not columns.keys() & {"text", "ja", "turns"}:
        columns["text"] = "text"
    return Reading(form, columns, tuple(entry["fields"]["numbers"]), longest)


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
                yield from _json_lines(unit, how, counted)
            case "csv":
                yield from _csv(unit.path, how, name)
            case "parquet":
                yield from _parquet_rows(unit, how, name)
            case form:
                yield from published.READERS[form](unit.path)
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise ValueError(
            f"{name}: cannot be unpacked ({error}); put the whole file there"
        ) from None


def _opened(path: Path) -> IO[bytes]:
    return PACKED.get(path.suffix, open)(path, "rb")


def _lines(file: IO[bytes], longest: int, end: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Lines that begin before ``end``, each with its bytes without its end; empty if too long."""
    while end is None or file.tell() < end:
        line = file.readline(longest + 1)
        if not line:
            return
        length = len(line)
        while len(line) > longest and not line.endswith(b"\n"):
            line = file.readline(longest + 1)
            length += len(line)
            if not line:
                break
        length -= line.endswith(b"\n")
        yield (line if length <= longest else b""), length


def _text(line: bytes, length: int, longest: int) -> str:
    """Raises ValueError saying what is wrong with a line."""
    if length > longest:
        raise ValueError(f"{length:,} bytes in one line, more than {longest:,}")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1} of the line") from None


def _json_lines(unit: Unit, how: Reading, counted: Counted) -> Iterator[Row | Fault]:
    number, end = 0, None
    with _opened(unit.path) as file:
        if unit.path.suffix not in PACKED:
            begin, end = unit.part * BLOCK, (unit.part + 1) * BLOCK
            if begin:  # a line is of the block in which it begins
                number = _newlines(file, begin - 1, *counted.get(unit.path, (0, 0)))
                counted[unit.path] = begin - 1, number
                for _ in _lines(file, how.longest, begin):
                    number += 1
        for line, length in _lines(file, how.longest, end):
            number += 1
            try:
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                text = _text(line, length, how.longest)
                if not text.strip():
                    continue
                record = json.loads(text)
                if not isinstance(record, dict):
                    raise ValueError("not a JSON object")
            except json.JSONDecodeError as error:
                yield Fault(number, f"not JSON ({error.msg} at character {error.pos + 1})")
            except (ValueError, RecursionError) as error:
                yield Fault(number, str(error))
            else:
                yield _row(number, record, how)


def _newlines(file: IO[bytes], end: int, begin: int, count: int) -> int:
    """How many lines end before a byte, to which the file is then set; ``count`` before another."""
    file.seek(begin)
    while (left := end - file.tell()) > 0:
        count += file.read(min(left, 1 << 20)).count(b"\n")
    return count


def _csv(path: Path, how: Reading, name: str) -> Iterator[Row | Fault]:
    """Rows are named by the line on which they begin."""
    begun, faults = [0, 0], list[Fault]()  # lines read; line on which the row begins

    def decoded(file: IO[bytes]) -> Iterator[str]:
        for line, length in _lines(file, how.longest):
            begun[0] += 1
            begun[1] = begun[1] or begun[0]
            try:
                yield _text(line, length, how.longest)
            except ValueError as error:
                faults.append(Fault(begun[0], str(error)))
                yield "\n"

    def next_of(reader: Iterator[list[str]]) -> list[str]:
        others = csv.field_size_limit(how.longest)  # of all readers of this process
        try:
            return next(reader)
        finally:
            csv.field_size_limit(others)

    with _opened(path) as file:
        reader = csv.reader(decoded(file), strict=True)
        header: list[str] = []
        try:
            header = [cell.removeprefix("\ufeff") for cell in next_of(reader)]
        except StopIteration:
            pass
        except csv.Error as error:
            faults.append(Fault(1, f"not CSV ({error})"))
        if faults:
            raise ValueError(f"{name}: row 1: {faults[0].reason}; save it as CSV in UTF-8")
        _require(header, how, name)
        while True:
            begun[1] = 0
            try:
                cells = next_of(reader)
            except StopIteration:
                cells = None
            except csv.Error as error:
                cells = []
                faults.append(Fault(begun[1], f"not CSV ({error})"))
            yield from faults
            spoilt = bool(faults)
            faults.clear()
            if cells is None:
                return
            if spoilt or not cells:
                continue
            if len(cells) != len(header):
                yield Fault(begun[1], f"{len(cells)} fields, the head has {len(header)}")
                continue
            record: dict[str, Any] = dict(zip(header, cells, strict=True))
            yield _row(begun[1], {key: value or None for key, value in record.items()}, how)


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
        _require(file.schema_arrow.names, how, name)
        groups = [file.metadata.row_group(number).num_rows for number in range(unit.part)]
        number = sum(groups)
        columns = [*dict.fromkeys([*how.columns.values(), *how.numbers])]
        try:
            for batch in file.iter_batches(BATCH, row_groups=[unit.part], columns=columns):
                for record in batch.to_pylist():
                    number += 1
                    yield _row(number, record, how)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ValueError(
                f"{name}: row {number + 1}: not readable from here on ({reason}); put a whole "
                "file there"
            ) from None


def _require(there: list[str], how: Reading, name: str) -> None:
    """All columns that are asked for."""
    if lacking := [c for c in [*how.columns.values(), *how.numbers] if c not in there]:
        raise ValueError(
            f"{name}: row 1: no field '{lacking[0]}', there are {', '.join(there[:8]) or 'none'}; "
            "name its columns by `fields`"
        )
    if double := [c for c in [*how.columns.values(), *how.numbers] if there.count(c) > 1]:
        raise ValueError(f"{name}: row 1: two fields '{double[0]}'; rename one of them")


def _row(number: int, record: Mapping[str, Any], how: Reading) -> Row | Fault:
    """A record as a row of the schema, or what is wrong with it."""
    columns = how.columns
    values: dict[str, Any] = {}
    try:
        for key in ("text", "ja", "en"):
            if key in columns:
                values[key] = _string(record, columns[key], how.longest)
        if "turns" in columns:
            values["turns"] = _turns(record, columns["turns"])
        numbers = {name: _number(record.get(name), name) for name in how.numbers}
    except ValueError as error:
        return Fault(number, str(error))
    document = record.get(columns.get("document", ""))
    return Row(number, str(number if document is None else document), **values, numbers=numbers)


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
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"'{column}' holds half a character (a lone surrogate)") from None
    return value


def _turns(record: Mapping[str, Any], column: str) -> list[dict[str, str]]:
    turns = record.get(column)
    if not isinstance(turns, list) or not turns:
        raise ValueError(f"'{column}' is no list of turns")
    keys = ("speaker", "text")
    for turn in turns:
        if not isinstance(turn, Mapping) or not all(isinstance(turn.get(k), str) for k in keys):
            raise ValueError(f"a turn of '{column}' has no speaker or no text")
    return [{key: turn[key] for key in keys} for turn in turns]


def _number(value: Any, name: str) -> float | None:
    """A finite number, None where it is missing; NaN counts as missing."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"'{name}' is no number but {type(value).__name__}")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"'{name}' is no number but the text '{str(value)[:40]}'") from None
    if isinf(number):
        raise ValueError(f"'{name}' is infinite")
    return None if isnan(number) else number
