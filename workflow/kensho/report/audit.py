"""The page of audited figures: what cannot be, why, and what nothing published separates."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kensho.audit.printed import Word, listed
from kensho.report.templates import render


def build(
    claims: pd.DataFrame,
    findings: pd.DataFrame,
    counts: pd.DataFrame,
    ties: pd.DataFrame,
    left_out: Sequence[str] = (),
    silent: Sequence[str] = (),
) -> str:
    """The page as HTML, self-contained.

    Args:
        claims: of `kensho.audit.registry.audit`.
        findings, counts: of `kensho.audit.table`; the sentences of single rows that are not
            impossible are in the CSV only, but what would make them checkable is told by check.
        ties: of `kensho.stats.aggregates.places`.
        left_out: why tables were not audited, one line each.
        silent: claims that have no figures of their own to hold against each other.
    """
    words = [word.value for word in Word]
    tables = []
    for title in counts["table"].drop_duplicates() if len(counts) else []:
        own = findings[findings["table"] == title]
        shown = own[(own["word"] == Word.IMPOSSIBLE.value) | (own["row"] == "")]
        columns = ties[ties["table"] == title] if len(ties) else ties
        lacking = own[own["word"] == Word.NOT_CHECKABLE.value].groupby("number")["needs"].unique()
        checks = counts[counts["table"] == title]
        tables.append(
            {
                "title": title,
                "tally": {word: int((own["word"] == word).sum()) for word in words},
                "counts": [
                    {**row, "needs": listed(lacking.get(row["number"], []))}
                    for row in checks.to_dict("records")
                ],
                "shown": shown.to_dict("records"),
                "ties": [
                    {"column": name, "separated": float(of["separated"].iloc[0]),
                     "rows": of.sort_values(["best_place", "worst_place"]).to_dict("records")}
                    for name, of in (columns.groupby("column", sort=False) if len(columns) else [])
                ],
            }
        )  # fmt: skip
    return render(
        "audit.html.j2",
        claims=claims.to_dict("records"),
        tally={word: int((claims["word"] == word).sum()) for word in words},
        tables=tables,
        left_out=list(left_out),
        silent=list(silent),
        words=words,
    )
