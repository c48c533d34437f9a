"""The page of published tokenisers: what they make of texts of several kinds."""

from collections.abc import Mapping

import pandas as pd

from kensho.report.templates import render


def build(rows: pd.DataFrame, left_out: Mapping[str, str], absent: str, *, rehearsal: bool) -> str:
    """The page as HTML; ``rows`` as :func:`kensho.stats.tokenised.table` makes them.

    ``left_out``: why a tokeniser or a text of the settings is missing; ``absent``:
    what there must be for any row.
    """
    plain = rows.astype(object).where(rows.notna(), None)
    texts = [
        {"text": text, "kind": own["kind"].iloc[0], "rows": own.to_dict("records")}
        for text, own in plain.groupby("text", sort=False)
    ]
    return render(
        "tokenisers.html.j2",
        rehearsal=rehearsal,
        texts=texts,
        shares=[
            (name, name.removesuffix("_share"))
            for name in rows
            if name.endswith("_share") and name != "restored_share"
        ],
        left_out=left_out,
        absent=absent,
    )
