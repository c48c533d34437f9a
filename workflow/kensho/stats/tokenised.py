"""Published tokenisers by text: figures of all documents together, each with its interval."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kensho.bench.tokeniser_arms import KINDS, TEXTS
from kensho.stats import intervals

# Ratios of totals, by name of the column.
RATIOS = {
    "characters_per_token": ("characters", "tokens"),
    "tokens_per_word": ("tokens", "words"),
    "tokens_of_english": ("tokens", "tokens_en"),
}
SHARES = {f"{kind}_share": f"tokens_{kind}" for kind in (*KINDS, "unknown")}
COLUMNS = ["kind", "text", "tokeniser", "vocabulary", "documents", "characters"]
COLUMNS += [name for column in RATIOS for name in (column, f"{column}_low", f"{column}_high")]
COLUMNS += [*SHARES, "restored_share", "characters_per_second"]
COLUMNS += ["characters_per_second_low", "characters_per_second_high"]


def table(observed: Mapping[str, pd.DataFrame], alpha: float) -> pd.DataFrame:
    """A row for each text and tokeniser, in the order of ``TEXTS`` and of the tokenisers.

    ``observed``: observation tables of `published_tokenisers` by arm. Ratios are of totals, and
    their intervals of 1 - ``alpha`` those of a sample of documents (Cochran 1977, section 6.4), for
    speed of passes; NaN where there are fewer than two, or nothing to divide by. Shares are of all
    tokens, and ``restored_share`` of all lines. The order of rows of a table does not matter.
    """
    rows = []
    for text, (kind, _) in TEXTS.items():
        for arm, own in observed.items():
            cells = own.pivot(index="block", columns="metric", values="value").sort_index()
            if f"tokens.{text}" not in cells:
                continue
            of_text = cells.filter(regex=rf"\.{text}$")
            of_text = of_text.rename(columns=lambda name: name.rpartition(".")[0])
            documents = of_text.dropna(subset=["tokens"])
            totals = documents.sum()
            seconds = of_text["seconds"].dropna()
            speed = pd.DataFrame({"characters": totals["characters"], "seconds": seconds})
            rows.append(
                {
                    "kind": kind,
                    "text": text,
                    "tokeniser": arm,
                    "vocabulary": int(cells["vocabulary"].max()),
                    "documents": len(documents),
                    "characters": int(totals["characters"]),
                    **{
                        name: value
                        for column, sides in RATIOS.items()
                        for name, value in _ratio(documents, column, *sides, alpha).items()
                    },
                    **{name: totals[own] / totals["tokens"] for name, own in SHARES.items()},
                    "restored_share": totals["restored"] / totals["lines"],
                    **_ratio(speed, "characters_per_second", "characters", "seconds", alpha),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


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
