"""Pairwise judgements among many models, one pair for each row, as of an arena."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kensho import external
from kensho.claims.base import ExternalTable
from kensho.claims.rankings import OVER


def comparisons(table: ExternalTable, levels: Sequence[str]) -> Iterator[dict]:
    """Results of the first shown model against the second: metric "FIRST over SECOND", 1, 0.5 or 0.

    Columns ``prompt`` (or `item`), ``first``, ``second`` (the models as they were shown),
    ``winner`` (or `score`: one of the two or tie), perhaps ``judge``. The table's arm is the name
    of the comparison.
    """
    prompt, winner = table.item or "prompt", table.score or "winner"
    needed = [prompt, "first", "second", winner, table.cluster]
    for where, line in external._csv_lines(table.path, needed, levels):
        first, second, won = (
            external._cell(line, key, where) for key in ("first", "second", winner)
        )
        if first == second:
            raise ValueError(f"{where}: '{first}' is compared with itself; take the row out")
        for model in (first, second):
            if OVER in model:
                raise ValueError(
                    f"{where}: the name '{model}' holds '{OVER}', which stands between two models; "
                    "name it otherwise"
                )
        if won not in (first, second, external.TIE):
            raise ValueError(
                f"{where}: '{won}' is none of {first}, {second}, {external.TIE}; name the winner, "
                "or tie"
            )
        yield external._row(
            table.arm,
            f"{first}{OVER}{second}",
            external._block(external._parts(line, prompt, table), levels, where),
            0.5 if won == external.TIE else float(won == first),
            where,
            unit="share",
            judge=line.get("judge") or None,
        )
