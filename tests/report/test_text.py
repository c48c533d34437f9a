"""Numbers as the report writes them."""

import math

import numpy as np
import pytest
from kensho.report import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.0, "3"),
        (45000, "45,000"),
        (6738415616.0, "6,738,415,616"),
        (12345.678, "12,346"),
        (0.0140625, "0.01406"),
        (-0.28, "−0.28"),
        (2.1e-17, "2.10 × 10⁻¹⁷"),
        (-0.0, "0"),
        (np.int64(0), "0"),
        (math.nan, "–"),
        (math.inf, "–"),
        (None, "–"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


def test_estimate_and_interval_share_decimals_given_by_the_width() -> None:
    assert text.with_bounds(1.93, [1.88, 1.97]) == "1.930 [1.880, 1.970]"
    assert text.with_bounds(10.2, [4.0, 17.0]) == "10 [4, 17]"
    assert text.with_bounds(0.5, (0.4, 0.6), sign=True) == "+0.50 [0.40, 0.60]"
    assert text.with_bounds(0.5, [0.5, 0.5]) == "0.500 [0.500, 0.500]"
    assert text.with_bounds(2.0, None) == "2"
    assert text.with_bounds(None, [1, 2]) == "–"


def test_open_and_missing_bounds() -> None:
    assert text.bounds([None, 1.5]) == "[…, 1.5]"
    assert text.bounds([math.nan, math.nan]) == text.bounds(None) == "–"


def test_probabilities_never_round_to_certainty() -> None:
    values = [0.0, 1e-9, 0.9759, 0.99999, 1.0, None]
    shown = ["0.000", "< 0.001", "0.976", "> 0.999", "1.000", "–"]
    assert [text.probability(value) for value in values] == shown
    assert [text.p_value(p) for p in (0.0, 0.0004, 0.02)] == [
        "0.000",
        "4.00 × 10⁻⁴",
        "0.020",
    ]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (589824, "576 KiB"),
        (1179648, "1.12 MiB"),
        (2**40, "1 TiB"),
    ],
)
def test_size(count: int, shown: str) -> None:
    assert text.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.5, "0.5 s"), (59.7, "1 min 00 s"), (1043, "17 min 23 s"), (7325, "2 h 02 min")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("ratio", ""), ("share", ""), (None, ""), ("percent", " %"), ("percent gain", " % gain"),
     ("percentage points", " percentage points")],
)  # fmt: skip
def test_unit_suffix(unit: str | None, shown: str) -> None:
    assert text.unit_suffix(unit) == shown
