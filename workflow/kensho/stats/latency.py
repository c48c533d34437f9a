"""Percentiles of what the experiment `serving` observed of each request, by arm and load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

TIMES = ("first_token_seconds", "token_seconds", "latency_seconds")
RATES = ("tokens_per_second", "requests_per_second")
PERCENTILES = (50, 95, 99)
COLUMNS = ["arm", "load", "requests", *RATES,
           *(f"{name}_p{p}" for name in TIMES for p in PERCENTILES),
           "unchanged", "compared", "absent"]  # fmt: skip


def percentiles(arms: Mapping[str, tuple[pd.DataFrame, Mapping]]) -> pd.DataFrame:
    """One row for each arm and load, of its observations and conditions; columns COLUMNS.

    Times in seconds: the least that at least so many percent of all requests of all rounds keep to
    (the inverse of their empirical distribution). One beyond which not even one request lies (the
    99th of fewer than 100) is left out. Rates are means over the rounds; ``unchanged`` is the share
    of ``compared`` answers that are the plain arm's. A load without times says why (``absent``).
    """
    rows = [
        row for arm, (table, conditions) in arms.items() for row in _rows(arm, table, conditions)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(arm: str, table: pd.DataFrame, conditions: Mapping) -> Iterator[dict]:
    of_metric = {str(name): rows["value"].to_numpy() for name, rows in table.groupby("metric")}
    absent = conditions.get("absent", {})
    loads = dict.fromkeys(
        name.partition(".")[2]
        for name in [*of_metric, *absent]
        if name.startswith("latency_seconds.")
    )
    for load in loads:
        values = {
            name.partition(".")[0]: numbers
            for name, numbers in of_metric.items()
            if name.partition(".")[2] == load
        }
        row = {"arm": arm, "load": load, "absent": absent.get(f"latency_seconds.{load}", "")}
        row["requests"] = len(values.get("latency_seconds", []))
        row |= {name: values[name].mean() for name in RATES if name in values}
        for name in TIMES:
            for p in PERCENTILES:
                if len(times := values.get(name, np.array([]))) * (100 - p) >= 100:
                    row[f"{name}_p{p}"] = np.percentile(times, p, method="inverted_cdf")
        if "unchanged" in values:
            row |= {"unchanged": values["unchanged"].mean(), "compared": len(values["unchanged"])}
        yield row
