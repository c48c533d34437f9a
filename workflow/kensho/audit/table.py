"""A table against itself: which checks hold which of its columns, and what they find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from kensho.audit import catalogue
from kensho.audit.printed import (
    Figure,
    Finding,
    Unfit,
    Word,
    absent,
    exact,
    listed,
    unknown,
    whole,
)
from kensho.audit.reading import column, read
from kensho.files import sha256
from kensho.validation import read_yaml, validated

COLUMNS = ["table", "number", "check", "columns", "row", "place", "word", "sentence", "needs"]
COUNTED = ["table", "number", "check", "columns", *(word.value for word in Word), "absent"]
Name = Annotated[str, Field(min_length=1)]


class Check(BaseModel):
    """One check; its arguments are names of columns, or numbers, the rest as in `Spec`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    check: Name
    scale: Annotated[int, Field(ge=1)] | None = None
    decimals: Annotated[int, Field(ge=0)] | None = None
    counts: list[Name] = []  # columns whose whole numbers were counted and not rounded

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Tie(BaseModel):
    """A column whose order is asked for: which rows nothing published separates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: Name
    items: Annotated[int, Field(ge=2)]


class Spec(BaseModel):
    """What a table's columns are, and what is to be held against what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Name
    table: Name  # path, from the folder of this file; or of the mirror, with `mirror: true`
    mirror: bool = False
    number: Annotated[int, Field(ge=1)] = 1  # of a file with several tables
    headers: Annotated[int, Field(ge=1)] = 1  # lines with names of columns at its top
    rows: Name  # column that names the rows
    scale: Annotated[int, Field(ge=1)] = 1  # what a share of 1 is printed as: 100 for per cent
    decimals: Annotated[int, Field(ge=0)] = 0  # printed at least, where a file drops zeros
    checks: list[Check]
    ties: list[Tie] = []


def load(path: Path) -> Spec:
    """A specification. Raises ValueError with a line for each problem."""
    spec = validated(Spec, read_yaml(path), str(path))
    for number, check in enumerate(spec.checks):
        try:
            catalogue.checked_names(check.check, check.arguments)
        except ValueError as error:
            raise ValueError(f"{path}: checks[{number}]: {error}") from None
    return spec


def audit(
    spec: Spec, table: pd.DataFrame, where: str, cards: catalogue.Cards | None = None
) -> pd.DataFrame:
    """Findings of all checks: one row each, columns COLUMNS; `place` says where in its file a row
    stands.

    A row of the table in which every cell that a check asks for is empty is passed over; where only
    some are, the finding is NOT CHECKABLE. Args: cards as of `kensho.audit.cards`.

    Raises ValueError, one line with the cell, for a cell that is no figure, a column that is not
    there and a row without a name.
    """
    names = column(table, spec.rows, where)
    if nameless := next((p for p, n in names.items() if not n.strip()), None):
        raise ValueError(f"{where}, {nameless}: no '{spec.rows}'; add the name of the row")
    rows = [
        (spec.title, number, *row)
        for number, check in enumerate(spec.checks, start=1)
        for row in _of_check(check, spec, table, where, cards)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def counts(spec: Spec, findings: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """How many findings of each check got each word; `absent` counts rows without a cell for it."""
    rows = []
    for number, check in enumerate(spec.checks, start=1):
        words = findings.loc[findings["number"] == number, "word"].value_counts()
        names = list(dict.fromkeys(_flat(_columns(check, table))))
        empty = table[names].map(absent).all(axis=1) if names else pd.Series(False, table.index)
        told = (int(words.get(word.value, 0)) for word in Word)
        rows.append((spec.title, number, check.check, ", ".join(names), *told, int(empty.sum())))
    return pd.DataFrame(rows, columns=COUNTED)


def _columns(check: Check, table: pd.DataFrame) -> dict[str, str | list[str]]:
    """Arguments of a check that are columns, by name; all others are constants."""
    columns = {}
    for argument, names in check.arguments.items():
        hint = catalogue.arguments(check.check)[argument][0]
        several = get_origin(hint) is list and check.check not in catalogue.OF_COLUMNS
        figure = hint in (Figure, int) or get_origin(hint) is list
        if check.check in catalogue.OF_COLUMNS and get_origin(hint) is not list:
            continue  # one value for all of a column
        if get_origin(hint) is Literal and names in get_args(hint):
            continue
        if (several and isinstance(names, list) and all(isinstance(one, str) for one in names)) or (
            isinstance(names, str) and not several and (figure or names in table)
        ):
            columns[argument] = names
    return columns


def _flat(columns: Mapping[str, str | list[str]]) -> list[str]:
    return [one for names in columns.values()
            for one in (names if isinstance(names, list) else [names])]  # fmt: skip


def _of_check(
    check: Check, spec: Spec, table: pd.DataFrame, where: str, cards: catalogue.Cards | None
) -> Iterator[tuple[Any, ...]]:
    name, columns = check.check, _columns(check, table)
    if not columns:
        raise ValueError(f"{where}: {name}: none of its arguments is a column; put one there")
    if left := [one for one in check.counts if one not in _flat(columns)]:
        raise ValueError(
            f"{where}: {name}.counts: '{left[0]}' is no column of this check; change it"
        )
    places = table.index.to_list()
    reader = _Reader(check, spec, where, places, cards)
    texts = {argument: [column(table, one, f"{where}: {name}.{argument}").to_list()
                        for one in ([names] if isinstance(names, str) else names)]
             for argument, names in columns.items()}  # fmt: skip
    fixed = reader.constants({k: v for k, v in check.arguments.items() if k not in columns})
    named, labels = ", ".join(dict.fromkeys(_flat(columns))), table[spec.rows].to_list()
    of_rows = list(reader.rows(columns, texts))
    if name not in catalogue.OF_COLUMNS:
        for i, values in of_rows:
            if not isinstance(values, Finding):
                values = reader.finding([i], {**values, **fixed}, columns)
            yield name, named, labels[i], places[i], *_told(values)
        return
    present = []
    for i, values in of_rows:
        if isinstance(values, Finding):
            yield name, named, labels[i], places[i], *_told(values)
        else:
            present.append((i, values))
    if not present:
        return
    if name in catalogue.OF_EVERY_ROW and len(present) < len(labels):
        lacking = sorted({*range(len(labels))} - {i for i, _ in present})
        of = listed([labels[i] for i in lacking])
        yield name, named, "", "", *_told(unknown(f"No cell for {of}.", "the figures of all rows"))
        return
    held = {key: [values[key] for _, values in present] for key in texts}
    answer = reader.finding([i for i, _ in present], {**held, **fixed}, columns)
    if isinstance(answer, Finding):
        yield name, named, "", "", *_told(answer)
        return
    for (i, _), finding in zip(present, answer, strict=True):
        yield name, named, labels[i], places[i], *_told(finding)


def _told(finding: Finding) -> tuple[str, str, str]:
    return finding.word.value, finding.sentence, finding.needs


class _Reader:
    """Cells as what a check takes."""

    def __init__(
        self,
        check: Check,
        spec: Spec,
        where: str,
        places: Sequence[str],
        cards: catalogue.Cards | None,
    ) -> None:
        self.check, self.where, self.places, self.cards = check, where, places, cards
        self.hints = catalogue.arguments(check.check)
        shares = check.check in catalogue.OF_SHARES
        self.scale = (check.scale or spec.scale) if shares else None
        self.decimals = spec.decimals if check.decimals is None else check.decimals

    def constants(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        values = {}
        for argument, one in arguments.items():
            hint = self.hints[argument][0]
            try:
                values[argument] = catalogue.value(hint, one, self.scale, cards=self.cards)
            except ValueError as error:
                raise ValueError(
                    f"{self.where}: {self.check.check}.{argument}: {error}; change it"
                ) from None
        return values

    def rows(
        self, columns: Mapping[str, str | list[str]], texts: Mapping[str, list[list[str]]]
    ) -> Iterator[tuple[int, dict[str, Any] | Finding]]:
        """Number and values of each row that has cells; a finding where only some are there."""
        asked = [(argument, name, cells) for argument, names in columns.items()
                 for name, cells in zip([names] if isinstance(names, str) else names,
                                        texts[argument], strict=True)]  # fmt: skip
        for i in range(len(self.places)):
            lacking = [absent(cells[i]) for _, _, cells in asked]
            if all(lacking):
                continue
            values: dict[str, Any] = {}
            gone = None
            for (argument, name, cells), empty in zip(asked, lacking, strict=True):
                hint, needed = self.hints[argument]
                if empty:
                    dropped = not needed and self.check.check in catalogue.OF_SOME
                    gone = gone if dropped else name
                    continue
                kind = get_args(hint)[0] if get_origin(hint) is list else hint
                value = self._value(kind, cells[i], i, name)
                if isinstance(columns[argument], list):
                    values.setdefault(argument, []).append(value)
                else:
                    values[argument] = value
            yield (
                i,
                values if gone is None else unknown(f"No cell in {gone}.", f"the figure of {gone}"),
            )

    def finding(
        self, rows: Sequence[int], values: Mapping[str, Any], columns: Mapping[str, Any]
    ) -> Any:
        """What the check says of one row, or of several as a column, by their numbers."""
        try:
            return catalogue.finding(self.check.check, values, self.scale)
        except Unfit as error:
            name = columns.get(error.argument)
            place = f", {self.places[rows[error.cell]]}" if name else ""
            of = f", '{name}'" if isinstance(name, str) else ""
            raise ValueError(
                f"{self.where}{place}{of}: {self.check.check}.{error}; change it"
            ) from None

    def _value(self, kind: Any, cell: str, i: int, name: str) -> Any:
        try:
            if kind is Figure and name in self.check.counts:
                return exact(whole(cell))
            return catalogue.value(kind, cell, self.scale, self.decimals, self.cards)
        except ValueError as error:
            raise ValueError(
                f"{self.where}, {self.places[i]}, '{name}': {error}; change the cell, or "
                "leave it empty"
            ) from None


def of_file(path: Path, mirror: Path | None) -> tuple[Spec, pd.DataFrame] | str:
    """A specification and its table; why not, where the table is the mirror's and is not there."""
    spec = load(path)
    file = _file(spec, path, mirror)
    if file is None:
        return f"{spec.title}: needs {spec.table} of a mirror; set paths.mirror (or KENSHO_MIRROR)"
    return spec, read(file, spec.number, spec.table, spec.headers)


def contents(paths: Iterable[str], mirror: Path | None) -> list[str]:
    """sha256 of each specification and of its table; "" for what is not there."""
    digests = []
    for path in map(Path, paths):
        file = _file(load(path), path, mirror) if path.is_file() else None
        digests += [sha256(one) if one and one.is_file() else "" for one in (path, file)]
    return digests


def _file(spec: Spec, path: Path, mirror: Path | None) -> Path | None:
    if not spec.mirror:
        return path.parent / spec.table
    file = mirror and mirror / spec.table
    return file if file and file.is_file() else None
