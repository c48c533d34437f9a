"""Figures as they stand in the page."""

import re
from xml.etree import ElementTree

import pandas as pd
import pytest
from kensho.report import plots

ANALYSIS = {
    "design": "paired_log_ratio",
    "estimate": 1.93,
    "interval": [1.88, 1.98],
    "interval_family": [1.8, 2.07],
    "blocks": [{"block": f"seed {i}", "ratio": x} for i, x in enumerate((1.9, 1.95, 1.94))],
}


def labels(svg: str) -> list[str]:
    return [node.text for node in ElementTree.fromstring(svg).iter("text")]


def test_text_stays_text_and_colours_follow_the_page() -> None:
    svg = plots.blocks("R-5.memory", ANALYSIS, (1.82, 2.2))
    assert {"seed 0", "seed 1", "seed 2", "geo. mean", "2"} <= set(labels(svg))
    assert {"var(--ink)", "var(--muted)", "var(--band)"} <= set(re.findall(r"var\([^)]*\)", svg))
    assert not re.search(r"font-family|DejaVu|<style|#010|http|<metadata|\bid=\"(figure|axes)", svg)


def test_two_figures_share_no_identifier() -> None:
    svgs = [plots.strip(name, ANALYSIS, (1.82, 2.2)) for name in ("R-1", "R-2")]
    first, second = (set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs)
    assert first and second and not first & second
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svgs[0]))
    assert {a or b for a, b in used} == first


def test_description_is_escaped() -> None:
    svg = plots.strip('"><script>', ANALYSIS, (1.82, 2.2))
    assert "<script>" not in svg and ElementTree.fromstring(svg) is not None


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.98, 1.03), (1.8, 2.2), (6, 12), (0.01, 3), (40, 4000), (1e-6, 1e6)],
)
def test_every_log_axis_has_a_few_ticks(low: float, high: float) -> None:
    ticks = plots._ticks(low, high)
    assert 2 <= len(ticks) <= 13 and all(low <= tick <= high for tick in ticks)


@pytest.mark.parametrize(
    "changed", [{"estimate": None}, {"estimate": float("nan")}, {"estimate": -1.0}]
)
def test_nothing_is_drawn_without_a_positive_estimate(changed: dict) -> None:
    assert plots.strip("x", {**ANALYSIS, **changed}, (1.82, 2.2)) == ""


def test_block_plot_needs_blocks_that_vary_by_design() -> None:
    assert plots.blocks("x", {**ANALYSIS, "blocks": ANALYSIS["blocks"][:1]}, (1, 2)) == ""
    assert plots.blocks("x", {**ANALYSIS, "design": "deterministic"}, (1, 2)) == ""


@pytest.mark.parametrize("region", [(None, None), (None, 2.0), (1.5, None), (2.0, 2.0)])
def test_open_and_single_valued_regions_are_drawn(region: tuple) -> None:
    svg = plots.strip("x", ANALYSIS, region)
    assert ("var(--band)" in svg) == (region in [(None, 2.0), (1.5, None)])
    assert ("var(--accent)" in svg) == (region != (None, None))


def test_names_are_never_read_as_formulas() -> None:
    rows = [{"block": "$\\frac$", "ratio": 1.9}, {"block": "a$b", "ratio": 1.95}]
    svg = plots.blocks("x", {**ANALYSIS, "blocks": rows}, (1.82, 2.2))
    assert {"$\\frac$", "a$b"} <= set(labels(svg))


def test_a_seed_keeps_its_colour_in_every_panel() -> None:
    rows = [("full", seed, step, 3.0 - step / 10) for seed in (1, 2, 3) for step in range(5)]
    rows += [("lora", seed, step, 2.5) for seed in (1, 3) for step in range(5)]
    frame = pd.DataFrame([*rows, ("lora", 2, 0, None)], columns=["arm", "seed", "step", "loss"])
    colours = [
        set(re.findall(r"--series-\d", plots.loss(frame, arm, (2, 4)))) for arm in ("full", "lora")
    ]
    assert colours == [{"--series-1", "--series-2", "--series-3"}, {"--series-1", "--series-3"}]
