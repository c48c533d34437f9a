"""Checks over all rows of an experiment: doubles, items without a partner, unlike documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from kensho.external.rows import ORDERS, Evidence, shown
from kensho.external.wanted import OF_ARM, Experiment, layout_of

Where = Callable[[Any], str]  # where a row stands, for messages
ROW = ["arm", "metric", "block", "replicate"]
ITEM = ["measure", "block"]


def paired(rows: pd.DataFrame, experiment: Experiment, where: Where) -> tuple[pd.DataFrame, list]:
    """Rows of the items that every arm has, and what was left out, in words.

    Raises ValueError, one line with file and line, for an item that stands there twice, and, unless
    the experiment says `incomplete: drop`, for one that an arm lacks, that has no value, or that is
    judged in one order only.
    """
    if (row := _first(rows, rows.duplicated(ROW))) is not None:
        same = pd.concat([rows[key] == getattr(row, key) for key in ROW], axis=1).all(axis=1)
        raise ValueError(
            f"{where(row)}: item '{shown(row.block)}' of '{row.arm}' stands there twice, first in "
            f"{where(_first(rows, same))}; remove one, or name a level, task or judge that tells "
            "them apart"
        )
    blank = rows["value"].isna()
    judged = rows["metric"].isin(ORDERS)
    alone = pd.Series(False, index=rows.index)
    if experiment.orders == "both" and judged.any():
        orders = (
            rows[judged]
            .groupby(["arm", "block", "judge"], observed=True, dropna=False)["metric"]
            .transform("nunique")
        )
        alone[judged] = orders < len(ORDERS)
    refuse = experiment.incomplete == "refuse"
    if refuse and (row := _first(rows, blank)) is not None:
        raise ValueError(f"{where(row)}: no {row.metric} of '{shown(row.block)}'")
    if refuse and (row := _first(rows, alone)) is not None:
        raise ValueError(
            f"{where(row)}: '{shown(row.block)}' is judged in one order only"
            f"{'' if pd.isna(row.judge) else f' by {shown(row.judge)}'}; judge it in both, or "
            "register 'orders: random' if its order was drawn"
        )
    measure = rows["metric"].astype(str).mask(judged, "preference")
    rows = rows.assign(measure=measure)
    return _complete(rows, blank | alone, experiment, where)


def of_one_arm(rows: pd.DataFrame, experiment: Experiment, where: Where) -> None:
    """ValueError, one line with file and line, for a result that is counted for two arms."""
    sources = {}
    for number, table in enumerate(experiment.tables):
        of_arm = layout_of(table) in OF_ARM or table.format == "alpaca-eval"
        own = table.arm if of_arm else None
        sources[number] = str((Path(table.path).resolve(), table.score, table.filter, own))
    if len(set(sources.values())) == len(sources):
        return
    place = [rows["table"].map(sources), rows["metric"].astype(str), rows["place"]]
    arms = rows["arm"].astype(str).groupby(place)
    if (row := _first(rows, arms.transform("nunique") > 1)) is not None:
        raise ValueError(
            f"{where(row)}: this result is counted for '{row.arm}' and for another arm; bring the "
            "results of each"
        )


def _first(rows: pd.DataFrame, mask: pd.Series) -> Any:
    """The first row where the mask holds."""
    return next(rows[mask].head(1).itertuples(), None)


def _complete(
    rows: pd.DataFrame, faulty: pd.Series, experiment: Experiment, where: Where
) -> tuple[pd.DataFrame, list]:
    """Rows of the items that every arm of their measure has without a fault.

    Where no claim pairs the arms, an item is looked for in its own arm alone.
    """
    held = rows[["arm", *ITEM]].assign(faulty=faulty)
    held = held.groupby(["arm", *ITEM], observed=True, sort=False)["faulty"].any().reset_index()
    key, needed = ["arm", *ITEM], 1
    if experiment.paired:
        key = ITEM
        needed = rows["measure"].map(held.groupby("measure")["arm"].nunique())
    whole = held[~held["faulty"]].groupby(key, observed=True, sort=False).size()
    counts = whole.reindex(pd.MultiIndex.from_frame(rows[key]), fill_value=0).to_numpy()
    lacking = counts < needed
    notes = []
    for measure, left in rows[lacking].groupby("measure"):
        of = held[held["measure"] == measure]
        left, total = set(left["block"]), of["block"].nunique()
        sound = of[~of["faulty"]].groupby("arm", observed=True)["block"].agg(set)
        without = {arm: left - sound.get(arm, set()) for arm in sorted(of["arm"].unique())}
        if experiment.incomplete == "refuse":
            row = _first(rows, lacking & (rows["measure"] == measure))
            arm = next(arm for arm, blocks in without.items() if row.block in blocks)
            raise ValueError(
                f"{where(row)}: item '{shown(row.block)}' of '{row.arm}' has no {measure} in "
                f"'{arm}' ({len(left)} such item(s)); all arms of an experiment need the same "
                "items, unless the claim says incomplete: drop"
            )
        lack = ", ".join(f"{arm} {len(blocks)}" for arm, blocks in without.items())
        if experiment.paired and len(left) == total:
            paths = ", ".join(sorted({table.path for table in experiment.tables}))
            raise ValueError(
                f"{paths}: no item has {measure} in every arm (items that lack it: {lack})"
            )
        notes.append(
            f"{len(left)} of {total} items left out, which not every arm has ({measure}; items "
            f"that an arm lacks: {lack})"
        )
    return rows[~lacking], notes


def documents(rows: pd.DataFrame, experiment: Experiment, where: Where) -> dict[str, str]:
    """What to say of each arm whose items could not be checked to be those of the other arms.

    An item is the same document where the hashes are equal, or all documents: the same one, spelt
    in another order, has another hash. Where some log has neither, what was asked must be equal.
    Raises ValueError, one line with file and line, for an item that is another document in another
    log, or of another task where nothing shows that it is the same one.
    """
    logs = rows["evidence"].notna()
    if not logs.any() or rows["arm"].nunique() == 1 or not experiment.paired:
        return {}
    blocks, arms = rows["block"], rows["arm"]
    marks = {
        kind: pd.Series(
            [getattr(e, kind, None) for e in rows["evidence"]], rows.index, dtype=object
        )
        for kind in Evidence._fields
    }
    differs = {kind: mark.groupby(blocks).transform("nunique") > 1 for kind, mark in marks.items()}
    every = {kind: mark.notna().groupby(blocks).transform("all") for kind, mark in marks.items()}
    told = _telling(marks["text"], rows)
    same_prompt = every["prompt"] & ~differs["prompt"] & _telling(marks["prompt"], rows)
    unsure = ~told & ~same_prompt & logs.groupby(blocks).transform("any")
    faults = {
        "hash": differs["hash"] & (differs["document"] | ~every["document"]),
        "target": differs["target"],
        "prompt": differs["prompt"] & ~every["hash"],
        "shots": differs["shots"],
        "task": differs["task"] & unsure.groupby(blocks).transform("any"),
    }
    for kind, faulty in faults.items():
        if (row := _first(rows, faulty)) is not None:
            values = marks[kind][blocks == row.block].dropna()
            one, other = (
                rows.loc[i] for i in (values.index[0], values.index[values != values.iloc[0]][0])
            )
            format = experiment.tables[other["table"]].format
            what = _HASHED.get(format, _WHAT[kind]) if kind == "hash" else _WHAT[kind]
            raise ValueError(
                f"{where(other)}: item '{shown(row.block)}' is another document than in "
                f"{where(one)} ({what}); {_MEND.get(kind, _SAME_VERSION)}"
            )
    total = blocks.nunique()
    return {
        str(arm): f"{count} of {total} items: nothing in the tables of '{arm}' shows that they are "
        "those of the other arms; they are paired by their names alone"
        for arm, count in blocks[unsure].groupby(arms, observed=True).nunique().items()
    }


def _telling(mark: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Where a mark tells an item from others: most of the items of its table have one of their own.

    A constant, a label or what stands in place of a text that was taken out tells nothing.
    """
    held = rows[mark.notna()].assign(mark=mark)
    counts = held.groupby("table")[["mark", "block"]].nunique()
    return mark.notna() & rows["table"].map(counts["mark"] > counts["block"] / 2).fillna(False)


_WHAT = {
    "hash": "doc_hash or doc differs",
    "target": "target differs",
    "prompt": "the prompt differs, and one of them has neither doc nor doc_hash",
    "shots": "n-shot differs",
    "task": "the task differs, and nothing shows that the items are the same",
}
_HASHED = {"inspect": "input or target differs", "lm-eval-results": "version differs"}
_SAME_VERSION = "use logs of the same version of the task"
_MEND = {
    "task": "bring logs of one task, or give both the same `task:` in the claim",
    "shots": "use results with as many examples",
}
