"""Rows of plain tables: one result a row, a column for each arm, judgements of pairs or of many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from kensho.claims.base import ExternalTable
from kensho.external.records import ABSENT, records
from kensho.external.rows import (
    ORDERS,
    At,
    Row,
    block,
    is_blank,
    known,
    number,
    owner,
    shown,
    text,
    whole,
)
from kensho.external.wanted import Experiment, layout_of
from kensho.metrics import OVER

TIE = "tie"


def rows(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Rows of a table in its layout."""
    read = {"long": _long, "wide": _wide, "pairwise": _pairwise, "comparisons": _comparisons}
    yield from read[layout_of(table)](table, experiment)


def _long(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """One result in each row; columns arm, replicate and unit may be there."""
    score = table.score or "score"
    columns = {"item": table.item or "item", "score": score}
    columns |= {} if table.arm else {"arm": "arm"}
    for where, cells in _records(table, experiment, columns, ["arm", "replicate", "unit"]):
        if cells["arm"] is ABSENT:
            arm = owner(table)
        else:
            arm = experiment.named(text(cells["arm"], "arm", where), where)
            if table.arm not in (None, arm):
                continue
        yield Row(
            arm,
            table.metric or score,
            _block(table, experiment, cells, where),
            number(cells["score"], score, where, table.decimal),
            where.place,
            _unit(cells, where),
            _replicate(cells, where),
        )


def _wide(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """A column of scores for each arm; where there are several tables, each may lack some."""
    arms = [table.arm] if table.arm else experiment.arms
    scores = {f"score of {arm}": experiment.aliases.get(arm, arm) for arm in arms}
    columns, maybe = {"item": table.item or "item"}, scores
    if table.arm or len(experiment.tables) == 1:
        columns, maybe = columns | scores, {}
    for where, cells in _records(table, experiment, columns, ["replicate", "unit"], maybe):
        name = _block(table, experiment, cells, where)
        unit, replicate = _unit(cells, where), _replicate(cells, where)
        for arm, (score, column) in zip(arms, scores.items(), strict=True):
            if cells[score] is not ABSENT:
                value = number(cells[score], column, where, table.decimal)
                yield Row(arm, table.metric or "score", name, value, where.place, unit, replicate)


def _pairwise(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Results of the table's arm, apart for the prompts where it was shown first and second.

    Column ``order`` names the arm shown first, ``winner`` (or `score`) the preferred one or tie.
    """
    winner = table.score or "winner"
    columns = {"item": table.item or "prompt", "order": "order", "winner": winner}
    judged = []
    for where, cells in _records(table, experiment, columns, ["judge"]):
        first = experiment.named(text(cells["order"], "order", where), where)
        won = _winner(cells, experiment, where)
        judged.append((where, cells, first, won))
    names = dict.fromkeys(name for *_, first, won in judged for name in (first, won) if name)
    arm = owner(table)
    if arm not in names:
        raise ValueError(f"{table.path}: no '{arm}' in it, {known(arm, names)}")
    other = next((name for name in names if name not in (arm, TIE)), None)
    for where, cells, first, won in judged:
        for value, words in ((first, [arm, other]), (won, [arm, other, TIE, None])):
            if value not in words:
                raise ValueError(
                    f"{where}: '{shown(value)}' is none of {', '.join(filter(None, words))}; "
                    "a table compares two arms"
                )
        judge = cells["judge"]
        yield Row(
            arm,
            ORDERS[0] if first == arm else ORDERS[1],
            _block(table, experiment, cells, where),
            {None: math.nan, TIE: 0.5}.get(won, float(won == arm)),
            where.place,
            "share",
            judge=None if judge is ABSENT or is_blank(judge) else text(judge, "judge", where),
        )


def _comparisons(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Results of the first shown model against the second: metric "FIRST over SECOND", 1, 0.5 or 0.

    Columns ``prompt`` (or `item`), ``first``, ``second`` (the models as they were shown),
    ``winner`` (or `score`: one of the two or tie), perhaps ``judge``. The table's arm is the name
    of the comparison.
    """
    columns = {"item": table.item or "prompt", "first": "first", "second": "second"}
    columns |= {"winner": table.score or "winner"}
    for where, cells in _records(table, experiment, columns, ["judge"]):
        first, second = (_player(cells, key, experiment, where) for key in ("first", "second"))
        won, judge = _winner(cells, experiment, where), cells["judge"]
        if first == second:
            raise ValueError(f"{where}: '{shown(first)}' is compared with itself; take the row out")
        for model in (first, second):
            if OVER in model:
                raise ValueError(
                    f"{where}: the name '{shown(model)}' holds '{OVER}', which stands between two "
                    "models; name it otherwise"
                )
        if won not in (first, second, TIE, None):
            raise ValueError(
                f"{where}: '{shown(won)}' is none of {shown(first)}, {shown(second)}, {TIE}; name "
                "the winner, or tie"
            )
        yield Row(
            owner(table),
            f"{first}{OVER}{second}",
            _block(table, experiment, cells, where),
            {None: math.nan, TIE: 0.5}.get(won, float(won == first)),
            where.place,
            "share",
            judge=None if judge is ABSENT or is_blank(judge) else text(judge, "judge", where),
        )


def _winner(cells: Mapping, experiment: Experiment, where: At) -> str | None:
    """The preferred arm or model, or tie, however that is written; None where the cell is blank."""
    if is_blank(cells["winner"]):
        return None
    won = _player(cells, "winner", experiment, where)
    return TIE if won.casefold() == TIE else won


def _player(cells: Mapping, name: str, experiment: Experiment, where: At) -> str:
    return experiment.named(text(cells[name], name, where), where)


def _records(
    table: ExternalTable,
    experiment: Experiment,
    columns: Mapping[str, str],
    spare: list[str],
    maybe: Mapping[str, str] = {},
) -> Iterator[tuple[At, dict]]:
    """Records with the columns, those of `spare` and `maybe` that are there, cluster and task."""
    fields = {str(name): column for name, column in table.fields.items()}
    needed = dict(columns)
    needed |= {name: fields[name] for name in (*spare, *columns) if name in fields}
    needed |= {"cluster": table.cluster} if table.cluster else {}
    if "task" in experiment.levels and not table.task:
        needed["task"] = fields.get("task", "task")
    if experiment.levels[-1] == "task":  # a task is its own and only item
        del needed["item"]
    optional = {name: name for name in spare if name not in needed}
    yield from records(table, needed, {**optional, **maybe})


def _block(table: ExternalTable, experiment: Experiment, cells: Mapping, where: At) -> str:
    task = table.task or cells.get("task")
    return block(experiment.levels, cells.get("item"), cells.get("cluster"), task, where)


def _unit(cells: Mapping, where: At) -> str:
    cell = cells["unit"]
    return "score" if cell is ABSENT or is_blank(cell) else text(cell, "unit", where)


def _replicate(cells: Mapping, where: At) -> int:
    cell = cells["replicate"]
    return 0 if cell is ABSENT else whole(cell, "replicate", where)
