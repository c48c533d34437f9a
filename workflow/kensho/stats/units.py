"""From observation tables to the units of a test; every fault of a table is one clear line.

Rows with a negative replicate are warm-up and take no part. Replicates within a block are nested:
they become one value and are never counted as units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from kensho.claims.base import Contrast, Level, Reading, Side
from kensho.claims.designs import Test
from kensho.claims.figures import speaks_of_points

Tables = Mapping[str, pd.DataFrame]
Forward = Callable[[np.ndarray], np.ndarray]


def paired(
    reading: Reading | Contrast, tables: Tables, experiment: str, *, positive: bool
) -> pd.DataFrame:
    """Replicates of both sides of a reading: index block, columns over and under of lists.

    A side that names its block is one unit; it meets the other side's one block, whatever that is
    called. Raises ValueError naming file, line or block for missing, doubled, unpaired and
    unusable values.
    """
    first, second = reading.sides
    _same_unit(reading.sides, tables, experiment)
    over, under = (
        values(side, tables[side.arm], experiment, positive=positive) for side in (first, second)
    )
    if (first.block or second.block) and len(over) == len(under) == 1:
        under.index = over.index
    alone = sorted(set(over.index) ^ set(under.index))
    if alone:
        raise ValueError(
            f"{experiment}: reading '{reading.label}': block '{alone[0]}' is in only one of "
            f"{_named(first)} and {_named(second)} ({len(alone)} such blocks); "
            "rerun the experiment, or mend the table"
        )
    return pd.DataFrame({"over": over, "under": under}).reindex(over.index)


def apart(reading: Contrast, tables: Tables, experiment: str) -> tuple[pd.Series, pd.Series]:
    """Replicates of both sides of a reading, each with the blocks that it has: see `values`."""
    _same_unit(reading.sides, tables, experiment)
    over, under = (values(side, tables[side.arm], experiment) for side in reading.sides)
    return over, under


def _named(side: Side) -> str:
    return f"{side.arm}/{side.metric}" + (f"/{side.block}" if side.block else "")


def values(
    side: Side, table: pd.DataFrame, experiment: str, *, positive: bool = False
) -> pd.Series:
    """Checked values of one side, without warm-up: index block, value list of replicates.

    Blocks stand in the order of their names, numbers by value: that is the order of the run, and
    the order of rows changes nothing.
    """
    rows = table[(table["metric"] == side.metric) & (table["replicate"] >= 0)]
    rows = rows.assign(block=rows["block"].astype(str))
    if side.block is not None:
        rows = rows[rows["block"] == side.block]
    where = f"{experiment}/{side.arm}.csv"
    if rows.empty:
        place = f" in block '{side.block}'" if side.block is not None else ""
        raise ValueError(
            f"{where}: no observation of metric '{side.metric}'{place}; "
            "rerun the experiment or mend the claim"
        )
    units = rows["unit"].unique()
    if len(units) > 1:
        raise ValueError(
            f"{where}: metric '{side.metric}' is given in {' and '.join(map(str, units))}; "
            "use one unit"
        )
    numbers = pd.to_numeric(rows["value"], errors="coerce")
    usable = np.isfinite(numbers) & (numbers > 0 if positive else True)
    for wrong, what in (
        (rows.duplicated(["block", "replicate"]), "stands there twice"),
        (~usable, f"is not a {'positive ' if positive else ''}finite number"),
    ):
        for row in rows[wrong].head(1).itertuples():
            raise ValueError(
                f"{where}, line {row.Index + 2}: metric '{side.metric}', block '{row.block}', "
                f"replicate {row.replicate} (value {row.value}) {what}; "
                "rerun the experiment, or mend the table"
            )
    blocks = pd.Index(sorted(rows["block"].unique(), key=_natural), dtype=object, name="block")
    place = blocks.get_indexer(rows["block"])
    numbers = numbers.to_numpy(dtype=float)[np.lexsort((rows["replicate"], place))]
    if len(numbers) == len(blocks):  # one replicate each: hundreds of thousands of items, perhaps
        return pd.Series(numbers[:, None].tolist(), blocks, name="value")
    cells = np.split(numbers, np.bincount(place).cumsum()[:-1])
    return pd.Series([cell.tolist() for cell in cells], blocks, name="value")


def means(cells: Iterable[Sequence[float]], forward: Forward = np.asarray) -> np.ndarray:
    """Mean over the replicates of each block, of their values put through `forward`: (blocks,)."""
    cells = list(cells)
    sizes = np.fromiter(map(len, cells), int, len(cells))
    flat = forward(np.fromiter(chain.from_iterable(cells), float, sizes.sum()))
    return np.add.reduceat(flat, sizes.cumsum() - sizes) / sizes


def _natural(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Sorts runs of 0 to 9 by their value, whatever their length, and all else as text.

    Other digits (①, ², ٣) are text. The name itself comes last, since 1 and 01 are one number.
    """
    texts = re.split(r"[0-9]+", name)
    digits = [run.lstrip("0") for run in re.findall(r"[0-9]+", name)]
    numbers = [(len(run), run) for run in digits] + [(0, "")]
    return [part for pair in zip(texts, numbers, strict=True) for part in pair], name


def _same_unit(sides: Sequence[Side], tables: Tables, experiment: str) -> None:
    """ValueError where sides with the same metric are given in different units."""
    units: dict[str, tuple[str, str]] = {}
    for side in sides:
        table = tables[side.arm]
        for unit in table.loc[table["metric"] == side.metric, "unit"].unique():
            arm, first = units.setdefault(side.metric, (side.arm, unit))
            if unit != first:
                raise ValueError(
                    f"{experiment}/{side.arm}.csv: metric '{side.metric}' is in '{unit}', in "
                    f"{arm}.csv in '{first}'; use one unit"
                )


def scores_fit(unit: str, test: Test, tables: Tables) -> None:
    """Hold scores against the range and the unit that the claim states its figure in.

    Raises ValueError naming file and line, or the key of the claim, for a score outside the
    declared range, scores that a declared 0 to 100 cannot mean, a figure that no such scores reach
    where nothing is declared, points of scores that are shares, and a claim in another unit than
    its scores.
    """
    table, where = _scores(test.sides, tables), test.experiment
    stated = set(map(str, table["unit"]))  # several are told by whoever pairs them
    if len(stated) == 1 and unit not in FREE_UNITS and not stated <= {unit, *FREE_UNITS}:
        raise ValueError(
            f"{where}: the scores are in '{stated.pop()}', the claim speaks of '{unit}'; write the "
            "claim's unit and figure as the scores have them"
        )
    lowest, highest = float(table["value"].min()), float(table["value"].max())
    declared = test.range or [None, None]
    low, high = (far if end is None else end
                 for end, far in zip(declared, (-math.inf, math.inf), strict=True))  # fmt: skip
    outside = (table["value"] < low) | (table["value"] > high)  # what is no number, `values` tells
    for row in table[outside].head(1).itertuples():
        raise ValueError(
            f"{where}/{row.arm}.csv, line {row.Index + 2}: {row.metric} of '{row.block}' is "
            f"{row.value:g}, outside test.range [{low:g}, {high:g}]; mend the range or the table"
        )
    if test.range == [0, 100] and highest <= 1 and lowest < highest:
        raise ValueError(
            f"{where}: no score is above 1, so they are shares and no percentages; write "
            "test.range: [0, 1] and the region in shares"
        )
    if test.score_range is None:
        least, most = test.region
        reach = (lowest - highest, highest - lowest) if test.scale == "difference" else (
            lowest, highest)  # fmt: skip
        if (least is not None and least > reach[1]) or (most is not None and most < reach[0]):
            raise ValueError(
                f"{where}: scores from {lowest:g} to {highest:g} cannot reach the claimed region "
                f"{test.region}; say with test.range what the scores can be (0 to 100, say), or "
                "mend the region"
            )
    if None in declared and speaks_of_points(unit) and -1 <= lowest < highest <= 1:
        raise ValueError(
            f"{where}: the scores lie between {lowest:g} and {highest:g}, where '{unit}' can be "
            "read in more than one way; of shares write test.range: [0, 1] and unit: percentage "
            "points (5 is 0.05), of other scores unit: score"
        )


def one_scale(test: Test, tables: Tables) -> None:
    """ValueError where one side's scores are shares and the other's percentages, on some task.

    Scores in a unit of their own (seconds, chrF) are what they say.
    """
    of_tasks = test.levels[0] == "task" and len(test.levels) > 1
    for sides in [list(reading.sides) for reading in test.all_readings] or [test.sides]:
        highest = []
        for side in sides:
            table = _scores([side], tables)
            task = table["block"].astype(str).str.partition("/")[0] if of_tasks else ""
            table = table.assign(task=task)[table["unit"].isin(FREE_UNITS)]
            highest.append(table.groupby("task")["value"].max())
        highest = pd.concat(highest, axis=1, keys=[_named(side) for side in sides])
        shares = highest.gt(0) & highest.le(1)
        percent = highest.gt(_NO_SHARE)
        for task in highest.index[shares.any(axis=1) & percent.any(axis=1)][:1]:
            one, other = (mask.loc[task].idxmax() for mask in (shares, percent))
            raise ValueError(
                f"{test.experiment}: no score of {one} is above 1, those of {other} reach "
                f"{highest.loc[task, other]:g}{f' (task {task})' if of_tasks else ''}: shares "
                "beside percentages; bring both on one scale, or name the scores' own in the "
                "table's column 'unit'"
            )


def _scores(sides: Sequence[Side], tables: Tables) -> pd.DataFrame:
    """Everything that the sides observe but warm-up: arm, metric, block, value and unit."""
    parts = []
    for side in sides:
        rows = tables[side.arm]
        rows = rows[(rows["metric"] == side.metric) & (rows["replicate"] >= 0)]
        rows = rows.assign(value=pd.to_numeric(rows["value"], errors="coerce"), arm=side.arm)
        parts.append(rows[["arm", "metric", "block", "value", "unit"]])
    return pd.concat(parts)


# No scale of marks (1 to 10) beside which another arm's marks could all be 0 and 1 goes beyond it.
_NO_SHARE = 10
# Words for the scores' own unit: they say nothing that a table could contradict.
FREE_UNITS = ("points", "percentage points", "share", "score", "-")


def binary(side: pd.Series, reading: Reading | Contrast | Level, experiment: str) -> pd.Series:
    """Right (1) or wrong (0) of each block, from the lists of `values`; ValueError for others."""
    right = pd.Series(means(side), side.index)
    other = "repeats" if isinstance(reading, Level) else "score"
    for block in right.index[~right.isin([0, 1])][:1]:
        raise ValueError(
            f"{experiment}: reading '{reading.label}': block '{block}' holds {right[block]:g}, "
            f"neither 0 nor 1; register 'outcome: {other}', or mend the table"
        )
    return right


def preferences(cells: pd.Series, where: str) -> pd.Series:
    """The lists of `values`, if they hold wins (1), ties (0.5) and losses (0); else ValueError."""
    for prompt, cell in cells.items():
        if not set(cell) <= {0.0, 0.5, 1.0}:
            raise ValueError(
                f"{where}: prompt '{prompt}' holds {cell[0]:g}, a preference is 0, 0.5 or 1; "
                "mend the table"
            )
    return cells


def split(blocks: Sequence[str], levels: Sequence[str], experiment: str) -> pd.DataFrame:
    """The parts of block names, one column for each level; with one level the name is the part.

    Raises ValueError for a name with another number of parts.
    """
    if len(levels) == 1:
        return pd.DataFrame({levels[0]: list(blocks)})
    parts = [block.split("/") for block in blocks]
    for block, names in zip(blocks, parts, strict=True):
        if len(names) != len(levels):
            raise ValueError(
                f"{experiment}: block '{block}' has {len(names)} parts, the claim registers "
                f"{len(levels)} levels ({'/'.join(levels)}); mend the claim's levels or the table"
            )
    return pd.DataFrame(parts, columns=list(levels))


def by_unit(values: np.ndarray, parts: pd.DataFrame, level: int = 0) -> pd.Series:
    """Mean over everything below a level: index unit (in order of appearance), one value each.

    Items count alike within the lowest cluster, clusters alike within the unit above them.
    """
    levels = list(parts.columns)
    table = parts.assign(value=np.asarray(values, dtype=float))
    for depth in range(len(levels) - 1, level, -1):
        keys = levels[:depth]
        table = table.groupby(keys, sort=False)["value"].mean().reset_index()
    keys = levels[: level + 1]
    return table.groupby(keys, sort=False)["value"].mean()


def grid(sides: Sequence[Side], tables: Tables, experiment: str) -> pd.DataFrame:
    """Mean over replicates of every side in every block: index block, columns the sides' arms.

    Raises ValueError for a block that some side lacks.
    """
    _same_unit(sides, tables, experiment)
    columns = [values(side, tables[side.arm], experiment) for side in sides]
    table = pd.concat([pd.Series(means(cells), cells.index) for cells in columns], axis=1)
    table.columns = [side.arm for side in sides]
    for place, arm in enumerate(table):
        missing = table.index[table.iloc[:, place].isna()]
        if len(missing):
            raise ValueError(
                f"{experiment}/{arm}.csv: block '{missing[0]}' is missing ({len(missing)} such "
                "blocks), but other arms have it; rerun the experiment, or mend the table"
            )
    return table
