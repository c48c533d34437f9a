"""From observation tables to the units of a test; every fault of a table is one clear line.

Rows with a negative replicate are warm-up and take no part. Replicates within a block are nested:
they become one value and are never counted as units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kensho.claims.designs import Contrast, Level, Reading, Side

Tables = Mapping[str, pd.DataFrame]


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
    blocks = sorted(rows["block"].unique(), key=_natural)
    rows = rows.assign(value=numbers.astype(float)).sort_values("replicate", kind="stable")
    return rows.groupby("block", sort=False)["value"].agg(list).reindex(blocks)


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


def binary(side: pd.Series, reading: Reading | Contrast | Level, experiment: str) -> pd.Series:
    """Right (1) or wrong (0) of each block, from the lists of `values`; ValueError for others."""
    means = side.map(np.mean)
    for block in means.index[~means.isin([0, 1])][:1]:
        raise ValueError(
            f"{experiment}: reading '{reading.label}': block '{block}' holds {means[block]:g}, "
            "neither 0 nor 1; register 'outcome: score', or mend the table"
        )
    return means


def split(blocks: Sequence[str], levels: Sequence[str], experiment: str) -> pd.DataFrame:
    """The parts of block names, one column for each level; with one level the name is the part.

    Raises ValueError for a name with another number of parts.
    """
    if len(levels) == 1:
        return pd.DataFrame({levels[0]: list(blocks)})
    parts = [block.split("/") for block in blocks]
    for block, found in zip(blocks, parts, strict=True):
        if len(found) != len(levels):
            raise ValueError(
                f"{experiment}: block '{block}' has {len(found)} parts, the claim registers "
                f"{len(levels)} levels ({'/'.join(levels)}); mend the claim's levels or the table"
            )
    return pd.DataFrame(parts, columns=list(levels))


def by_unit(values: np.ndarray, parts: pd.DataFrame, level: int = 0) -> pd.Series:
    """Mean over everything below a level: index unit (in order of appearance), one value each.

    Items count alike within the lowest cluster, clusters alike within the unit above them.
    """
    levels = list(parts.columns)
    found = parts.assign(value=np.asarray(values, dtype=float))
    for depth in range(len(levels) - 1, level, -1):
        keys = levels[:depth]
        found = found.groupby(keys, sort=False)["value"].mean().reset_index()
    keys = levels[: level + 1]
    return found.groupby(keys, sort=False)["value"].mean()


def grid(sides: Sequence[Side], tables: Tables, experiment: str) -> pd.DataFrame:
    """Mean over replicates of every side in every block: index block, columns the sides' arms.

    Raises ValueError for a block that some side lacks.
    """
    _same_unit(sides, tables, experiment)
    found = [values(side, tables[side.arm], experiment) for side in sides]
    table = pd.concat([cells.map(lambda x: float(np.mean(x))) for cells in found], axis=1)
    table.columns = [side.arm for side in sides]
    for place, arm in enumerate(table):
        missing = table.index[table.iloc[:, place].isna()]
        if len(missing):
            raise ValueError(
                f"{experiment}/{arm}.csv: block '{missing[0]}' is missing ({len(missing)} such "
                "blocks), but other arms have it; rerun the experiment, or mend the table"
            )
    return table
