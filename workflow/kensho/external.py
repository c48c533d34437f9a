"""Item-level results that others published or the user brings, as observation tables.

Four formats: the per-sample logs of lm-evaluation-harness (``--log_samples``, as of 0.4.13),
tables of pairwise judgements of two arms or among many models, and plain CSV.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kensho import external_comparisons
from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim, Tier
from kensho.claims.registry import tested
from kensho.files import sha256
from kensho.observations import table as observation_table
from kensho.validation import suggestion

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LOG_NAME = re.compile(r"samples_(.+)_\d{4}-\d{2}-\d{2}T.*\.jsonl")
TIE = "tie"
ORDERS = ("preference.first", "preference.second")  # the arm was shown first, or second
_MISSING = "missing; put it there or mend the path in the claim"


@dataclass(frozen=True)
class Experiment:
    """What claims ask of the tables of one experiment."""

    tables: list[ExternalTable]
    levels: list[str]
    arms: list[str]
    paired: bool = True  # whether a claim pairs the items of the arms
    both_orders: bool = True  # whether a claim needs each prompt in both orders


def experiments(claims: Iterable[Claim]) -> dict[str, Experiment]:
    """Experiments whose results are brought, with the arms that all their claims read."""
    found: dict[str, Experiment] = {}
    for claim in tested(claims):
        test = claim.test
        if test.external:
            earlier = found.get(test.experiment, Experiment([], [], [], False, False))
            found[test.experiment] = Experiment(
                test.external,
                test.levels,
                sorted({*earlier.arms, *test.arms}),
                earlier.paired or test.paired,
                earlier.both_orders or test.both_orders,
            )
    return found


def problems(claims: Iterable[Claim], own: Collection[str]) -> list[str]:
    """Faults of the claims that bring tables, one line each; `own` are our own experiments."""
    lines, first = [], {}
    for claim in tested(claims):
        test, where = claim.test, f"claim {claim.id}: test"
        other = first.setdefault(test.experiment, claim)
        if (test.external, test.levels) != (other.test.external, other.test.levels) and (
            test.external or other.test.external
        ):
            lines.append(
                f"{where}.external: {other.id} names the experiment '{test.experiment}' with other "
                "tables or levels; give both the same, or one of them another experiment"
            )
        if not test.external:
            continue
        if test.experiment in own:
            lines.append(
                f"{where}.experiment: '{test.experiment}' is run by the workflow; "
                "give the tables another name"
            )
        for name in (test.experiment, *test.arms):
            if not NAME.fullmatch(name):
                lines.append(
                    f"{where}: '{name}' becomes a file name; use letters, digits, '.', '_', '-'"
                )
        lines += [f"{where}.external{line}" for line in _table_faults(test.external, test)]
    return lines


def _table_faults(tables: Sequence[ExternalTable], test) -> Iterator[str]:
    clusters = [level for level in test.levels[:-1] if level != "task"]
    if len(clusters) > 1:
        yield f": tables have one level of clusters, the test has {' and '.join(clusters)}"
    for number, table in enumerate(tables):
        if table.arm is None and table.format != "csv":
            yield f"[{number}].arm: required key is missing (whose results {table.path} holds)"
        if table.cluster and not clusters:
            yield (
                f"[{number}].cluster: the test has no level for '{table.cluster}'; "
                f"give it levels: [{table.cluster}, item]"
            )
        if clusters and not table.cluster:
            yield f"[{number}].cluster: name the column of the level '{clusters[0]}'"
    if all(table.arm is not None for table in tables):
        brought = {table.arm for table in tables}
        for arm in test.arms:
            if arm not in brought:
                yield f": no table of the arm '{arm}', {suggestion(arm, brought)}"


def missing(brought: Mapping[str, Experiment], observations: Path) -> list[str]:
    """One line for each file that is not there although its experiment is not yet imported."""
    paths = {
        table.path
        for name, experiment in brought.items()
        if not all((observations / name / f"{arm}.csv").is_file() for arm in experiment.arms)
        for table in experiment.tables
    }
    return [f"{path}: {_MISSING}" for path in sorted(paths) if not Path(path).is_file()]


def observe(name: str, experiment: Experiment) -> dict[str, tuple[pd.DataFrame, dict]]:
    """Observation table and conditions of each arm of an experiment.

    Raises ValueError, one line with file and line, for a table that is missing, empty, without a
    needed column or arm; a value that is no finite number; an item that stands there twice; if a
    claim pairs the arms, an item that one has and another has not, or that is another document
    there; a prompt judged in one order only, if a claim needs both.
    """
    found = [
        {"table": number, **row}
        for number, table in enumerate(experiment.tables)
        for row in _READERS[table.format](table, experiment.levels)
    ]
    rows = pd.DataFrame([row for row in found if row["arm"] in experiment.arms])
    for arm in experiment.arms:
        if not any(row["arm"] == arm for row in found):
            held = {row["arm"] for row in found}
            paths = ", ".join(sorted({table.path for table in experiment.tables}))
            raise ValueError(f"{paths}: no row of the arm '{arm}', {suggestion(arm, held)}")
    judges = sorted(rows["judge"].dropna().unique())
    numbers = {judge: number for number, judge in enumerate(judges)}
    rows["replicate"] = rows["judge"].map(numbers).fillna(rows["replicate"]).astype(int)
    _check(rows, experiment)
    described = {
        "tier": Tier.PUBLISHED.value,
        "note": "the data existed before the claim was registered here",
        **({"judges": judges} if judges else {}),
        "fallbacks": [],
        "deviations": [],
    }
    return {
        arm: (
            observation_table(of_arm.assign(experiment=name).to_dict("records")),
            {**described, "tables": _sources(experiment.tables, of_arm)},
        )
        for arm, of_arm in rows.groupby("arm", sort=True)
    }


def _sources(tables: Sequence[ExternalTable], rows: pd.DataFrame) -> list[dict]:
    return [
        {
            **tables[number].model_dump(exclude_none=True),
            "sha256": sha256(tables[number].path),
            "rows": int(count),
        }
        for number, count in rows["table"].value_counts(sort=False).items()
    ]


def _check(rows: pd.DataFrame, experiment: Experiment) -> None:
    """Raise for repeated items, items without a partner, and partners that are not the same.

    Arms that no claim pairs may hold items of their own, and prompts one order if none needs both.
    """
    key = ["arm", "metric", "block", "replicate"]
    for row in rows[rows.duplicated(key)].head(1).itertuples():
        same = (rows[key] == [getattr(row, name) for name in key]).all(axis=1)
        raise ValueError(
            f"{row.where}: item '{row.block}' of '{row.arm}' stands there twice, first in "
            f"{rows['where'][same].iloc[0]}; remove one, or name a level, task or judge that "
            "tells them apart"
        )
    judged = rows[rows["metric"].isin(ORDERS)] if experiment.both_orders else rows[:0]
    orders = judged.groupby(["arm", "block"])["metric"].transform("nunique")
    for row in judged[orders < len(ORDERS)].head(1).itertuples():
        raise ValueError(
            f"{row.where}: '{row.block}' is judged in one order only; judge it in both, "
            "or register 'orders: random' if the order was drawn for each prompt"
        )
    for metric, group in rows.groupby("metric", sort=True) if experiment.paired else ():
        blocks = {arm: set(found) for arm, found in group.groupby("arm", sort=True)["block"]}
        everywhere = set.intersection(*blocks.values())
        for row in group[~group["block"].isin(everywhere)].head(1).itertuples():
            lacking = next(arm for arm, held in blocks.items() if row.block not in held)
            count = len(set.union(*blocks.values()) - everywhere)
            raise ValueError(
                f"{row.where}: item '{row.block}' of '{row.arm}' has no {metric} in '{lacking}' "
                f"({count} such item(s)); all arms of an experiment need the same items"
            )
        unlike = group.dropna(subset="document").drop_duplicates(["block", "document"])
        for row in unlike[unlike.duplicated("block")].head(1).itertuples():
            raise ValueError(
                f"{row.where}: item '{row.block}' is another document than in another log "
                "(doc_hash differs); use logs of the same version of the task"
            )


def _lm_eval(table: ExternalTable, levels: Sequence[str]) -> Iterator[dict]:
    """Rows of one log; its documents are items, `doc_id` names them unless `item` does."""
    lines = list(_json_lines(table.path))
    filters = {str(line.get("filter", "none")) for _, line in lines}
    chosen = table.filter or min(filters)
    if table.filter is None and len(filters) > 1:
        raise ValueError(
            f"{table.path}: holds the filters {', '.join(sorted(filters))}; "
            "choose one with `filter:` in the claim"
        )
    if chosen not in filters:
        raise ValueError(f"{table.path}: no filter '{chosen}', {suggestion(chosen, filters)}")
    named = LOG_NAME.fullmatch(Path(table.path).name)
    for where, line in lines:
        if str(line.get("filter", "none")) != chosen:
            continue
        document = line.get("doc") if isinstance(line.get("doc"), dict) else {}
        metric = table.metric or _only_metric(line, where)
        parts = {
            "item": _cell(document if table.item else line, table.item or "doc_id", where),
            "cluster": _cell(document, table.cluster, where) if table.cluster else None,
            "task": line.get("task") or (named and named[1]),
        }
        yield _row(
            table.arm,
            metric,
            _block(parts, levels, where),
            _number(_cell(line, metric, where), metric, where),
            where,
            document=str(line.get("doc_hash")),
        )


def _only_metric(line: Mapping, where: str) -> str:
    metrics = line.get("metrics") or []
    if len(metrics) != 1:
        raise ValueError(
            f"{where}: the metrics are {', '.join(metrics) or 'not listed'}; "
            "choose one with `metric:` in the claim"
        )
    return metrics[0]


def _pairwise(table: ExternalTable, levels: Sequence[str]) -> Iterator[dict]:
    """Results of the table's arm, apart for the prompts where it was shown first and second.

    Column ``order`` names the arm shown first, ``winner`` (or `score`) the preferred one or tie.
    """
    prompt, winner = table.item or "prompt", table.score or "winner"
    lines = list(_csv_lines(table.path, [prompt, "order", winner, table.cluster], levels))
    names = {line[column]: None for _, line in lines for column in ("order", winner)}
    if table.arm not in names:
        raise ValueError(f"{table.path}: no '{table.arm}' in it, {suggestion(table.arm, names)}")
    other = next((name for name in names if name not in (table.arm, TIE, "")), None)
    for where, line in lines:
        first, won = _cell(line, "order", where), _cell(line, winner, where)
        for value, words in ((first, [table.arm, other]), (won, [table.arm, other, TIE])):
            if value not in words:
                raise ValueError(
                    f"{where}: '{value}' is none of {', '.join(filter(None, words))}; "
                    "a table compares two arms"
                )
        yield _row(
            table.arm,
            ORDERS[0] if first == table.arm else ORDERS[1],
            _block(_parts(line, prompt, table), levels, where),
            0.5 if won == TIE else float(won == table.arm),
            where,
            unit="share",
            judge=line.get("judge") or None,
        )


def _plain(table: ExternalTable, levels: Sequence[str]) -> Iterator[dict]:
    """Rows of a CSV; columns arm, replicate, task and unit are read where they are."""
    item, score = table.item or "item", table.score or "score"
    needed = [score, table.cluster, None if table.arm else "arm"]
    needed += [item] if levels[-1] != "task" else []  # a task may be its own and only item
    for where, line in _csv_lines(table.path, needed, levels):
        arm = _cell(line, "arm", where) if "arm" in line else table.arm
        if table.arm not in (None, arm):
            continue
        replicate = line.get("replicate", "0")
        if not re.fullmatch(r"-?\d+", replicate):
            raise ValueError(f"{where}: replicate '{replicate}' is not a whole number")
        yield _row(
            arm,
            table.metric or score,
            _block(_parts(line, item, table), levels, where),
            _number(_cell(line, score, where), score, where),
            where,
            unit=line.get("unit") or "score",
            replicate=int(replicate),
        )


_READERS: dict[str, Callable[[ExternalTable, Sequence[str]], Iterator[dict]]] = {
    "lm-eval": _lm_eval,
    "pairwise": _pairwise,
    "comparisons": lambda *given: external_comparisons.comparisons(*given),
    "csv": _plain,
}


def _row(arm: str, metric: str, block: str, value: float, where: str, **more) -> dict:
    row = {"arm": arm, "metric": metric, "block": block, "value": value, "where": where}
    return {**row, "unit": "score", "replicate": 0, "judge": None, "document": None, **more}


def _parts(line: Mapping, item: str, table: ExternalTable) -> dict:
    return {
        "item": line.get(item),
        "cluster": line[table.cluster] if table.cluster else None,
        "task": line.get("task"),
    }


def _block(parts: Mapping, levels: Sequence[str], where: str) -> str:
    """Name of the block: the level `task` is the task, the last the item, any other the cluster."""
    names = []
    for level in levels:
        last = "item" if level == levels[-1] else "cluster"
        part = parts.get("task" if level == "task" else last)
        if part in (None, ""):
            raise ValueError(f"{where}: nothing says the {level}; give it in the table")
        names.append(str(part).replace("/", "%2F"))  # a slash parts the levels
    return "/".join(names)


def _cell(line: Mapping, column: str, where: str):
    if line.get(column) in (None, ""):
        known = f", {suggestion(column, line)}" if column not in line and line else ""
        raise ValueError(f"{where}: no {column}{known}")
    return line[column]


def _number(value: object, name: str, where: str) -> float:
    try:
        number = math.nan if isinstance(value, list | dict) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or (isinstance(value, str) and "_" in value):
        raise ValueError(f"{where}: {name} is {str(value)[:40]!r}, not a finite number")
    return number


def _json_lines(path: str) -> Iterator[tuple[str, dict]]:
    empty = True
    for number, text in enumerate(_text(path).split("\n"), start=1):
        where = f"{path}, line {number}"
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise ValueError(f"{where}: not a JSON object; a log has one in each line")
        empty = False
        yield where, line
    if empty:
        raise ValueError(f"{path}: holds no result")


def _csv_lines(
    path: str, needed: Iterable[str | None], levels: Sequence[str]
) -> Iterator[tuple[str, dict]]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    columns = reader.fieldnames
    if not columns:
        raise ValueError(f"{path}: holds no result")
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        raise ValueError(f"{path}, line 1: column '{doubled[0]}' stands there twice")
    wanted = [*filter(None, needed), *(["task"] if "task" in levels else [])]
    for column in wanted:
        if column not in columns:
            raise ValueError(f"{path}, line 1: no column '{column}', {suggestion(column, columns)}")
    empty = True
    try:
        for line in reader:
            where, empty = f"{path}, line {reader.line_num}", False
            if None in line or None in line.values():
                raise ValueError(f"{where}: not {len(columns)} cells like the header")
            yield where, {column: cell.strip() for column, cell in line.items()}
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.reader.line_num}: {error}") from None
    if empty:
        raise ValueError(f"{path}: holds no result")


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ValueError(f"{path}: {_MISSING}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a readable UTF-8 file ({error})") from None
