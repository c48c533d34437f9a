"""The files that the report is made of, as the tables that the page takes."""

import json
from datetime import datetime
from pathlib import Path

import pandas as pd

from kensho.observations import read


def summary(path: str | Path) -> dict:
    """``statistical_summary.json`` with the time when it was written."""
    path = Path(path)
    written = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    generated = written.isoformat(timespec="minutes")
    return {"generated": generated, **json.loads(path.read_text(encoding="utf-8"))}


def loss(paths: list[str]) -> pd.DataFrame:
    """Columns arm, seed, step, loss of all trainings."""
    return pd.concat(map(pd.read_csv, paths))[["arm", "seed", "step", "loss"]]


def kv_grid(paths: list[str]) -> pd.DataFrame:
    """One row per arm and cell: length, batch, dtype, allocated and closed-form bytes, equal."""
    rows = pd.concat(read(path)[0] for path in paths)
    # the closed form beside every replicate; the cell counts as equal only if each of them is
    wide = rows.pivot_table(
        index=["arm", "block"], columns="metric", values="value", aggfunc=["min", "max"]
    )
    cells = wide.index.get_level_values("block").str.extract(r"L(\d+)-B(\d+)-(\w+)")
    grid = pd.DataFrame(
        {
            "arm": wide.index.get_level_values("arm"),
            "length": cells[0].astype(int),
            "batch": cells[1].astype(int),
            "dtype": cells[2],
            "cache_bytes": wide["max", "cache_bytes"].to_numpy(),
            "closed_form_bytes": wide["max", "closed_form_bytes"].to_numpy(),
        }
    )
    lowest, highest = wide["min", "cache_bytes"], wide["max", "cache_bytes"]
    formula = wide["max", "closed_form_bytes"]
    grid["equal"] = ((lowest == formula) & (highest == formula)).to_numpy()
    return grid.sort_values(["arm", "length", "batch", "dtype"], ignore_index=True)


def execution(path: str | Path) -> dict:
    """Jobs and seconds by rule of all finished jobs in the execution log."""
    path = Path(path)
    if not path.exists():
        return {}
    log = pd.read_csv(path, sep="\t", names=["time", "event", "job", "seconds"])
    done = log[log["event"] == "finished"]
    by_rule = done.groupby(done["job"].str.split(" ").str[0])["seconds"]
    rules = by_rule.agg(jobs="size", seconds="sum").reset_index(names="rule")
    return {"rules": rules.sort_values("seconds", ascending=False).to_dict("records")}
