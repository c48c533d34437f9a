"""Figures of the validation report as inline SVG whose colours and fonts come from the page.

Every function returns one `<svg>` without identifiers that another figure could share, without
dates, and with CSS variables in place of colours, so that one drawing serves light and dark mode.
An empty string means that there is nothing to draw.
"""

import io
import re

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from kensho.report.tables import absent, number

# Placeholder colours; `_inline` puts the CSS variable of the same place instead.
INK, MUTED, RULE, BAND, ACCENT = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115")
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    BAND: "--band",
    ACCENT: "--accent",
    **{colour: f"--series-{i}" for i, colour in enumerate(SERIES, start=1)},
}
WIDTH = 360  # CSS pixels, about a phone's text column, so that text keeps its size there


def _figure(height: int, left: int, bottom: int, right: int = 10, top: int = 6) -> tuple:
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    figure.patch.set_alpha(0)
    box = (
        left / WIDTH,
        bottom / height,
        1 - (left + right) / WIDTH,
        1 - (bottom + top) / height,
    )
    axes = figure.add_axes(box)
    axes.patch.set_alpha(0)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set(color=RULE, linewidth=1)
    axes.tick_params(colors=MUTED, labelsize=11, width=1, length=3, color=RULE)
    return figure, axes


def _inline(figure: Figure, name: str, description: str) -> Markup:
    """The figure as an `<svg>` element that can stand beside others in one HTML page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    head, _, body = buffer.getvalue().partition("</metadata>")
    view = re.search(r'viewBox="[^"]*"', head).group()
    body = body.replace("xlink:href", "href")
    # A <style> inside an SVG rules the whole page, and so does an unprefixed id.
    body = re.sub(r"<style.*?</style>|font-family: [^;\"]*;? ?", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: m.group() if m.group(1) in used else "", body)
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", name)
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}-", body)
    for placeholder, variable in VARIABLES.items():
        body = body.replace(placeholder, f"var({variable})")
    label = escape(description)
    return Markup(f'<svg {view} role="img" aria-label="{label}">') + Markup(
        re.sub(r"\s*\n\s*", "\n", body).strip()
    )


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round values inside a positive range, to be shown on a log axis."""
    if high / low < 5:
        candidates = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    else:
        digits = (1, 2, 5) if high / low < 60 else (1, 3) if high / low < 1000 else (1,)
        candidates = [digit * 10.0**power for power in range(-9, 13) for digit in digits]
    return [float(f"{x:.6g}") for x in candidates if low <= x <= high]


def _log_axis(axes: Axes, values: list[float | None]) -> None:
    """A log x axis that holds all `values` with a margin and has few plain tick labels."""
    positive = [x for x in values if not absent(x) and x > 0]
    low, high = min(positive), max(positive)
    margin = max(1.01, (high / low) ** 0.07)
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    ticks = _ticks(*axes.get_xlim())
    axes.set_xticks(ticks, [number(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([])


def _band(axes: Axes, region: tuple[float | None, float | None]) -> None:
    """Shade the claimed set; an open end runs to the edge, an empty one draws nothing."""
    if all(absent(end) for end in region):
        return
    edges = axes.get_xlim()
    low, high = (edge if absent(end) else end for end, edge in zip(region, edges, strict=True))
    if low == high:
        axes.axvline(low, color=ACCENT, linewidth=1.2)
        return
    axes.axvspan(low, high, color=BAND, linewidth=0)
    for end in region:
        if not absent(end):
            axes.axvline(end, color=ACCENT, linewidth=0.8)


def _estimate(axes: Axes, analysis: dict, y: float) -> None:
    """The estimate with its 95 % interval (thick) and its corrected interval (thin)."""
    for key, width in (("interval_family", 1.0), ("interval", 3.0)):
        pair = analysis.get(key)
        if not absent(pair) and not any(absent(end) for end in pair):
            axes.plot(pair, [y, y], color=INK, linewidth=width, solid_capstyle="butt")
    axes.plot(analysis["estimate"], y, "o", color=INK, markersize=6.5, markeredgewidth=0)


def _values(analysis: dict, region: tuple) -> list[float | None]:
    pairs = [analysis.get("interval") or (), analysis.get("interval_family") or ()]
    return [analysis["estimate"], *region, *(end for pair in pairs for end in pair)]


def strip(name: str, analysis: dict, region: tuple[float | None, float | None]) -> Markup:
    """One row of the forest plot: estimate, intervals, readings and claimed band on a log axis.

    Deterministic results have no intervals: their readings are open points on a dotted range.
    """
    if absent(analysis.get("estimate")) or analysis["estimate"] <= 0:
        return Markup("")
    others = [row.get("value") for row in analysis.get("readings") or []]
    others = [x for x in others if not absent(x) and x > 0]
    figure, axes = _figure(height=46, left=14, bottom=18, right=14, top=4)
    _log_axis(axes, [*_values(analysis, region), *others])
    _band(axes, region)
    if analysis.get("design") == "deterministic" and len(others) > 1:
        axes.plot([min(others), max(others)], [0, 0], ":", color=MUTED, linewidth=1.2)
    if len(others) > 1:
        at = [0] * len(others)
        axes.plot(others, at, "o", color="none", markeredgecolor=MUTED, markersize=5)
    _estimate(axes, analysis, 0)
    axes.set_ylim(-1, 1)
    return _inline(figure, f"strip {name}", f"{name}: estimate against the claimed range")


def blocks(name: str, analysis: dict, region: tuple[float | None, float | None]) -> Markup:
    """Ratio of every block as a dot, in the order of the table, above the estimate.

    Empty for deterministic results, whose blocks are all alike.
    """
    rows = [row for row in analysis.get("blocks") or [] if not absent(row.get("ratio"))]
    exact = analysis.get("design") == "deterministic" or absent(analysis.get("estimate"))
    if exact or len(rows) < 2 or min(row["ratio"] for row in rows) <= 0:
        return Markup("")
    named = len(rows) <= 30
    pitch = 17 if named else 7
    figure, axes = _figure(height=pitch * len(rows) + 62, left=92, bottom=20)
    ratios = [row["ratio"] for row in rows]
    _log_axis(axes, [*_values(analysis, region), *ratios])
    _band(axes, region)
    axes.plot(ratios, range(len(rows)), "o", color=MUTED, markersize=5, markeredgewidth=0)
    at = len(rows) + (1.5 * 17 - pitch) / pitch
    axes.axhline(at - 0.75 * 17 / pitch, color=RULE, linewidth=0.8)
    _estimate(axes, analysis, at)
    heads = [str(row.get("block", "")) for row in rows] if named else []
    heads = [_plain(head if len(head) <= 13 else f"{head[:12]}…") for head in heads]
    axes.set_yticks([*range(len(heads)), at], [*heads, "geo. mean"])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(at + 17 / pitch, -1)
    return _inline(figure, f"blocks {name}", f"{name}: ratio of each of {len(rows)} blocks")


def loss(frame: pd.DataFrame, arm: str, limits: tuple[float, float]) -> Markup:
    """Training loss of one arm over steps, a line for each seed; `limits` are shared by all."""
    figure, axes = _figure(height=190, left=38, bottom=36)
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
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("step", color=MUTED, fontsize=11)
    return _inline(figure, f"loss {arm}", f"training loss of {arm} over steps, one line per seed")


def _plain(head: object) -> str:
    """Text that is not read as a formula."""
    return str(head).replace("$", r"\$")


def differences(frame: pd.DataFrame, metric: str) -> Markup:
    """Difference from the base arm with its 95 % interval, a row for each arm and seed."""
    part = frame[(frame.metric == metric) & frame.difference.notna()]
    if part.empty:
        return Markup("")
    figure, axes = _figure(height=18 * len(part) + 46, left=150, bottom=36)
    axes.axvline(0, color=ACCENT, linewidth=1)
    heads = []
    for y, row in enumerate(part.itertuples()):
        axes.plot([row.difference_low, row.difference_high], [y, y], color=INK, linewidth=1.6)
        axes.plot(row.difference, y, "o", color=INK, markersize=5, markeredgewidth=0)
        heads.append(_plain(row.arm if pd.isna(row.seed) else f"{row.arm} · {number(row.seed)}"))
    axes.set_yticks(range(len(heads)), heads)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(len(part) - 0.4, -0.6)
    axes.set_xlabel("difference from base", color=MUTED, fontsize=11)
    description = f"{metric}: difference from the base arm with 95 % intervals"
    return _inline(figure, f"differences {metric}", description)
