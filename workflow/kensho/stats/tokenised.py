"""Published tokenisers by text: figures of all documents together, each with its interval."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from kensho.stats import intervals

# Ratios of totals, by name of the column.
RATIOS = {
    "characters_per_token": ("characters", "tokens"),
    "tokens_per_word": ("tokens", "words"),
    "tokens_of_english": ("tokens", "tokens_en"),
}
COLUMNS = ["kind", "text", "tokeniser", "vocabulary", "documents", "characters"]
COLUMNS += [name for column in RATIOS for name in (column, f"{column}_low", f"{column}_high")]


def table(
    observed: Mapping[str, tuple[pd.DataFrame, Mapping[str, Any]]], alpha: float
) -> pd.DataFrame:
    """A row for each text and tokeniser, in the order of the conditions and of the tokenisers.

    ``observed``: observations and conditions of `published_tokenisers` by arm. Behind ``COLUMNS``
    stand shares by kind of token, ``restored_share`` and the speed. Ratios are of totals; their
    intervals of 1 - ``alpha`` are those of a sample of documents (Cochran 1977, section 6.4), of
    the speed of passes; NaN where there are fewer than two, or nothing to divide by. Shares are of
    all tokens, ``restored_share`` of all lines. The order of rows of a table does not matter.
    """
    rows = [
        {"text": text, "kind": about["kind"], "tokeniser": arm, **_row(own, text, alpha, kinds)}
        for arm, (own, conditions) in observed.items()
        for kinds in [conditions["own"]["kinds"]]
        for text, about in conditions["own"]["documents"].items()
    ]
    made = pd.DataFrame(rows)
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    order = {text: place for place, text in enumerate(made["text"].unique())}
    made = made.sort_values("text", key=lambda text: text.map(order), kind="stable")
    rest = [name for name in made if name not in COLUMNS]
    return made[[*COLUMNS, *rest]].reset_index(drop=True)


def _row(observed: pd.DataFrame, text: str, alpha: float, kinds: Iterable[str]) -> dict[str, Any]:
    cells = observed.pivot(index="block", columns="metric", values="value").sort_index()
    own = cells.filter(regex=rf"\.{re.escape(text)}$")
    own = own.rename(columns=lambda name: name.rpartition(".")[0])
    documents = own.dropna(subset=["tokens"])
    totals = documents.sum()
    seconds = own["seconds"].dropna()
    speed = pd.DataFrame({"characters": totals["characters"], "seconds": seconds})
    row: dict[str, Any] = {
        "vocabulary": int(cells["vocabulary"].max()),
        "documents": len(documents),
        "characters": int(totals["characters"]),
    }
    for column, sides in RATIOS.items():
        row |= _ratio(documents, column, *sides, alpha)
    row |= {f"{kind}_share": totals[f"tokens_{kind}"] / totals["tokens"] for kind in kinds}
    row["restored_share"] = totals["restored"] / totals["lines"]
    return row | _ratio(speed, "characters_per_second", "characters", "seconds", alpha)


def _ratio(
    units: pd.DataFrame, column: str, over: str, under: str, alpha: float
) -> dict[str, float]:
    keys = column, f"{column}_low", f"{column}_high"
    if not {over, under} <= {*units} or not units[under].sum():
        return dict.fromkeys(keys, np.nan)
    x, y = units[over].to_numpy(float), units[under].to_numpy(float)
    if len(x) < 2:
        return dict.fromkeys(keys, np.nan) | {column: x.sum() / y.sum()}
    fit = intervals.mean(intervals.linearised(x, y), alpha)
    return dict(zip(keys, np.exp([fit.estimate, fit.low, fit.high]).tolist(), strict=True))
