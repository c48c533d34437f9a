"""The files that the report is made of, as the tables that the page takes."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from kensho.files import read_json
from kensho.observations import read
from kensho.run import budget
from kensho.run.events import Event


def summary(path: str | Path) -> dict:
    """``statistical_summary.json`` with its name and the time when it was written."""
    path = Path(path)
    written = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    generated = written.isoformat(timespec="minutes")
    return {
        "generated": generated,
        "file": path.name,
        **json.loads(path.read_text(encoding="utf-8")),
    }


CURVES = ["loss", "validation", "learning_rate", "tokens_per_second", "peak_bytes", "reward"]


def loss(paths: list[str]) -> pd.DataFrame:
    """Columns arm, seed, step, unit and ``CURVES`` of all trainings, which may be none.

    An arm of several stages is one for each, `arm, stage`; NaN stands for what a file of an earlier
    version lacks and for steps at which nothing was validated. The loss is that of the samples,
    without a method's penalty; ``unit`` is its own, as the record beside the steps has it.
    """
    columns = ["arm", "seed", "step", "unit", *CURVES]
    tables = []
    for path in paths:
        table = pd.read_csv(path)
        if table.empty:  # of a stage that trains nothing
            continue
        if {"tokens", "seconds"} <= {*table}:
            table["tokens_per_second"] = table["tokens"] / table["seconds"]
        if "penalty" in table:
            table["loss"] -= table["penalty"]
        table["unit"] = read_json(Path(path).with_name("record.json")).get("loss_unit") or ""
        tables.append(
            table.assign(stage=Path(path).parts[-3:][0]).reindex(columns=[*columns, "stage"])
        )
    if not tables:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(tables, ignore_index=True)
    several = rows.groupby("arm")["stage"].transform("nunique") > 1
    rows["arm"] = rows["arm"].where(~several, rows["arm"] + ", " + rows["stage"])
    return rows[columns]


def audits(paths: list[str]) -> list[str]:
    """What trainings were about to learn: a line for each, and one for each of its warnings."""
    lines = []
    for path in paths:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if audit := record.get("audit"):
            of = f"{record['arm']}, {record['stage']}, seed {record['seed']}"
            learned = f"{audit['learned']} of {audit['tokens']} tokens are learned"
            rows = f", rows {record['rows']}" if record["rows"] else ""
            lines.append(f"{of}: {learned}{rows}")
            lines += [f"{of}: {warning}" for warning in audit["warnings"]]
    return lines


def kv_grid(paths: list[str]) -> pd.DataFrame:
    """One row per arm and cell: length, batch, dtype, allocated and closed-form bytes, equal."""
    rows = pd.concat(read(path)[0] for path in paths)
    wide = rows.pivot(index=["arm", "block", "replicate"], columns="metric", values="value")
    # the closed form stands beside every replicate; a cell is equal only if each of them is
    wide["equal"] = wide["cache_bytes"] == wide["closed_form_bytes"]
    grid = wide.groupby(["arm", "block"]).agg(
        {"cache_bytes": "max", "closed_form_bytes": "max", "equal": "all"}
    )
    grid = grid.reset_index()
    cells = grid["block"].str.extract(r"L(?P<length>\d+)-B(?P<batch>\d+)-(?P<dtype>\w+)")
    grid = grid.join(cells.astype({"length": int, "batch": int}))
    columns = ["arm", "length", "batch", "dtype", "cache_bytes", "closed_form_bytes", "equal"]
    return grid[columns].sort_values(columns[:4], ignore_index=True)


def execution(past: Sequence[Event]) -> dict:
    """The last run of each finished job, by rule, and the time they took in all.

    ``wall_seconds`` is the time during which at least one of these jobs was running, None where
    nothing ran.
    """
    last = {event.job: event for event in past if event.event == "finished"}.values()
    rows = [(event.rule, event.took) for event in last]
    by_rule = pd.DataFrame(rows, columns=["rule", "seconds"]).groupby("rule")["seconds"]
    rules = by_rule.agg(jobs="size", seconds="sum").reset_index()
    rules = rules.sort_values("seconds", ascending=False)
    wall, reached = 0.0, 0.0
    ends = [event.time.timestamp() for event in last]
    begins = [end - event.took for end, event in zip(ends, last, strict=True)]
    for begin, end in sorted(zip(begins, ends, strict=True)):
        wall += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return {
        "wall_seconds": wall if past else None,
        "rules": rules.to_dict("records"),
    }


def cost(past: Sequence[Event], settings: budget.Budget, summary: dict) -> dict:
    """What was spent of the limit, by rule, and the claims that are left out for it.

    Empty where nothing was spent and nothing left out.
    """
    attempts = budget.attempts(past)
    rows = [(each.rule, each.seconds, budget.usd(each, settings.prices)) for each in attempts]
    by_rule = pd.DataFrame(rows, columns=["rule", "seconds", "usd"]).groupby("rule")
    rules = by_rule.agg(attempts=("usd", "size"), seconds=("seconds", "sum"), usd=("usd", "sum"))
    rules = rules[rules["usd"] > 0].sort_values("usd", ascending=False).reset_index()
    left_out = [
        {"id": claim["id"], "reason": claim["sentence"]}
        for claim in summary["claims"]
        if claim["analysis"] is None and claim["sentence"].startswith(budget.LEFT_OUT)
    ]
    if rules.empty and not left_out:
        return {}
    return {
        "spent_usd": float(rules["usd"].sum()),
        "limit_usd": settings.limit_usd,
        "rules": rules.to_dict("records"),
        "left_out": left_out,
    }
