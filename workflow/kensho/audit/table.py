"""A table against itself: which checks hold which of its columns, and what they find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from kensho.audit import catalogue
from kensho.audit.printed import Figure, Finding, Word, unknown
from kensho.audit.reading import PLACE, column, read
from kensho.files import sha256
from kensho.validation import read_yaml, validated

COLUMNS = ["table", "number", "check", "columns", "row", "word", "sentence", "needs"]
COUNTED = ["table", "number", "check", "columns", *(word.value for word in Word), "absent"]
ABSENT = {"", "-", "--", "---", "–", "—", "n/a", "na", "null", "none", "nan", "~"}
Name = Annotated[str, Field(min_length=1)]


class Check(BaseModel):
    """One check; its arguments are names of columns, or numbers, the rest as in `Spec`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    check: Name
    scale: Annotated[int, Field(ge=1)] | None = None
    decimals: Annotated[int, Field(ge=0)] | None = None

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


def audit(spec: Spec, table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Findings of all checks: one row each, columns COLUMNS.

    A row of the table in which every cell that a check asks for is empty is passed over; where only
    some are, the finding is NOT CHECKABLE.

    Raises ValueError, one line with the cell, for a cell that is no figure, a column that is not
    there and a row without a name.
    """
    names = column(table, spec.rows, where)
    if nameless := next((p for n, p in zip(names, table[PLACE], strict=True) if not n), None):
        raise ValueError(f"{where}, {nameless}: no '{spec.rows}'; add the name of the row")
    rows = [
        (spec.title, number, *row)
        for number, check in enumerate(spec.checks, start=1)
        for row in _of_check(check, spec, table, where)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def counts(spec: Spec, findings: pd.DataFrame, rows: int) -> pd.DataFrame:
    """How many rows of each check got each word; `absent` is how many had no cell for it."""
    table = (
        findings.groupby(["table", "number", "check", "columns"], sort=False)["word"]
        .value_counts()
        .unstack(fill_value=0)
        .reindex(columns=[word.value for word in Word], fill_value=0)
    )
    of_columns = table.index.get_level_values("check").isin([*catalogue.OF_COLUMNS])
    absent = rows - table.sum(axis=1)
    return table.assign(absent=absent.where(~of_columns, 0)).reset_index()


def _of_check(
    check: Check, spec: Spec, table: pd.DataFrame, where: str
) -> Iterator[tuple[Any, ...]]:
    name, hints = check.check, catalogue.arguments(check.check)
    whole = name in catalogue.OF_COLUMNS
    texts: dict[str, pd.Series | list[pd.Series]] = {}
    constants: dict[str, Any] = {}
    for argument, given in check.arguments.items():
        hint = hints[argument][0]
        if get_origin(hint) is list and not whole:
            texts[argument] = [column(table, one, f"{where}: {name}.{argument}") for one in given]
        elif isinstance(given, str) and (
            hint in (Figure, int) or get_origin(hint) is list or given in table
        ):
            texts[argument] = column(table, given, f"{where}: {name}.{argument}")
        else:
            constants[argument] = given
    named = ", ".join(
        str(one.name)
        for given in texts.values()
        for one in (given if isinstance(given, list) else [given])
    )
    reader = _Reader(check, spec, hints, where, table[PLACE])
    of_rows, labels = reader.rows(texts), table[spec.rows].to_list()
    fixed = reader.constants(constants)
    if not whole:
        for i, values in of_rows:
            if not isinstance(values, Finding):
                values = reader.asked(i, catalogue.OF_ROWS[name], {**values, **fixed})
            yield name, named, labels[i], *_told(values)
        return
    present = [(i, values) for i, values in of_rows if not isinstance(values, Finding)]
    if not present:
        return
    held = {key: [values[key] for _, values in present] for key in texts}
    answer = catalogue.OF_COLUMNS[name](**held, **fixed)
    if isinstance(answer, Finding):
        yield name, named, "", *_told(answer)
        return
    for (i, _), finding in zip(present, answer, strict=True):
        yield name, named, labels[i], *_told(finding)


def _told(finding: Finding) -> tuple[str, str, str]:
    return finding.word.value, finding.sentence, finding.needs


class _Reader:
    """Cells as what a check takes."""

    def __init__(
        self, check: Check, spec: Spec, hints: Mapping[str, tuple], where: str, places: pd.Series
    ) -> None:
        self.check, self.hints, self.where, self.places = check, hints, where, places
        shares = check.check in catalogue.OF_SHARES
        self.scale = (check.scale or spec.scale) if shares else 1
        self.decimals = spec.decimals if check.decimals is None else check.decimals

    def constants(self, given: Mapping[str, Any]) -> dict[str, Any]:
        values = {}
        for argument, one in given.items():
            try:
                values[argument] = catalogue.value(self.hints[argument][0], one, self.scale)
            except ValueError as error:
                raise ValueError(
                    f"{self.where}: {self.check.check}.{argument}: {error}; change it"
                ) from None
        return values

    def rows(
        self, texts: Mapping[str, pd.Series | list[pd.Series]]
    ) -> Iterator[tuple[int, dict[str, Any] | Finding]]:
        """Number and values of each row that has cells; a finding where only some are there."""
        flat = [(argument, one) for argument, given in texts.items()
                for one in (given if isinstance(given, list) else [given])]  # fmt: skip
        columns = [one.to_list() for _, one in flat]
        for i in range(len(self.places)):
            cells = [cells[i] for cells in columns]
            lacking = [cell.strip().casefold() in ABSENT for cell in cells]
            if all(lacking):
                continue
            values: dict[str, Any] = {}
            gone = None
            for (argument, one), cell, absent in zip(flat, cells, lacking, strict=True):
                hint, needed = self.hints[argument]
                if absent:
                    gone = str(one.name) if needed else gone
                    continue
                several = isinstance(texts[argument], list)
                kind = get_args(hint)[0] if get_origin(hint) is list else hint
                value = self._value(kind, cell, i, str(one.name))
                if several:
                    values.setdefault(argument, []).append(value)
                else:
                    values[argument] = value
            yield (
                i,
                values if gone is None else unknown(f"No cell in {gone}.", f"the figure of {gone}"),
            )

    def asked(self, i: int, function: Any, values: Mapping[str, Any]) -> Finding:
        try:
            return function(**values)
        except ValueError as error:
            raise ValueError(
                f"{self.where}, {self.places.iloc[i]}: {self.check.check}: {error}; change it"
            ) from None

    def _value(self, kind: Any, cell: str, i: int, name: str) -> Any:
        try:
            return catalogue.value(kind, cell, self.scale, self.decimals)
        except ValueError as error:
            raise ValueError(
                f"{self.where}, {self.places.iloc[i]}, '{name}': {error}; change the cell, or "
                "leave it empty"
            ) from None


def of_file(path: Path, mirror: Path | None) -> tuple[Spec, pd.DataFrame] | str:
    """A specification and its table; why not, where the table is the mirror's and is not there."""
    spec = load(path)
    file = _file(spec, path, mirror)
    if file is None:
        return f"{spec.title}: needs {spec.table} of a mirror; set paths.mirror (or KENSHO_MIRROR)"
    return spec, read(file, spec.number, spec.table)


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
