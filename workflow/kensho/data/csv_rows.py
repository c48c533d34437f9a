"""Rows of a CSV file, named by the line on which they begin; what is bad hides no row behind it."""

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kensho.data import lines, records
from kensho.data.records import Reading
from kensho.data.rows import Fault, Row


class _Table:
    """Cells of a file row by row; behind a row that does not end it goes on at its second line."""

    def __init__(self, each: Iterator[tuple[bytes, int]], longest: int):
        self.each, self.longest, self.number = each, longest, 0
        self.again: deque[tuple[int, str, str]] = deque()  # number, text, what is wrong with it
        self.row: list[tuple[int, str, str]] = []  # lines of the row that is being read
        self.reader = self._reader()

    def _reader(self) -> Any:
        return csv.reader(iter(self._line, None), strict=True)

    def _line(self) -> str | None:
        if not self.again:
            line = next(self.each, None)
            if line is None:
                return None
            self.number += 1
            content, length = line
            wrong = ""
            if self.number == 1:
                content = content.removeprefix(codecs.BOM_UTF8)
            try:
                text = lines.text(content, length, self.longest)
            except ValueError as error:  # its quotes still say where the row ends
                wrong, text = str(error), content.decode(errors="replace").rstrip("\n") + "\n"
            self.again.append((self.number, text, wrong))
        self.row.append(self.again.popleft())
        return self.row[-1][1]

    def next(self) -> tuple[list[str], list[Fault]] | None:
        """Cells of a row and what is wrong with it; None at the end."""
        self.row = []
        others = csv.field_size_limit(self.longest)  # of all readers of this process
        try:
            cells = next(self.reader)
        except StopIteration:
            return None
        except csv.Error as error:
            self.again.extendleft(reversed(self.row[1:]))
            self.reader = self._reader()
            number, _, wrong = self.row[0]
            return [], [Fault(number, wrong or f"not CSV ({error})")]
        finally:
            csv.field_size_limit(others)
        return cells, [Fault(number, wrong) for number, _, wrong in self.row if wrong]


def rows(path: Path, how: Reading, name: str) -> Iterator[Row | Fault]:
    """Raises ValueError for a file without a head, or without the columns that are asked for."""
    with lines.opened(path) as file:
        table = _Table(lines.lines(file, how.longest), how.longest)
        header, faults = table.next() or ([], [])
        if faults:
            raise ValueError(f"{name}: row 1: {faults[0].reason}; save it as CSV in UTF-8")
        records.require(header, how, name)
        while found := table.next():
            cells, faults = found
            yield from faults
            if faults or not cells:
                continue
            number = table.row[0][0]
            if len(cells) != len(header):
                yield Fault(number, f"{len(cells)} fields, the head has {len(header)}")
                continue
            record = dict(zip(header, (cell or None for cell in cells), strict=True))
            yield records.row(number, record, how)
