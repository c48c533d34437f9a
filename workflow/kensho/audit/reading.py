"""Tables as they were printed: CSV, YAML, Markdown and LaTeX, every cell a text."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from kensho.audit import latex
from kensho.audit.printed import absent, narrow, printed
from kensho.validation import Texts, suggestion

FORMATS = {".csv": "csv", ".tsv": "csv", ".yaml": "yaml", ".yml": "yaml", ".md": "markdown",
           ".tex": "latex"}  # fmt: skip
PLACE = "place"  # name of the index: where a row stands in its file
_SEPARATOR = re.compile(r":?-+:?")
# "57.1 ± 0.4" and "57.1 (0.4)": one cell, two figures
_TWO = re.compile(
    r"(?P<first>.*?[0-9].*?)\s*(?:(?P<spread>±|\+/-|\(±)|\()(?P<second>[^()±]*[0-9][^()±]*)\)?"
)
# "57.1 [52.4, 61.7]" and "(52.4–61.7)": an interval, its estimate before it or in another column
_INTERVAL = re.compile(
    r"(?:(?P<first>[^\[(]*[0-9][^\[(]*?)\s*(?=[\[(]))?[\[(]?\s*(?:(?:[0-9]{2}\s*%\s*)?CI[:=]?\s*)?"
    r"(?P<low>[+−-]?[0-9.]+\s*%?)\s*(?:[,;–—~〜-]|\bto\b)\s*(?P<high>[+−-]?[0-9.]+\s*%?)\s*[\])]?"
)
ENDS = ("low", "high")  # of an interval, what names of columns end in


def read(file: Path, number: int = 1, name: str = "", headers: int = 1) -> pd.DataFrame:
    """Cells of a table as texts, "" where there is none; the index says where each row stands.

    Emphasis stays as `**0.5**`. Of YAML, keys within keys become columns with dots
    (results.en.GPQA). `number` chooses among the tables of a Markdown or LaTeX file; of `headers`
    lines at its top the names are joined. A column of figures with a second one in each cell, as in
    57.1 ± 0.4 or 57.1 (0.4), keeps the first, and a column of its own, `acc ±` or `acc ()`, the
    second; `acc low` and `acc high` are the ends of intervals, as in 57.1 [52.4, 61.7]. A CSV is
    separated by semicolons or tabs where its first line has no comma. Messages call the file by
    `name`.

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
        return _apart(path, _yaml(path, text))
    if kind == "csv":
        lines = _csv(path, text)
    else:
        tables = _markdown(path, text) if kind == "markdown" else latex.tables(text)
        if not 1 <= number <= len(tables):
            raise ValueError(f"{path}: holds {len(tables)} tables; change `number`, now {number}")
        lines = tables[number - 1]
    return _apart(path, _table(path, lines, headers))


def _table(path: Path, lines: list[tuple[int, list[str]]], headers: int) -> pd.DataFrame:
    if len(lines) <= headers:
        raise ValueError(f"{path}: holds no row under a header; add one")
    header = _names([cells for _, cells in lines[:headers]])
    if doubled := next((name for name in header if header.count(name) > 1), None):
        raise ValueError(f"{path}, line {lines[0][0]}: column '{doubled}' twice; rename one")
    lines = lines[headers:]
    for line, cells in lines:
        if len(cells) != len(header):
            first = f"no cell for '{header[len(cells)]}'" if len(cells) < len(header) else (
                f"no column for '{cells[len(header)]}'")  # fmt: skip
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells under a header of {len(header)}, {first}"
                "; add what is missing, or delete the row"
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
    names = (name if over == name else f"{over} {name}".strip()
             for over, name in zip(above, own, strict=True))  # fmt: skip
    return [name or f"column {place}" for place, name in enumerate(names, start=1)]


def _apart(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of their own for what stands behind the figures in the cells of one.

    Raises ValueError where the table has a column of that name.
    """
    columns: dict[str, list[str]] = {}
    for name in table:
        cells = table[name].to_list()
        split = [_behind(cell) for cell in cells]
        marks = [mark for mark in ("±", "()", *ENDS) if any(mark in behind for _, behind in split)]
        if not marks or not all(
            behind or absent(cell) or _is_figure(cell)
            for cell, (_, behind) in zip(cells, split, strict=True)
        ):
            columns[name] = cells
            continue
        columns[name] = [first for first, _ in split]
        for new, mark in ((f"{name} {mark}", mark) for mark in marks):
            if new in table:
                raise ValueError(
                    f"{path}: column '{new}', and '{name}' holds such figures too; rename one"
                )
            columns[new] = [behind.get(mark, "") for _, behind in split]
    return pd.DataFrame(columns, index=table.index, dtype=object)


def _behind(cell: str) -> tuple[str, dict[str, str]]:
    """The figure of a cell, and by mark those behind it: `±`, `()`, or the ends of an interval.

    An interval without a figure before it stays in the cell too. Ends with signs where the figure
    has none, as in 57.1 (-0.4, +0.3), are distances and no interval.
    """
    plain = cell.strip().strip("*").strip()
    bold = f"**{plain}**" in cell
    if (two := _TWO.fullmatch(plain)) and _is_figure(two["first"]) and _is_figure(two["second"]):
        first, behind = two["first"], {"±" if two["spread"] else "()": two["second"].strip()}
    elif (ends := _INTERVAL.fullmatch(narrow(plain))) and not _is_figure(plain.strip("[]() ")):
        first, behind = ends["first"], {end: ends[end].strip() for end in ENDS}
        signed = any(end.startswith("+") for end in behind.values())
        if (first is not None and not _is_figure(first)) or not all(
            map(_is_figure, behind.values())
        ):
            return cell, {}
        if signed and first is not None and first.strip()[0] not in "+-":
            return cell, {}
    else:
        return cell, {}
    if first is None:
        return cell, behind
    return f"**{first.strip()}**" if bold else first.strip(), behind


def _is_figure(cell: str) -> bool:
    try:
        printed(cell)
    except ValueError:
        return False
    return True


def _csv(path: Path, text: str) -> list[tuple[int, list[str]]]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    signs = "\t" if path.suffix == ".tsv" else ",;\t"
    reader = csv.reader(
        text.splitlines(keepends=True),
        delimiter=next((sign for sign in signs if sign in header), signs[0]),
        strict=True,
    )
    lines, began = [], 1
    try:
        for cells in reader:
            if cells:
                lines.append((began, [cell.strip() for cell in cells]))
            began = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {began}: {error}; close the quote") from None
    return lines


def _markdown(path: Path, text: str) -> list[list[tuple[int, list[str]]]]:
    """Tables, each a header over a line of dashes and the lines with a bar that follow.

    Raises ValueError for a row, a line from bar to bar, that is of no table.
    """
    tables: list[list[tuple[int, list[str]]]] = []
    before: tuple[int, list[str]] | None = None  # a line that can be a header
    row = inside = False  # whether that line is from bar to bar, and whether a table goes on
    for line, raw in enumerate([*text.splitlines(), ""], start=1):
        stripped = raw.strip()
        cells = [latex.cell(c) if "$" in c else c for c in _cells(stripped)]
        if inside and "|" in stripped:
            tables[-1].append((line, cells))
        elif before and "|" in stripped and all(map(_SEPARATOR.fullmatch, cells)):
            tables.append([before])
            inside, before = True, None
        elif before and row:
            raise ValueError(
                f"{path}, line {before[0]}: a row without a header and its line of dashes; put it "
                "under one, or delete it"
            )
        else:
            inside, before = False, (line, cells) if "|" in stripped else None
            row = len(stripped) > 1 and stripped[0] == stripped[-1] == "|"
    return tables


def _cells(line: str) -> list[str]:
    """Cells between the bars of a line, those at its ends left out; of `\\|` the bar is text."""
    line = line.removeprefix("|")
    line = line if line.endswith(r"\|") else line.removesuffix("|")
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)]


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
    """A column.

    Raises ValueError with the nearest name where there is none, and with the first cell that is not
    several figures where those of another column were to give it.
    """
    if name in table:
        return table[name]
    whole, _, mark = name.rpartition(" ")
    if mark in ("±", "()", *ENDS) and whole in table:
        for place, cell in table[whole].items():
            if not (absent(cell) or _is_figure(cell) or _behind(cell)[1]):
                raise ValueError(
                    f"{where}, {place}, '{whole}': '{cell}' is neither a figure nor several; "
                    "change the cell, or leave it empty"
                )
    raise ValueError(f"{where}: no column '{name}', {suggestion(name, table)}; change it")
