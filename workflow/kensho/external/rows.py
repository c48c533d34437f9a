"""Rows of brought tables: where they stand, what may be in them, and how their blocks are named."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from kensho.claims.base import ExternalTable
from kensho.external.kinds import opened
from kensho.messages import escaped

ORDERS = ("preference.first", "preference.second")  # the arm was shown first, or second
# A slash parts the levels of a block, and control characters survive neither CSV nor terminal. A
# percent sign is written so only where it would read as one of these.
ESCAPED = re.compile(r"[/\x00-\x1f\x7f-\x9f]|%(?=2[5F]|[0189][0-9A-F]|7F)")
# Rows of a table of tasks that by their name are the mean of others ("all", "mmlu:_average|5").
AVERAGE = re.compile(
    r"_*(all|total|平均|全体)_*|(.*[|:/])?_*(macro_|micro_)?(average|avg|mean|overall)_*(\|.*)?",
    re.IGNORECASE,
)
# What a place counts, where it is not always a line.
KINDS = {"parquet": "row", "crate": "row", "inspect": "sample", "lm-eval-results": "task"}


class Evidence(NamedTuple):
    """Digests of what an item is, where a log says it; None where it does not."""

    hash: str | None = None  # of the document, as the log was written
    text: str | None = None  # of what in the document can tell it from others
    document: str | None = None  # of the document that the hash is of, whatever the order of keys
    prompt: str | None = None
    target: str | None = None
    task: str | None = None  # these two as they are
    shots: str | None = None


class Row(NamedTuple):
    """One result. `value` is NaN where the file has the item but no result of it."""

    arm: str
    metric: str
    block: str
    value: float
    place: int
    unit: str = "score"
    replicate: int = 0
    judge: str | None = None
    evidence: Evidence | None = None  # None where the user named the items


class At(NamedTuple):
    """Where a row stands, for messages."""

    table: ExternalTable
    place: int

    def __str__(self) -> str:
        return f"{self.table.path}, {KINDS.get(self.table.format) or self._kind()} {self.place}"

    def _kind(self) -> str:
        with opened(self.table.path) as file:
            return "entry" if file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"[" else "line"


def owner(table: ExternalTable) -> str:
    """The arm whose results the table holds. Raises ValueError where nothing says it."""
    if table.arm is None:
        raise ValueError(f"{table.path}: nothing says whose results these are; give its arm")
    return table.arm


def shown(value: object, most: int = 60) -> str:
    """Text from a file as a message may show it: short, on one line, without control characters."""
    text = str(value)
    return escaped(text if len(text) <= most else text[:most] + "…")


def known(name: str, names: Iterable[object]) -> str:
    """The nearest of the known names to a mistyped one, and the known ones, nearest first."""
    names = sorted(set(map(str, names)))[:1000]
    nearest = [shown(n) for n in get_close_matches(name, names, n=12, cutoff=0)]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    parts = [f"did you mean '{shown(near[0])}'?"] if near else []
    if len(names) > 1 or not near:
        more = " …" if len(names) > 12 else ""
        parts.append(f"known: {', '.join(nearest) or 'none'}{more}")
    return " ".join(parts)


def is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def text(value: object, what: str, where: At) -> str:
    """A cell that names something. Raises ValueError where it is blank, a list or half a character.

    A lone surrogate has no UTF-8: it can stand in JSON, but not in the table that is written.
    """
    if is_blank(value):
        raise ValueError(f"{where}: nothing says the {what}; give it in the table")
    if isinstance(value, list | dict):
        raise ValueError(f"{where}: {what} is {shown(value)}, not a name")
    name = str(value)
    try:
        name.isascii() or name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where}: {what} '{shown(name)}' holds half a character") from None
    return name


def number(value: object, name: str, where: At, decimal: str | None = None) -> float:
    """A cell's finite number, NaN where it is blank. Raises ValueError for anything else."""
    if is_blank(value):
        return math.nan
    cell: Any = value
    if decimal == "," and isinstance(value, str):
        cell = "" if "." in value else value.replace(",", ".")
    try:
        finite = math.nan if isinstance(cell, list | dict) else float(cell)
    except (TypeError, ValueError, OverflowError):
        finite = math.nan
    if math.isfinite(finite) and not (isinstance(cell, str) and "_" in cell):
        return finite
    hint = " with a decimal comma" if decimal == "," else ""
    plain = unicodedata.normalize("NFKC", str(value)).strip().casefold()
    if not hint and re.fullmatch(r"[-+]?[0-9]+,[0-9]+", plain):
        hint = "; if this is a decimal comma, say decimal: ','"
    elif plain in ("true", "false", "yes", "no"):
        hint = "; write 1 or 0"
    elif re.fullmatch(r"[-+]?[0-9.]+%", plain):
        hint = "; write it without %"
    elif re.fullmatch(r"[-+]?[0-9.]+", plain) and plain != str(value).strip():
        hint = "; write it in half-width figures"
    raise ValueError(f"{where}: {name} is '{shown(value, 40)}', not a finite number{hint}")


def whole(value: object, name: str, where: At) -> int:
    """A cell's whole number. Raises ValueError for anything else."""
    if not re.fullmatch(r"-?[0-9]{1,9}(\.0)?", str(value)):  # 1.0 where a column has blanks
        raise ValueError(f"{where}: {name} '{shown(value)}' is not a whole number")
    return int(float(str(value)))


def block(levels: Sequence[str], item: object, cluster: object, task: object, where: At) -> str:
    """Name of the block: the level `task` is the task, the last the item, any other the cluster."""
    parts = []
    for level in levels:
        part = task if level == "task" else item if level == levels[-1] else cluster
        if levels[-1] == "task" and AVERAGE.fullmatch(str(part)):
            raise ValueError(
                f"{where}: the task '{shown(part)}' is by its name the mean of others; take it out"
            )
        parts.append(ESCAPED.sub(_escape, text(part, level, where)))
    return "/".join(parts)


def _escape(match: re.Match) -> str:
    return f"%{ord(match[0]):02X}"


def dig(line: object, key: str) -> object:
    """Value of a key; "a.b" is b inside a, "a.0" the first of a list.

    Raises KeyError where it is not there.
    """
    if isinstance(line, dict) and key in line:
        return line[key]
    first, dot, rest = key.partition(".")
    if isinstance(line, list) and first.isascii() and first.isdigit() and int(first) < len(line):
        inside = line[int(first)]
    elif dot and isinstance(line, dict) and first in line:
        inside = line[first]
    else:
        raise KeyError(key)
    return dig(inside, rest) if dot else inside


def need(line: object, key: str, where: At) -> object:
    """As :func:`dig`; ValueError, one line with the known keys, where it is not there."""
    try:
        return dig(line, key)
    except KeyError:
        held = f", {known(key, line)}" if isinstance(line, dict) and line else ""
        raise ValueError(f"{where}: no {key}{held}") from None


def choice(key: str, named: str | None, names: Collection[str], where: object) -> str:
    """The name that the claim gives under `key`, or the only one there; else ValueError."""
    if named is None and len(names) != 1:
        raise ValueError(
            f"{where}: holds the {key}s {', '.join(map(shown, sorted(names))) or 'none'}; "
            f"choose one with `{key}:` in the claim"
        )
    if named is not None and named not in names:
        raise ValueError(f"{where}: no {key} '{named}', {known(named, names)}")
    return named or next(iter(names))
