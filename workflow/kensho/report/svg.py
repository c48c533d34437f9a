"""Parts of figures: inline SVG whose colours and fonts come from the page, and its axes.

A figure becomes one `<svg>` without identifiers that another figure could share, without dates,
and with CSS variables in place of colours, so that one drawing serves light and dark mode.
"""

import io
import math
import re
from collections.abc import Iterable, Sequence

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from kensho.report.tables import LOGARITHMIC, NULLS
from kensho.report.text import absent, number

# Placeholder colours; `inline` puts the CSS variable of the same place instead.
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


def figure(
    height: int, left: int, bottom: int, right: int = 10, top: int = 6, width: int = WIDTH
) -> tuple[Figure, Axes]:
    """An empty figure with one axes; sizes and margins in CSS pixels."""
    drawing = Figure(figsize=(width / 72, height / 72), dpi=72)
    drawing.patch.set_alpha(0)
    box = (
        left / width,
        bottom / height,
        1 - (left + right) / width,
        1 - (bottom + top) / height,
    )
    axes = drawing.add_axes(box)
    axes.patch.set_alpha(0)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set(color=RULE, linewidth=1)
    axes.tick_params(colors=MUTED, labelsize=11, width=1, length=3, color=RULE)
    axes.tick_params(axis="y", length=0)
    return drawing, axes


def inline(drawing: Figure, name: str, description: str) -> Markup:
    """The figure as an `<svg>` element that can stand beside others in one HTML page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    head, _, body = buffer.getvalue().partition("</metadata>")
    view = re.findall(r'viewBox="[^"]*"', head)[0]
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


def ticks(scale: str, low: float, high: float) -> list[float]:
    """Three to six round values between two ends; octaves on a dose axis that is long enough."""
    candidates: Sequence[float]
    if scale == "dose" and high / low >= 4:
        start = 10.0 ** round(math.log10(low))
        octaves = range(math.ceil(math.log2(low / start)), math.floor(math.log2(high / start)) + 1)
        candidates = [start * 2**k for k in octaves][:: 1 + len(octaves) // 7]
    elif scale in LOGARITHMIC and high / low >= 5:
        digits = (1, 2, 5) if high / low < 60 else (1, 3) if high / low < 1000 else (1,)
        candidates = [digit * 10.0**power for power in range(-9, 13) for digit in digits]
    else:
        candidates = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(f"{x:.6g}") for x in candidates if low <= x <= high]


def value_axis(axes: Axes, scale: str, values: Iterable[float | None]) -> None:
    """An x axis of a claim's scale that holds all `values`; a dotted line where no effect is.

    Logarithmic for ratios and doses, linear otherwise; differences carry their sign.
    """
    logarithmic = scale in LOGARITHMIC
    held = [x for x in values if not absent(x) and (x > 0 or not logarithmic)]
    low, high = min(held), max(held)
    if logarithmic:
        axes.set_xscale("log")
        margin = max(1.01, (high / low) ** 0.07)
        low, high = low / margin, high * margin
    else:
        margin = 0.07 * (high - low) or 0.01 * abs(low) or 0.01
        low, high = low - margin, high + margin
    axes.set_xlim(low, high)
    places = ticks(scale, low, high)
    plus = "+" if scale == "difference" else ""
    axes.set_xticks(places, [(plus if x > 0 else "") + number(x) for x in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([])
    null = NULLS.get(scale)
    if null is not None and low < null < high:
        axes.axvline(null, color=MUTED, linewidth=0.8, linestyle=":")


def band(axes: Axes, region: Sequence[float | None]) -> None:
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


def plain(text: object) -> str:
    """Text that is not read as a formula."""
    return str(text).replace("$", r"\$")
