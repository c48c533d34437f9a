"""What is printed decides as the numbers do: sentence, card and tables, near a region's edges."""

import itertools
import math
import re

import pytest
from kensho.claims.model import Tier
from kensho.digits import as_written, telling
from kensho.report import tables, text
from kensho.stats.decision import Result, contained, decide, decide_deterministic, disjoint
from kensho.stats.hypothesis import Rule
from kensho.stats.scales import DIFFERENCE, RATIO

NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
OFF = [0.0, 1e-9, 0.00004, 0.0004, 0.004, 0.04]
ENDS = sorted(
    {round(side * (0.2 + sign * off), 9) for side in (-1, 1) for sign in (-1, 1) for off in OFF}
)
INTERVALS = [pair for pair in itertools.combinations(ENDS, 2)]


def read(shown: str) -> list[float]:
    return [float(x.replace(",", "")) for x in re.findall(NUMBER, shown.replace("−", "-"))]


def sentence(interval, region, estimate=None) -> str:
    rule = Rule(DIFFERENCE, region, None, 0.0, min_units=10, quantity="d")
    estimate = sum(interval) / 2 if estimate is None else estimate
    return decide(rule, Result(Tier.AT_SCOPE, 20, estimate, interval))[2]


def test_an_undecided_interval_is_not_printed_as_one_that_lies_inside():
    said = sentence((-0.2043, 0.0911), (-0.2, 0.2))
    assert "interval -0.204 to 0.091" in said and "-0.2 to 0.2" in said


@pytest.mark.parametrize("region", [(-0.2, 0.2), (None, 0.2), (-0.2, None), (0.2, 0.24)])
def test_the_printed_interval_lies_to_the_region_as_the_interval_does(region):
    record = {"test": {"direction": None, "sesoi": None}}
    claim = {"region": region, "unit": "points", "record": record}
    for interval in INTERVALS:
        analysis = {"scale": "difference", "interval": interval, "estimate": interval[0]}
        shown = [
            read(
                sentence(interval, region).split("interval ")[1].split(")")[0].replace(" to ", " ")
            ),
            read(tables.estimate({**claim, "analysis": analysis}))[1:],
            read(text.bounds(interval, edges=region)),
        ]
        for printed in shown:
            assert len(printed) == 2
            assert contained(printed, region) == contained(interval, region), (interval, printed)
            assert disjoint(printed, region) == disjoint(interval, region), (interval, printed)


@pytest.mark.parametrize("value", ["0.13004", "0.1299996", "0.0499999", "0.13", "1300.04"])
def test_a_ratio_is_told_from_the_end_that_it_misses(value):
    region = (0.05, 1300) if value == "1300.04" else (0.05, 0.13)
    rows = [("r", float(value), float(value))]
    for readings in (rows, [*rows, ("s", 0.06, 0.06)], rows + [("s", 0.06, 0.06)] * 4):
        rule = Rule(RATIO, region, None, 1.0, min_units=1)
        said = decide_deterministic(rule, readings, Tier.AT_SCOPE)[2]
        assert value in said.replace(",", "")
    analysis = {"estimate": float(value), "interval": None, "scale": "ratio"}
    claim = {"region": region, "record": {"test": {"direction": None, "sesoi": None}}}
    assert tables.estimate({**claim, "analysis": analysis}).replace(",", "") == value


def test_an_estimate_is_told_from_the_smallest_effect_of_interest():
    record = {"test": {"direction": "greater", "sesoi": 0.05}}
    analysis = {"scale": "difference", "estimate": 0.21, "interval": [0.0496, 0.37]}
    shown = tables.estimate({"region": [0.3, None], "record": record, "analysis": analysis})
    assert shown == "+0.2100 [0.0496, 0.3700]"
    ratio = {"scale": "ratio", "estimate": 0.8, "interval": [0.62, 0.9524]}
    record = {"test": {"direction": "less", "sesoi": 1.05}}  # 1 / 1.05 = 0.95238
    assert "0.9524]" in tables.estimate({"region": [0, 0.5], "record": record, "analysis": ratio})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.9749, "0.9749"), (0.97503, "0.97503"), (0.94996, "0.94996"), (0.0252, "0.0252")],
)
def test_a_probability_is_told_from_the_limits_of_the_rule(value, shown):
    assert text.probability(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.123456"),
        (4, "4"),
        (220.0, "220"),
        (12345.678, "12,345.678"),
        (-1e-7, "-0.0000001"),
    ],
)
def test_registered_numbers_are_not_rounded(value, shown):
    assert as_written(value) == shown
    bound = dict.fromkeys(("value", "at_least", "low", "high")) | {"at_most": value}
    claim = {"claimed": bound, "unit": "ratio"}
    assert tables.claimed(claim) == f"at most {shown.replace('-', '−')}"


def test_what_cannot_be_told_apart_keeps_the_usual_digits():
    assert telling([0.1], [0.1], 2) == 2 and telling([0.1], [None, math.inf], 2) == 2
    assert telling([math.nan], [0.1], 3) == 3 and telling([], [0.1], 1) == 1
    assert telling([1e-300], [0.0], 2) == 2
