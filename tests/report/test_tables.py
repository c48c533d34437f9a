"""Numbers as the report writes them."""

import math

import numpy as np
import pandas as pd
import pytest
from kensho.report import tables


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
    assert tables.number(value) == shown


def test_estimate_and_interval_share_decimals_given_by_the_width() -> None:
    assert tables.with_bounds(1.93, [1.88, 1.97]) == "1.930 [1.880, 1.970]"
    assert tables.with_bounds(10.2, [4.0, 17.0]) == "10 [4, 17]"
    assert tables.with_bounds(0.5, (0.4, 0.6), sign=True) == "+0.50 [0.40, 0.60]"
    assert tables.with_bounds(0.5, [0.5, 0.5]) == "0.500 [0.500, 0.500]"
    assert tables.with_bounds(2.0, None) == "2"
    assert tables.with_bounds(None, [1, 2]) == "–"


def test_open_and_missing_bounds() -> None:
    assert tables.bounds([None, 1.5]) == "[…, 1.5]"
    assert tables.bounds([math.nan, math.nan]) == tables.bounds(None) == "–"


def test_probabilities_never_round_to_certainty() -> None:
    values = [0.0, 1e-9, 0.9749, 0.99999, 1.0, None]
    shown = ["0.000", "< 0.001", "0.975", "> 0.999", "1.000", "–"]
    assert [tables.probability(value) for value in values] == shown
    assert [tables.p_value(p) for p in (0.0, 0.0004, 0.02)] == [
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
    assert tables.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.5, "0.5 s"), (59.7, "1 min 00 s"), (1043, "17 min 23 s"), (7325, "2 h 02 min")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert tables.duration(seconds) == shown


@pytest.mark.parametrize(
    ("given", "unit", "shown"),
    [
        ({"low": 0.05, "high": 0.13}, "ratio", "0.05 to 0.13"),
        ({"value": 49}, "percent", "49 %"),
        ({"value": 78, "low": None}, "percent gain", "78 % gain"),
        ({"at_least": 0}, "points", "at least 0 points"),
        ({"at_most": 0.25}, "gain", "at most 0.25 gain"),
        (None, None, "–"),
    ],
)
def test_claimed(given: dict | None, unit: str | None, shown: str) -> None:
    assert tables.claimed({"claimed": given, "unit": unit}) == shown


def test_region_prefers_the_registered_one_and_never_mixes_units() -> None:
    bare = {"claimed": {"at_most": 0.25}, "unit": "gain", "analysis": {"unit": "ratio"}}
    assert tables.region(bare) == (None, None)
    assert tables.region({**bare, "region": [1.0, 1.25]}) == (1.0, 1.25)
    assert tables.region({**bare, "test": {"region": [None, 1.25]}}) == (None, 1.25)
    assert tables.region({"claimed": {"at_least": 0.95}, "unit": "ratio"}) == (
        0.95,
        None,
    )


def test_readings_are_placed_on_one_log_axis_with_the_region() -> None:
    rows = [{"label": str(x), "value": x} for x in (1.0, 10.0, 100.0, None)]
    placed = tables.readings({"region": [10.0, None], "analysis": {"readings": rows}})
    assert [row["place"] for row in placed] == [4.0, 50.0, 96.0, None]
    assert placed[0]["band"] == (50.0, 100)


def test_observation_addresses_are_relative_and_cannot_carry_a_scheme() -> None:
    files = [
        "results/benchmark_data/a/b.csv",
        "benchmark_data/日本.csv",
        "javascript:x",
    ]
    rows = tables.observations({"observations": [{"file": file} for file in files]})
    assert [row["href"] for row in rows] == [
        "benchmark_data/a/b.csv",
        "benchmark_data/%E6%97%A5%E6%9C%AC.csv",
        "javascript%3Ax",
    ]


def test_counts_keep_the_order_of_the_table_and_fill_gaps_with_zero() -> None:
    rows = [("z", "kept", 2), ("a", "kept", 3), ("a", "lost", 4)]
    frame = pd.DataFrame(rows, columns=["technique", "outcome", "count"])
    found = tables.counts(frame, "technique", "outcome")
    assert found == (["kept", "lost"], [("z", [2, 0]), ("a", [3, 4])])


def test_a_repeated_cell_of_the_cache_grid_is_refused() -> None:
    columns = ["arm", "length", "batch", "dtype", "cache_bytes", "closed_form_bytes", "equal"]
    frame = pd.DataFrame([("mla", 512, 1, "float16", 8, 8, True)] * 2, columns=columns)
    with pytest.raises(ValueError, match="kv_grid: arm mla repeats"):
        tables.cache_grid(frame)
