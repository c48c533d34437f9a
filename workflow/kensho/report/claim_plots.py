"""Figures of one claim, from its analysis. An empty string means that there is nothing to draw."""

import textwrap
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kensho.report import svg
from kensho.report.svg import ACCENT, INK, MUTED, RULE, SERIES
from kensho.report.tables import LOGARITHMIC
from kensho.report.text import absent, number

Region = Sequence[float | None]  # low and high, None for an open end
NOTHING = Markup("")
MOST_UNITS = 120  # dots of a block plot; more units are shown as means of neighbours


def _drawable(analysis: dict) -> bool:
    value = analysis["estimate"]
    return not absent(value) and (value > 0 or analysis["scale"] not in LOGARITHMIC)


def _estimate(axes: Axes, analysis: dict, y: float) -> None:
    """The estimate with its 95 % interval (thick) and its corrected interval (thin).

    An open end runs to the edge of the axis.
    """
    for key, width in (("interval_family", 1.0), ("interval", 3.0)):
        pair = analysis[key]
        if absent(pair) or all(absent(end) for end in pair):
            continue
        edges = axes.get_xlim()
        ends = [edge if absent(end) else end for end, edge in zip(pair, edges, strict=True)]
        axes.plot(ends, [y, y], color=INK, linewidth=width, solid_capstyle="butt")
    axes.plot(analysis["estimate"], y, "o", color=INK, markersize=6.5, markeredgewidth=0)


def _values(analysis: dict, region: Region) -> list[float | None]:
    pairs = [analysis["interval"] or (), analysis["interval_family"] or ()]
    return [analysis["estimate"], *region, *(end for pair in pairs for end in pair)]


def strip(name: str, analysis: dict, region: Region) -> Markup:
    """One row of the forest plot: estimate, intervals, readings and claimed band.

    Deterministic results have no intervals: their readings are open points on a dotted range.
    """
    if not _drawable(analysis):
        return NOTHING
    others = [row["value"] for row in analysis["readings"]]
    positive = analysis["scale"] in LOGARITHMIC
    others = [x for x in others if not absent(x) and (x > 0 or not positive)]
    figure, axes = svg.figure(height=46, left=14, bottom=18, right=14, top=4)
    svg.value_axis(axes, analysis["scale"], [*_values(analysis, region), *others])
    svg.band(axes, region)
    if analysis["design"] == "deterministic" and len(others) > 1:
        axes.plot([min(others), max(others)], [0, 0], ":", color=MUTED, linewidth=1.2)
    if len(others) > 1:
        at = [0] * len(others)
        axes.plot(others, at, "o", color="none", markeredgecolor=MUTED, markersize=5)
    _estimate(axes, analysis, 0)
    axes.set_ylim(-1, 1)
    return svg.inline(figure, f"strip {name}", f"{name}: estimate against the claimed range")


def blocks(name: str, analysis: dict, region: Region) -> Markup:
    """Value of every unit as a dot, in run order from the top, above the estimate.

    Beyond `MOST_UNITS` a dot is the mean of neighbouring units. Empty for deterministic results,
    whose blocks are all alike, and for doses, whose units are not on the claim's scale.
    """
    kind = analysis["scale"]
    units = [row for row in analysis["blocks"] if not absent(row["value"])]
    values = [row["value"] for row in units]
    exact = analysis["design"] == "deterministic" or not _drawable(analysis)
    if exact or kind == "dose" or len(units) < 2 or (kind in LOGARITHMIC and min(values) <= 0):
        return NOTHING
    if len(values) > MOST_UNITS:
        to, back = (np.log, np.exp) if kind in LOGARITHMIC else (np.array, np.array)
        values = [float(back(g.mean())) for g in np.array_split(to(values), MOST_UNITS)]
    named = len(values) <= 30
    pitch = 17 if named else 7 if len(values) <= 60 else 3.5
    figure, axes = svg.figure(height=round(pitch * len(values)) + 62, left=92, bottom=20)
    svg.value_axis(axes, kind, [*_values(analysis, region), *values])
    svg.band(axes, region)
    axes.plot(values, range(len(values)), color=RULE, linewidth=0.8)
    axes.plot(values, range(len(values)), "o", color=MUTED, markersize=5, markeredgewidth=0)
    at = len(values) + (1.5 * 17 - pitch) / pitch
    axes.axhline(at - 0.75 * 17 / pitch, color=RULE, linewidth=0.8)
    _estimate(axes, analysis, at)
    heads = [row["block"] for row in units] if named else []
    heads = [svg.plain(head if len(head) <= 13 else f"{head[:12]}…") for head in heads]
    axes.set_yticks(
        [*range(len(heads)), at], [*heads, "geo. mean" if kind == "ratio" else "estimate"]
    )
    axes.set_ylim(at + 17 / pitch, -1)
    return svg.inline(figure, f"blocks {name}", f"{name}: value of each of {len(units)} units")


def _drawn(analysis: dict, key: str, *columns: str) -> list[np.ndarray] | None:
    """Columns of one of the stored curves as arrays; None where it is missing or too short."""
    stored = analysis["plots"][key]
    if stored is None:
        return None
    arrays = [np.array(stored[column], dtype=float) for column in columns]
    return arrays if len(arrays[0]) > 1 else None


def posterior(name: str, analysis: dict, region: Region) -> Markup:
    """Posterior density (filled) over the prior (dashed), claimed set shaded, ETI and HDI below."""
    curve = _drawn(analysis, "posterior", "x", "density", "prior")
    if curve is None or not np.nanmax(curve[1]) > 0:
        return NOTHING
    x, density, prior = curve
    top = np.nanmax(density)
    intervals = [(head, analysis["posterior"][head.lower()]) for head in ("ETI", "HDI")]
    body = x[density > top / 200]
    figure, axes = svg.figure(height=176, left=36, bottom=20)
    ends = [end for _, pair in intervals for end in pair]
    svg.value_axis(axes, analysis["scale"], [body.min(), body.max(), *region, *ends])
    svg.band(axes, region)
    axes.fill_between(x, density, color=SERIES[0], alpha=0.25, linewidth=0)
    axes.plot(x, density, color=SERIES[0], linewidth=1.4)
    axes.plot(x, prior, "--", color=MUTED, linewidth=1.2)
    places = [-0.13 * top, -0.27 * top]
    for y, (_, pair) in zip(places, intervals, strict=True):
        if not any(map(absent, pair)):
            axes.plot(pair, [y, y], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.set_yticks(places, [head for head, _ in intervals])
    axes.set_ylim(-0.38 * top, 1.06 * top)
    return svg.inline(figure, f"posterior {name}", f"{name}: posterior density of the estimand")


def ranks(name: str, analysis: dict) -> Markup:
    """Ranks of each chain's draws among all draws: flat where the chains agree."""
    chains = analysis["plots"]["ranks"]
    if chains is None:
        return NOTHING
    width = max(map(len, chains)) + 3
    figure, axes = svg.figure(height=112, left=8, bottom=20)
    for place, counts in enumerate(chains):
        at = place * width + np.arange(len(counts))
        axes.bar(at, counts, width=0.85, color=SERIES[place % len(SERIES)], alpha=0.7)
        level = sum(counts) / len(counts)
        axes.plot([at[0] - 0.6, at[-1] + 0.6], [level, level], color=INK, linewidth=0.9)
    middles = [place * width + (len(c) - 1) / 2 for place, c in enumerate(chains)]
    axes.set_xticks(middles, [f"chain {i}" for i in range(1, len(chains) + 1)])
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    return svg.inline(figure, f"ranks {name}", f"{name}: ranks of the draws of each chain")


def predictive(name: str, analysis: dict) -> Markup:
    """Distribution of a statistic over replicated data, a line where the data are."""
    curve = _drawn(analysis, "ppc", "x", "density")
    if curve is None or absent(observed := analysis["plots"]["ppc"]["observed"]):
        return NOTHING
    figure, axes = svg.figure(height=112, left=8, bottom=20)
    x, density = curve
    axes.fill_between(x, density, color=SERIES[0], alpha=0.25, linewidth=0)
    axes.plot(x, density, color=SERIES[0], linewidth=1.4)
    axes.axvline(observed, color=INK, linewidth=1.6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_yticks([])
    axes.set_ylim(bottom=0)
    return svg.inline(figure, f"ppc {name}", f"{name}: replicated and observed statistic")


def power(name: str, analysis: dict) -> Markup:
    """Power over the number of units; a solid line at n, a dashed one at the n required."""
    curve = _drawn(analysis, "power", "n", "power")
    if curve is None:
        return NOTHING
    n, needed = analysis["n_units"], analysis["power"]["n_required"]
    marks = [n, *([] if needed is None else [needed])]
    figure, axes = svg.figure(height=150, left=30, bottom=36)
    svg.value_axis(axes, "count", [*curve[0][curve[0] > 0], *marks])
    axes.axhline(0.8, color=RULE, linewidth=0.8)
    axes.plot(*curve, color=SERIES[0], linewidth=1.6)
    axes.axvline(n, color=INK, linewidth=1.4)
    if needed is not None:
        axes.axvline(needed, color=ACCENT, linewidth=1.4, linestyle="--")
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 0.8, 1], ["0", "0.5", "0.8", "1"])
    axes.set_xlabel("units", color=MUTED, fontsize=11)
    return svg.inline(figure, f"power {name}", f"{name}: power over the number of units")


def multiverse(name: str, analysis: dict, region: Region, verdict: str) -> Markup:
    """Specification curve: sorted estimates with intervals.

    Filled where the verdict is the claim's own, open where it differs.
    """
    if analysis["multiverse"] is None:
        return NOTHING
    kind, rows = analysis["scale"], analysis["multiverse"]["specifications"]
    rows = sorted((r for r in rows if not absent(r["estimate"])), key=lambda r: r["estimate"])
    if not rows or (kind in LOGARITHMIC and rows[0]["estimate"] <= 0):
        return NOTHING
    heads = [textwrap.wrap(row["label"], 25)[:2] for row in rows]
    pitch = 28 if any(len(head) > 1 for head in heads) else 18
    figure, axes = svg.figure(height=pitch * len(rows) + 30, left=158, bottom=20)
    ends = [row[key] for row in rows for key in ("estimate", "low", "high")]
    svg.value_axis(axes, kind, [*ends, *region])
    svg.band(axes, region)
    edges = axes.get_xlim()
    for y, row in enumerate(rows):
        same = row["verdict"] == verdict
        colour = SERIES[0] if same else SERIES[1]
        pair = row["low"], row["high"]
        if not all(map(absent, pair)):
            ends = [edge if absent(end) else end for end, edge in zip(pair, edges, strict=True)]
            axes.plot(ends, [y, y], color=colour, linewidth=1.6)
        face = colour if same else "none"
        axes.plot(row["estimate"], y, "o", markersize=5.5, markeredgecolor=colour, color=face)
    axes.set_yticks(range(len(rows)), [svg.plain("\n".join(head)) for head in heads])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    share = number(analysis["multiverse"]["share"])
    text = f"{name}: {len(rows)} specifications, share with the same verdict {share}"
    return svg.inline(figure, f"multiverse {name}", text)
