"""Tables as they were printed: CSV, YAML, Markdown and LaTeX, every cell a text."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from kensho.audit import latex
from kensho.audit.printed import absent, printed
from kensho.validation import Texts, suggestion

FORMATS = {".csv": "csv", ".tsv": "csv", ".yaml": "yaml", ".yml": "yaml", ".md": "markdown",
           ".tex": "latex"}  # fmt: skip
PLACE = "place"  # name of the index: where a row stands in its file
_SEPARATOR = re.compile(r":?-+:?")
# "57.1 ± 0.4" and "57.1 (0.4)": one cell, two figures
_TWO = re.compile(
    r"(?P<first>.*?[0-9].*?)\s*(?:(?P<spread>±|\+/-|\(±)|\()(?P<second>[^()±]*[0-9][^()±]*)\)?"
)


def read(file: Path, number: int = 1, name: str = "", headers: int = 1) -> pd.DataFrame:
    """Cells of a table as texts, "" where there is none; the index says where each row stands.

    Emphasis stays as `**0.5**`. Of YAML, keys within keys become columns with dots
    (results.en.GPQA). `number` chooses among the tables of a Markdown or LaTeX file; of `headers`
    lines at its top the names are joined. A column of figures with a second one in each cell, as in
    57.1 ± 0.4 or 57.1 (0.4), keeps the first, and a column of its own, `acc ±` or `acc ()`, the
    second. Messages call the file by `name`.

    Raises ValueError, one line with file and row, for a file that is missing, of another kind or
    not one table.
    """
    path = Path(name or file)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: not one of {', '.join(FORMATS)}; rename it to what it is")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ValueError(f"{path}: {cause}; put the table there, in UTF-8") from None
    if kind == "yaml":
        return _apart(_yaml(path, text))
    if kind == "csv":
        lines = _csv(path, text)
    else:
        tables = _markdown(text) if kind == "markdown" else latex.tables(text)
        if not 1 <= number <= len(tables):
            raise ValueError(f"{path}: holds {len(tables)} tables; change `number`, now {number}")
        lines = tables[number - 1]
    return _apart(_table(path, lines, headers))


def _table(path: Path, lines: list[tuple[int, list[str]]], headers: int) -> pd.DataFrame:
    if len(lines) <= headers:
        raise ValueError(f"{path}: holds no row under a header; add one")
    header = _names([cells for _, cells in lines[:headers]])
    if doubled := next((name for name in header if header.count(name) > 1), None):
        raise ValueError(f"{path}, line {lines[0][0]}: column '{doubled}' twice; rename one")
    lines = lines[headers:]
    for line, cells in lines:
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells under a header of {len(header)}; add "
                "what is missing, or delete the row"
            )
    places = pd.Index([f"line {line}" for line, _ in lines], name=PLACE)
    return pd.DataFrame([cells for _, cells in lines], places, header, dtype=str)


def _names(headers: list[list[str]]) -> list[str]:
    """Names of columns: what stands over several of them, then their own; "column 1" for none."""
    columns = max(map(len, headers))
    above = [""] * columns
    for cells in headers[:-1]:
        last = ""
        for i, cell in enumerate(cells):
            last = cell or last
            above[i] = f"{above[i]} {last}".strip()
    own = [*headers[-1], *[""] * (columns - len(headers[-1]))]
    names = (f"{over} {name}".strip() for over, name in zip(above, own, strict=True))
    return [name or f"column {place}" for place, name in enumerate(names, start=1)]


def _apart(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column of its own for every second figure in the cells of one."""
    columns: dict[str, list[str]] = {}
    for name in table:
        cells, split = table[name].to_list(), [_two(cell) for cell in table[name]]
        if not any(mark for _, _, mark in split) or not all(
            mark or absent(cell) or _is_figure(cell)
            for cell, (_, _, mark) in zip(cells, split, strict=True)
        ):
            columns[name] = cells
            continue
        columns[name] = [first for first, _, _ in split]
        for mark in ("±", "()"):
            if any(m == mark for _, _, m in split):
                columns[f"{name} {mark}"] = [two if m == mark else "" for _, two, m in split]
    return pd.DataFrame(columns, index=table.index, dtype=object)


def _two(cell: str) -> tuple[str, str, str]:
    """First and second figure of a cell and the sign between them, "" where it is none or one."""
    match = _TWO.fullmatch(cell.strip().strip("*").strip())
    if match is None or not _is_figure(match["first"]) or not _is_figure(match["second"]):
        return cell, "", ""
    bold = cell.strip().startswith("**") and cell.strip().endswith("**")
    first = f"**{match['first'].strip()}**" if bold else match["first"].strip()
    return first, match["second"].strip(), "±" if match["spread"] else "()"


def _is_figure(cell: str) -> bool:
    try:
        printed(cell)
    except ValueError:
        return False
    return True


def _csv(path: Path, text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(
        text.splitlines(keepends=True), delimiter="\t" if path.suffix == ".tsv" else ",",
        strict=True,
    )  # fmt: skip
    lines, began = [], 1
    try:
        for cells in reader:
            if cells:
                lines.append((began, [cell.strip() for cell in cells]))
            began = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {began}: {error}; close the quote") from None
    return lines


def _markdown(text: str) -> list[list[tuple[int, list[str]]]]:
    """Tables, each a header over a line of dashes and the lines with a bar that follow."""
    tables: list[list[tuple[int, list[str]]]] = []
    before: tuple[int, list[str]] | None = None  # a line that can be a header
    inside = False
    for line, raw in enumerate(text.splitlines(), start=1):
        stripped = raw.strip()
        if "|" not in stripped:
            inside, before = False, None
            continue
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", _inner(stripped))]
        cells = [cell.replace(r"\|", "|") for cell in cells]
        if inside:
            tables[-1].append((line, cells))
        elif before and all(map(_SEPARATOR.fullmatch, cells)):
            tables.append([before])
            inside = True
        else:
            before = (line, cells)
    return tables


def _inner(line: str) -> str:
    """A line without the bars at its ends."""
    line = line.removeprefix("|")
    return line if line.endswith(r"\|") else line.removesuffix("|")


def _yaml(path: Path, text: str) -> pd.DataFrame:
    try:
        entries = yaml.load(text, Loader=Texts)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path}{line}: no YAML ({getattr(error, 'problem', error)}); put it "
                         "right") from None  # fmt: skip
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: no list of rows; put each row of the table into one entry")
    rows = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise ValueError(f"{path}, entry {number}: no keys with values; change it")
        rows.append(_flat(entry, f"{path}, entry {number}"))
    places = pd.Index([f"entry {number}" for number in range(1, len(rows) + 1)], name=PLACE)
    return pd.DataFrame(rows, places, dtype=object).fillna("")


def _flat(entry: Mapping, where: str, prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in entry.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            more = _flat(value, where, f"{name}.")
        else:
            more = {name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)}
        if twice := next((one for one in more if one in flat), None):
            raise ValueError(f"{where}: '{twice}' twice; rename one")
        flat |= more
    return flat


def column(table: pd.DataFrame, name: str, where: str) -> pd.Series:
    """A column; ValueError with the nearest name where there is none."""
    if name not in table:
        raise ValueError(f"{where}: no column '{name}', {suggestion(name, table)}; change it")
    return table[name]
