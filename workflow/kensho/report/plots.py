"""Figures of the report that belong to no single claim: training loss, differences from base."""

import pandas as pd
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from kensho.report import svg
from kensho.report.svg import ACCENT, INK, MUTED, RULE, SERIES
from kensho.report.text import number


def loss(frame: pd.DataFrame, arm: str, limits: tuple[float, float]) -> Markup:
    """Training loss of one arm over steps, a line for each seed; `limits` are shared by all."""
    figure, axes = svg.figure(height=190, left=38, bottom=36)
    part = frame[frame.arm == arm].dropna(subset=["loss"])
    for index, seed in enumerate(sorted(frame.seed.unique())):
        run = part[part.seed == seed]
        if len(run):
            axes.plot(run.step, run.loss, color=SERIES[index % len(SERIES)], linewidth=1.2)
    axes.set_ylim(*limits)
    axes.set_xlim(0, frame.step.max())
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_xlabel("step", color=MUTED, fontsize=11)
    description = f"training loss of {arm} over steps, one line per seed"
    return svg.inline(figure, f"loss {arm}", description)


def differences(frame: pd.DataFrame, metric: str) -> Markup:
    """Difference from the base arm with its 95 % interval, a row for each arm and seed."""
    part = frame[(frame.metric == metric) & frame.difference.notna()]
    if part.empty:
        return Markup("")
    figure, axes = svg.figure(height=18 * len(part) + 46, left=150, bottom=36)
    axes.axvline(0, color=ACCENT, linewidth=1)
    heads = []
    for y, row in enumerate(part.itertuples()):
        axes.plot([row.difference_low, row.difference_high], [y, y], color=INK, linewidth=1.6)
        axes.plot(row.difference, y, "o", color=INK, markersize=5, markeredgewidth=0)
        heads.append(svg.plain(row.arm if pd.isna(row.seed) else f"{row.arm} · {number(row.seed)}"))
    axes.set_yticks(range(len(heads)), heads)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(len(part) - 0.4, -0.6)
    axes.set_xlabel("difference from base", color=MUTED, fontsize=11)
    description = f"{metric}: difference from the base arm with 95 % intervals"
    return svg.inline(figure, f"differences {metric}", description)
