"""Tables as they were printed: CSV, YAML, Markdown and LaTeX, every cell a text."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from kensho.validation import suggestion

FORMATS = {".csv": "csv", ".tsv": "csv", ".yaml": "yaml", ".yml": "yaml", ".md": "markdown",
           ".tex": "latex"}  # fmt: skip
PLACE = "place"  # column of the readers' own: where a row stands in its file
_BOLD = re.compile(r"\\(?:textbf|mathbf|bf)\s*\{([^{}]*)\}|\{\\bf(?:series)?\s+([^{}]*)\}")
_UNDERLINED = re.compile(r"\\(?:underline|emph|textit)\s*\{([^{}]*)\}")
_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^}]*\}|cmidrule(?:\([^)]*\))?\{[^}]*\})"
)
_BEFORE = re.compile(rf"(?:\s|%[^\n]*\n|{_RULES.pattern})*")  # what stands before a row's cells


def read(file: Path, number: int = 1, name: str = "") -> pd.DataFrame:
    """Cells of a table as texts, "" where there is none; column `place` says where each row stands.

    Emphasis stays as `**0.5**`. Of YAML, keys within keys become columns with dots
    (results.en.GPQA). `number` chooses among the tables of a Markdown or LaTeX file.
    Messages call the file by `name`.

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
        return _yaml(path, text)
    if kind == "csv":
        lines = _csv(path, text)
    else:
        tables = _markdown(text) if kind == "markdown" else _latex(text)
        if not 1 <= number <= len(tables):
            raise ValueError(f"{path}: holds {len(tables)} tables; change `number`, now {number}")
        lines = tables[number - 1]
    return _table(path, lines)


def _table(path: Path, lines: list[tuple[int, list[str]]]) -> pd.DataFrame:
    if len(lines) < 2:
        raise ValueError(f"{path}: holds no row under a header; add one")
    header = lines[0][1]
    if doubled := next((name for name in header if header.count(name) > 1), None):
        raise ValueError(f"{path}, line {lines[0][0]}: column '{doubled}' twice; rename one")
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells under a header of {len(header)}; add "
                "what is missing, or delete the row"
            )
    table = pd.DataFrame([cells for _, cells in lines[1:]], columns=header, dtype=str)
    return table.assign(**{PLACE: [f"line {line}" for line, _ in lines[1:]]})


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
    tables: list[list[tuple[int, list[str]]]] = []
    inside = False
    for line, raw in enumerate(text.splitlines(), start=1):
        stripped = raw.strip()
        if "|" not in stripped:
            inside = False
            continue
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", stripped.strip("|"))]
        if all(re.fullmatch(r":?-{1,}:?", cell) for cell in cells):
            continue
        if not inside:
            tables.append([])
        inside = True
        tables[-1].append((line, cells))
    return [table for table in tables if len(table) > 1]


def _latex(text: str) -> list[list[tuple[int, list[str]]]]:
    tables = []
    for match in re.finditer(r"\\begin\{(tabular[*x]?|longtable|array)\}", text):
        end = text.find(f"\\end{{{match[1]}}}", match.end())
        begin, rows = _after_columns(text, match.end()), []
        line = text.count("\n", 0, begin) + 1
        for row in re.split(r"\\\\(?:\[[^\]]*\])?", text[begin : end if end > 0 else None]):
            before = _BEFORE.match(row)
            started = line + (row.count("\n", 0, before.end()) if before else 0)
            plain = _RULES.sub("", re.sub(r"(?<!\\)%.*", "", row)).strip()
            if plain:
                rows.append((started, [_cell(c) for c in _split(plain)]))
            line += row.count("\n")
        tables.append(rows)
    return tables


def _after_columns(text: str, place: int) -> int:
    """Past the arguments {lrr} and {0.5\\textwidth}{lrr}, braces within braces too."""
    while place < len(text) and text[place] in "{[":
        depth = 0
        while place < len(text):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(text[place], 0)
            place += 1
            if depth == 0:
                break
    return place


def _split(row: str) -> list[str]:
    """Cells of a row; one over several columns fills the first and leaves the others empty."""
    cells: list[str] = []
    for cell in re.split(r"(?<!\\)&", row):
        over = re.match(r"\s*\\multicolumn\{(\d+)\}\{[^{}]*\}\{(.*)\}\s*$", cell, re.DOTALL)
        cells += [over[2], *[""] * (int(over[1]) - 1)] if over else [cell]
    return cells


def _cell(cell: str) -> str:
    cell = _UNDERLINED.sub(r"\1", cell)
    cell = _BOLD.sub(lambda m: f"**{(m[1] or m[2]).strip()}**", cell).replace("$", "")
    return re.sub(r"\\([%&_#])", r"\1", cell).replace("~", " ").strip()


def _yaml(path: Path, text: str) -> pd.DataFrame:
    try:
        entries = yaml.load(text, Loader=yaml.CBaseLoader)
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
        rows.append({**_flat(entry), PLACE: f"entry {number}"})
    return pd.DataFrame(rows, dtype=object).fillna("")


def _flat(entry: Mapping, prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in entry.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = ", ".join(value) if isinstance(value, list) else str(value)
    return flat


def column(table: pd.DataFrame, name: str, where: str) -> pd.Series:
    """A column; ValueError with the nearest name where there is none."""
    if name == PLACE or name not in table:
        known = [column for column in table if column != PLACE]
        raise ValueError(f"{where}: no column '{name}', {suggestion(name, known)}; change it")
    return table[name]
