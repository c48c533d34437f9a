"""Rows of the report from analyses and tables."""

import pandas as pd
import pytest
from kensho.report import tables
from report_example import EMPTY, analysis, claim


@pytest.mark.parametrize(
    ("given", "unit", "shown"),
    [
        ({"low": 0.05, "high": 0.13}, "ratio", "0.05 to 0.13"),
        ({"value": 49}, "percent", "49 %"),
        ({"value": 78, "low": None}, "percent gain", "78 % gain"),
        ({"at_least": 0}, "points", "at least 0 points"),
        ({"at_most": 0.25}, "gain", "at most 0.25 gain"),
    ],
)
def test_claimed(given: dict, unit: str, shown: str) -> None:
    assert tables.claimed(claim("X-1", "NOT TESTED", claimed=given, unit=unit)) == shown


def test_readings_are_placed_on_one_log_axis_with_the_region() -> None:
    rows = [{"label": str(x), "value": x} for x in (1.0, 10.0, 100.0, None)]
    analysed = analysis(scale="ratio", readings=rows)
    placed = tables.readings({"region": [10.0, None], "analysis": analysed})
    assert [row["place"] for row in placed] == [4.0, 50.0, 96.0, None]
    assert placed[0]["band"] == (50.0, 100)


def test_observation_addresses_are_relative_and_cannot_carry_a_scheme() -> None:
    files = [
        "benchmark_data/a/b.csv",
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


@pytest.mark.parametrize(
    ("interval", "region", "place"),
    [
        ([1.9, 2.1], (1.8, 2.2), "inside"),
        ([1.9, 2.1], (1.8, None), "inside"),
        ([1.8, 2.2], (1.8, 2.2), "inside"),
        ([1.9, 2.3], (1.8, 2.2), "across"),
        ([1.9, None], (1.8, 2.2), "across"),
        ([1.9, None], (1.8, None), "inside"),
        ([2.3, 2.5], (1.8, 2.2), "outside"),
        ([2.3, 2.5], (None, 2.2), "outside"),
        (None, (1.8, 2.2), "–"),
        ([1.9, 2.1], (None, None), "–"),
    ],
)
def test_place_of_an_interval(interval: list | None, region: tuple, place: str) -> None:
    assert tables.place_of(interval, region) == place


def test_the_registered_region_is_not_rounded() -> None:
    for region, shown in (([181.8, 220.0], "[181.8, 220]"), ([0.55, None], "[0.55, …]")):
        judged = claim("X-1", "PARTIAL", analysis(design="proportion"), region=region)
        assert dict(tables.registration(judged))["claimed region"] == shown


def test_readings_of_a_difference_are_placed_on_a_linear_axis() -> None:
    rows = [{"label": str(x), "value": x} for x in (-1.0, 0.0, 1.0)]
    analysed = analysis(scale="difference", readings=rows)
    placed = tables.readings({"region": [-1.0, 0.5], "analysis": analysed})
    assert [row["place"] for row in placed] == [4.0, 50.0, 96.0]
    assert placed[0]["band"] == (4.0, 73.0)


def test_one_line_says_how_sure_a_verdict_is() -> None:
    universe = {"share": 0.9, "specifications": [{}] * 10}
    unsure = analysis(diagnostics={"gates_ok": False}, multiverse=universe)
    assert tables.certainty(unsure) == "a check failed · 90 % of 10 specifications agree"
    assert tables.certainty(EMPTY) == ""
