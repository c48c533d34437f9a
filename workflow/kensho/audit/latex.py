"""Tables of LaTeX: rows and cells of every tabular, the commands in a cell as plain text."""

from __future__ import annotations

import re

_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|addlinespace(?:\[[^\]]*\])?|cline\{[^}]*\}"
    r"|cmidrule(?:\([^)]*\))?\{[^}]*\})"
)
_BEFORE = re.compile(rf"(?:\s|{_RULES.pattern})*")  # what stands before a row's cells
_GONE = re.compile(
    r"\\(?:cellcolor|rowcolor|color)(?:\[[^\]]*\])?\{[^{}]*\}|\\footnotemark(?:\[[^\]]*\])?"
    r"|\\(?:footnote|cite[a-z]*|label|[hv]?phantom|hspace|vspace)\*?(?:\[[^\]]*\])*\{[^{}]*\}"
    r"|\\(?:tiny|scriptsize|footnotesize|small|normalsize|centering|relax|left|right|displaystyle)"
    r"(?![a-z])|\\[!;:]"
)
_BOLD = re.compile(
    r"\\(?:textbf|mathbf|bm|boldsymbol|bf|bfseries)\s*\{([^{}]*)\}"
    r"|\{?\\bf(?:series)?(?![a-z])\s*([^{}]*)\}?"
)
_RAISED = re.compile(r"\\(?:textsuperscript|tnote)\s*\{([^{}]*)\}")
_OVER_ROWS = re.compile(
    r"\\multirow(?:\[[^\]]*\])?\{(-?\d+)\}(?:\[[^\]]*\])?\{[^{}]*\}(?:\[[^\]]*\])?"
)
_INNER = re.compile(
    rf"(?:{_OVER_ROWS.pattern}|\\(?:textcolor|colorbox)(?:\[[^\]]*\])?\{{[^{{}}]*\}}"
    r"|\\[a-zA-Z]+(?:\[[^\]]*\])*)\s*\{(?P<inner>[^{}]*)\}"
)  # of any other command with one argument, the argument
_GROUP = re.compile(r"\{(?P<inner>[^{}]*)\}")
_SIGNS = {r"\pm": "±", r"\times": "×", r"\cdot": "·", r"\dagger": "†", r"\ddagger": "‡",
          r"\ast": "*", r"\star": "*", r"\uparrow": "↑", r"\downarrow": "↓", r"\textemdash": "—",
          r"\textendash": "–", r"\%": "%", r"\&": "&", r"\_": "_", r"\#": "#", "{,}": ",",
          r"\,": "\u2009", "~": " ", "$": ""}  # fmt: skip


def tables(text: str) -> list[list[tuple[int, list[str]]]]:
    """Every tabular of a text: its rows, each with the line where it stands and its cells."""
    text, parsed = re.sub(r"(?<!\\)%.*", "", text), []
    for match in re.finditer(r"\\begin\{(tabular[*xy]?|longtable|array)\}", text):
        end = text.find(f"\\end{{{match[1]}}}", match.end())
        begin, rows = _after_columns(text, match.end()), []
        line = text.count("\n", 0, begin) + 1
        for row in re.split(r"\\\\\*?(?:\[[^\]]*\])?|\\tabularnewline",
                            text[begin : end if end > 0 else None]):  # fmt: skip
            before = _BEFORE.match(row)
            started = line + (row.count("\n", 0, before.end()) if before else 0)
            plain = _GONE.sub("", _RULES.sub("", row)).strip()
            if plain:
                rows.append((started, _split(plain)))
            line += row.count("\n")
        _fill([cells for _, cells in rows])
        parsed.append([(number, [cell(c) for c in cells]) for number, cells in rows])
    return parsed


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
    for one in re.split(r"(?<!\\)&", row):
        over = re.match(r"\s*\\multicolumn\{(\d+)\}\{[^{}]*\}\{(.*)\}\s*$", one, re.DOTALL)
        cells += [over[2], *[""] * (int(over[1]) - 1)] if over else [one]
    return cells


def _fill(rows: list[list[str]]) -> None:
    """What stands over several rows into those of them that have nothing there, in place."""
    for i, cells in enumerate(rows):
        for j, one in enumerate(cells):
            if over := _OVER_ROWS.match(one.strip()):
                number = int(over[1])
                others = range(i + 1, i + number) if number > 0 else range(i + number + 1, i)
                for k in others:
                    if 0 <= k < len(rows) and j < len(rows[k]) and not rows[k][j].strip():
                        rows[k][j] = _OVER_ROWS.sub("", one.strip(), count=1)


def _apart(match: re.Match[str]) -> str:
    """An argument, off the numbers that it stands between: 57.1 and a small 4 are not 57.14."""
    around = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    before, after = (" " * (sign.isdigit() or sign == ".") for sign in around)
    return f"{before}{match['inner']}{after}"


def cell(text: str) -> str:
    """A cell as plain text: bold as `**0.5**`, what is raised as `^{a}`, all else unwrapped."""
    for sign, plain in _SIGNS.items():
        text = re.sub(re.escape(sign) + ("(?![a-zA-Z])" if sign[-1].isalpha() else ""), plain, text)
    text = re.sub(r"[_^]\{?\s*(±[^{}]*)\}?", r" \1", _GONE.sub("", text))
    was = ""
    while was != text:
        was = text
        text = _RAISED.sub(r"^<\1>", text)
        text = _BOLD.sub(lambda m: f"**{(m[1] or m[2] or '').strip()}**", text)
        text = _INNER.sub(_apart, re.sub(r"\^\{([^{}]*)\}", r"^<\1>", text), count=1)
        text = text if text != was else _GROUP.sub(_apart, text, count=1)
    return re.sub(r"\^<([^<>]*)>", r"^{\1}", text).replace("****", "").strip()
