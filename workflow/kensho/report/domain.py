"""The page of adapted models: quality, latency and memory of each arm, and what none beats."""

import pandas as pd
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from kensho.report import svg
from kensho.report.svg import ACCENT, INK, MUTED, RULE
from kensho.report.templates import render


def build(rows: pd.DataFrame, judges: list[str], *, rehearsal: bool) -> str:
    """The page as HTML; ``rows`` as :func:`kensho.stats.recommendation.table` makes them.

    ``judges`` are named, with why one of them was left out.
    """
    scored = rows.dropna(subset=["score", "seconds", "peak_memory_bytes"])
    return render(
        "domain.html.j2",
        rehearsal=rehearsal,
        rows=rows.astype(object).where(rows.notna(), None).to_dict("records"),
        unbeaten=rows.loc[rows["unbeaten"].astype(bool), "arm"].tolist(),
        plot=front(scored) if len(scored) else None,
        without=sorted({why for why in rows["why"] if why}),
        judges=judges,
    )


def front(rows: pd.DataFrame) -> Markup:
    """Score over seconds of each arm, the area of its dot as its memory; accented on the front."""
    figure, axes = svg.figure(height=260, left=44, bottom=38, right=60)
    largest = rows["peak_memory_bytes"].max()
    for row in rows.itertuples():
        colour = ACCENT if row.unbeaten else INK
        area = 30 + 150 * row.peak_memory_bytes / largest
        axes.scatter([row.seconds], [row.score], s=area, color=colour, alpha=0.75, linewidths=0)
        axes.annotate(
            svg.plain(row.arm), (row.seconds, row.score), xytext=(7, 4), fontsize=10, color=MUTED,
            textcoords="offset points",
        )  # fmt: skip
    axes.set_ylim(0, 3.1)
    axes.set_xlim(0, rows["seconds"].max() * 1.1)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_xlabel("seconds per answer", color=MUTED, fontsize=11)
    axes.set_ylabel("score", color=MUTED, fontsize=11)
    description = "Score from 0 to 3 over seconds per answer, an area for the memory of each arm"
    return svg.inline(figure, "domain front", description)
