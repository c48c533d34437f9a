"""Figures of the report that belong to no single claim: curves of trainings, differences."""

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from kensho.report import svg
from kensho.report.svg import ACCENT, BAND, INK, MUTED, RULE
from kensho.report.text import number

CURVES = {  # columns of a training's steps: title, unit (of a loss its own) and the factor to it
    "loss": ("Loss", "", 1.0),
    "learning_rate": ("Learning rate", "", 1.0),
    "tokens_per_second": ("Speed", "tokens per second", 1.0),
    "peak_bytes": ("Peak memory", "MB", 1e-6),
    "reward": ("Reward", "", 1.0),
}


def curve(frame: pd.DataFrame, arm: str, column: str, limits: tuple[float, float]) -> Markup:
    """One arm over its steps: the mean of its seeds in the band of their range.

    Beside the loss stands that of the held-out samples, with dots. `limits` are shared by all arms.
    """
    name, unit, scale = CURVES[column]
    figure, axes = svg.figure(height=190, left=48, bottom=36)
    part = frame[frame.arm == arm]
    if column == "loss":
        unit = part["unit"].iloc[0]
    drawn = [(column, INK, "-")]
    if column == "loss" and "validation" in part:
        drawn.append(("validation", ACCENT, "o-"))
    for of, colour, line in drawn:
        steps = (part.dropna(subset=[of]).groupby("step")[of].agg(["mean", "min", "max"])) * scale
        axes.fill_between(steps.index, steps["min"], steps["max"], color=BAND, linewidth=0)
        axes.plot(steps.index, steps["mean"], line, color=colour, linewidth=1.2, markersize=4)
    axes.set_ylim(*limits)
    axes.set_xlim(0, frame.step.max())
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_xlabel("step", color=MUTED, fontsize=11)
    seeds = part.seed.nunique()
    description = (
        f"{name} of {arm} over steps, {unit or 'no unit'}, mean and range of {seeds} seeds"
    )
    return svg.inline(figure, f"{column} {arm}", description)


def panels(loss: pd.DataFrame) -> list[dict]:
    """A row of panels for each curve that was observed, with limits that its arms share.

    Of losses one for each unit.
    """
    arms = [arm for arm, part in loss.groupby("arm", sort=False) if part["loss"].notna().any()]
    curves = []
    drawn = [("loss", unit, part) for unit, part in loss.groupby("unit", sort=False)]
    drawn += [(key, unit, loss) for key, (_, unit, _) in CURVES.items() if key != "loss"]
    for column, unit, part in drawn:
        title, _, scale = CURVES[column]
        shown = [column, "validation"] if column == "loss" else [column]
        values = part.reindex(columns=shown).to_numpy(dtype=float) * scale
        if not np.isfinite(values).any():
            continue
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        limits = (low - 0.05 * abs(low), high + 0.02 * abs(high))
        having = part[part[column].notna()]["arm"].unique()
        panels = [(arm, curve(part, arm, column, limits)) for arm in arms if arm in having]
        curves.append({"title": title, "unit": unit, "panels": panels})
    return curves


def differences(frame: pd.DataFrame, metric: str, other: str = "base") -> Markup:
    """Difference from another arm with its 95 % interval, a row for each arm and seed."""
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
    axes.set_xlabel(f"difference from {other}", color=MUTED, fontsize=11)
    description = f"{metric}: difference from {other} with 95 % intervals"
    return svg.inline(figure, f"differences {metric}", description)
