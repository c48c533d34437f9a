"""Figures as they stand in the page."""

import re
from xml.etree import ElementTree

import pytest
from kensho.report import claim_plots, svg
from report_example import analysis as analysed
from report_example import on_scale

ANALYSIS = analysed(
    design="paired_log_ratio",
    scale="ratio",
    estimate=1.93,
    interval=[1.88, 1.98],
    interval_family=[1.8, 2.07],
    blocks=[{"block": f"seed {i}", "value": x} for i, x in enumerate((1.9, 1.95, 1.94))],
)


def labels(svg: str) -> list[str]:
    return [node.text for node in ElementTree.fromstring(svg).iter("text")]


def test_text_stays_text_and_colours_follow_the_page() -> None:
    svg = claim_plots.blocks("R-5.memory", ANALYSIS, (1.82, 2.2))
    assert {"seed 0", "seed 1", "seed 2", "geo. mean", "2"} <= set(labels(svg))
    assert {"var(--ink)", "var(--muted)", "var(--band)"} <= set(re.findall(r"var\([^)]*\)", svg))
    assert not re.search(r"font-family|DejaVu|<style|#010|http|<metadata|\bid=\"(figure|axes)", svg)


def test_two_figures_share_no_identifier() -> None:
    svgs = [claim_plots.strip(name, ANALYSIS, (1.82, 2.2)) for name in ("R-1", "R-2")]
    first, second = (set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs)
    assert first and second and not first & second
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svgs[0]))
    assert {a or b for a, b in used} == first


def test_description_is_escaped() -> None:
    svg = claim_plots.strip('"><script>', ANALYSIS, (1.82, 2.2))
    assert "<script>" not in svg and ElementTree.fromstring(svg) is not None


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.98, 1.03), (1.8, 2.2), (6, 12), (0.01, 3), (40, 4000), (1e-6, 1e6)],
)
def test_every_log_axis_has_a_few_ticks(low: float, high: float) -> None:
    ticks = svg.ticks("ratio", low, high)
    assert 2 <= len(ticks) <= 13 and all(low <= tick <= high for tick in ticks)


@pytest.mark.parametrize(
    "changed", [{"estimate": None}, {"estimate": float("nan")}, {"estimate": -1.0}]
)
def test_nothing_is_drawn_without_a_positive_estimate(changed: dict) -> None:
    assert claim_plots.strip("x", {**ANALYSIS, **changed}, (1.82, 2.2)) == ""


def test_block_plot_needs_blocks_that_vary_by_design() -> None:
    assert claim_plots.blocks("x", {**ANALYSIS, "blocks": ANALYSIS["blocks"][:1]}, (1, 2)) == ""
    assert claim_plots.blocks("x", {**ANALYSIS, "design": "deterministic"}, (1, 2)) == ""


@pytest.mark.parametrize("region", [(None, None), (None, 2.0), (1.5, None), (2.0, 2.0)])
def test_open_and_single_valued_regions_are_drawn(region: tuple) -> None:
    svg = claim_plots.strip("x", ANALYSIS, region)
    assert ("var(--band)" in svg) == (region in [(None, 2.0), (1.5, None)])
    assert ("var(--accent)" in svg) == (region != (None, None))


def test_names_are_never_read_as_formulas() -> None:
    rows = [{"block": "$\\frac$", "value": 1.9}, {"block": "a$b", "value": 1.95}]
    svg = claim_plots.blocks("x", {**ANALYSIS, "blocks": rows}, (1.82, 2.2))
    assert {"$\\frac$", "a$b"} <= set(labels(svg))


ON_EVERY_SCALE = [
    ("ratio", (5.9, 6.6)),
    ("difference", (-0.06, 0.02)),
    ("share", (0.55, None)),
    ("dose", (2828.0, 5657.0)),
]


@pytest.mark.parametrize(("scale", "region"), ON_EVERY_SCALE)
def test_every_figure_is_drawn_on_every_scale(scale: str, region: tuple) -> None:
    analysis = on_scale(scale)
    drawn = {
        "strip": claim_plots.strip("X", analysis, region),
        "blocks": claim_plots.blocks("X", analysis, region),
        "posterior": claim_plots.posterior("X", analysis, region),
        "multiverse": claim_plots.multiverse("X", analysis, region, "PARTIAL"),
        "ranks": claim_plots.ranks("X", analysis),
        "predictive": claim_plots.predictive("X", analysis),
        "power": claim_plots.power("X", analysis),
    }
    empty = {name for name, figure in drawn.items() if not figure}
    assert empty == ({"blocks"} if scale == "dose" else set())
    identifiers = [i for figure in drawn.values() for i in re.findall(r' id="([^"]+)"', figure)]
    assert len(identifiers) == len(set(identifiers))
    assert all(ElementTree.fromstring(figure) is not None for figure in drawn.values() if figure)


def test_axes_are_those_of_the_scale() -> None:
    shown = {
        scale: labels(claim_plots.strip("X", on_scale(scale), region))
        for scale, region in ON_EVERY_SCALE
    }
    assert "0" in shown["difference"] and "−0.05" in shown["difference"]
    assert svg.ticks("difference", -0.1, 0.1) == [-0.1, -0.05, 0.0, 0.05, 0.1]
    assert svg.ticks("dose", 900, 17000) == [1000, 2000, 4000, 8000, 16000]
    plus = {**on_scale("difference"), "estimate": 0.04, "interval": [0.02, 0.06]}
    assert "+0.05" in labels(claim_plots.strip("X", plus, (None, None)))


def test_a_negative_estimate_is_drawn_where_it_can_be() -> None:
    assert claim_plots.strip("x", {**ANALYSIS, "estimate": -0.2}, (None, None)) == ""
    below = {**ANALYSIS, "scale": "difference", "estimate": -0.2}
    assert claim_plots.strip("x", below, (-1.0, None)) != ""


def test_an_open_interval_runs_to_the_edge() -> None:
    pairs = [1.88, 1.98], [1.88, None], [None, 1.98]
    drawn = [
        re.findall(
            r'd="M ([\d.]+) [\d.]+\s+L ([\d.]+) [\d.]+\s*"[^>]*stroke: var\(--ink\)(?!; stroke-w)',
            claim_plots.strip("x", {**ANALYSIS, "interval_family": pair}, (1.82, 2.2)),
        )[0]
        for pair in pairs
    ]
    (low, high), right, left = [(float(a), float(b)) for a, b in drawn]
    assert right == (low, 346) and left == (14, high)  # the margins are 14 of 360 wide


def test_thousands_of_units_become_a_figure_of_bounded_size() -> None:
    rows = [{"block": str(i), "value": 0.5 + (i % 7) / 20} for i in range(3000)]
    many = claim_plots.blocks("x", {**on_scale("share"), "blocks": rows}, (0.55, None))
    assert len(many) < 30_000 and "each of 3000 units" in many
    height = float(re.search(r'viewBox="0 0 \S+ (\S+)"', many).group(1))
    assert height < 520


def test_units_keep_their_order() -> None:
    rows = [{"block": block, "value": 1.9} for block in "bca"]
    heads = labels(claim_plots.blocks("x", {**ANALYSIS, "blocks": rows}, (1.82, 2.2)))
    assert [head for head in heads if head in "abc"] == ["b", "c", "a"]


def test_specifications_are_sorted_and_told_apart() -> None:
    figure = claim_plots.multiverse("x", on_scale("ratio"), (5.9, 6.6), "PARTIAL")
    heads = [head for head in labels(figure) if head[:1].isalpha()]
    assert heads == [
        "units beyond 3 MAD left",
        "out",
        "percentile bootstrap",
        "pairing ignored, Welch",
    ]
    assert {"var(--series-1)", "var(--series-2)"} <= set(re.findall(r"var\([^)]*\)", figure))
    alike = claim_plots.multiverse("x", on_scale("ratio"), (5.9, 6.6), "FAILED")
    assert "var(--series-1)" not in alike


POINT = {"x": [1.0], "density": [1.0], "prior": [1.0], "observed": 1.0}


@pytest.mark.parametrize("stored", [None, POINT])
def test_a_curve_that_was_not_stored_is_not_drawn(stored: dict | None) -> None:
    plots = {"posterior": stored, "ppc": stored, "power": None, "ranks": None}
    analysis = {**on_scale("ratio"), "plots": plots}
    assert claim_plots.posterior("x", analysis, (5.9, 6.6)) == ""
    assert claim_plots.predictive("x", analysis) == ""
    assert claim_plots.power("x", analysis) == claim_plots.ranks("x", analysis) == ""
