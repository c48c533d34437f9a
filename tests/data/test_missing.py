"""Little's test against published and closed values, and under the null; imputation named."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kensho.data.missing import beside, little, read
from scipy.stats import chi2, kstest

COVARIANCE = [[1, 0.5, 0.2], [0.5, 1, 0.3], [0.2, 0.3, 1]]


def with_gaps(rng, rows=200, share=0.15):
    values = rng.multivariate_normal([0, 10, -5], COVARIANCE, size=rows)
    values[rng.random(values.shape) < share] = np.nan
    return values


def test_two_variables_have_the_closed_form():
    """With gaps in one of two variables the estimates are Anderson's (1957), by regression."""
    rng = np.random.default_rng(2)
    x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=80).T
    gap = x + rng.normal(size=80) > 0.5
    mean, spread = x.mean(), x.var()
    distance = sum(part.sum() * (x[part].mean() - mean) ** 2 / spread for part in (gap, ~gap))
    slope = np.cov(x[~gap], y[~gap], bias=True)[0, 1] / x[~gap].var()
    centre = y[~gap].mean() + slope * (mean - x[~gap].mean())
    residual = (y[~gap] - y[~gap].mean() - slope * (x[~gap] - x[~gap].mean())).var()
    total = residual + slope**2 * spread
    covariance = np.array([[spread, slope * spread], [slope * spread, total]])
    off = np.array([x[~gap].mean() - mean, y[~gap].mean() - centre])
    both = (~gap).sum() * off @ np.linalg.solve(covariance, off)
    expected = both + gap.sum() * (x[gap].mean() - mean) ** 2 / spread
    found = little(np.column_stack([x, np.where(gap, np.nan, y)]))
    assert found.df == 1 and found.patterns == 2
    assert found.statistic == pytest.approx(expected, rel=1e-6)
    assert found.statistic == pytest.approx(distance, rel=1e-6)  # y adds nothing
    assert found.p == pytest.approx(chi2.sf(expected, 1), rel=1e-5)


def test_p_is_uniform_where_gaps_are_random_and_small_where_they_follow_a_value():
    rng = np.random.default_rng(1)
    assert kstest([little(with_gaps(rng)).p for _ in range(150)], "uniform").pvalue > 0.01
    values = rng.multivariate_normal([0, 0, 0], COVARIANCE, size=300)
    values[values[:, 0] > 0.7, 1] = np.nan
    assert little(values).p < 1e-6


@pytest.mark.parametrize(
    "values",
    [
        np.empty((0, 2)),
        np.full((5, 2), np.nan),
        np.arange(10.0).reshape(5, 2),  # nothing is missing
        np.array([[1, np.nan], [1, 2], [1, 3], [1, 2]]),  # one does not vary
        np.array([[1, 2, np.nan], [2, 4, 1], [3, 6, 0], [4, 8, 1], [5, 10, 3]]),  # a multiple
    ],
)
def test_what_cannot_be_tested_has_no_p(values):
    assert little(values).p is None


def test_units_do_not_matter():
    values = with_gaps(np.random.default_rng(4))
    assert little(values * [1e6, 1e-6, 1] + 3).p == pytest.approx(little(values).p, rel=1e-6)


def test_complete_cases_stand_beside_what_is_imputed():
    numbers = pd.DataFrame(with_gaps(np.random.default_rng(5)), columns=list("abc"))
    table = beside(numbers).set_index(["variable", "method"])
    assert {*table.index.get_level_values("method")} == {
        *("complete cases", "available", "mean", "iterative")
    }
    assert (table.xs("mean", level=1)["rows"] == 200).all()
    assert (table.xs("complete cases", level=1)["rows"] == len(numbers.dropna())).all()
    for name in numbers:
        assert table.loc[(name, "mean"), "mean"] == pytest.approx(numbers[name].mean())
        assert table.loc[(name, "mean"), "sd"] < table.loc[(name, "available"), "sd"]


@pytest.mark.parametrize("unit", [2.0**-900, 2.0**600, 2.0**1020])
def test_numbers_of_any_size_are_tested_and_imputed(unit):
    values = with_gaps(np.random.default_rng(6)) / 16
    assert little(values * unit) == little(values)
    one, other = (
        beside(pd.DataFrame(table, columns=list("abc"))) for table in (values, values * unit)
    )
    assert np.isfinite(other["mean"]).all() and np.isfinite(other["sd"]).all()
    assert (one["mean"] * unit).tolist() == other["mean"].tolist()


def test_a_huge_number_leaves_the_cases_without_it_as_they_are():
    values = with_gaps(np.random.default_rng(6))
    values[0] = [1e308, np.nan, 0]
    table = beside(pd.DataFrame(values, columns=list("abc"))).set_index(["variable", "method"])
    complete = pd.DataFrame(values).dropna()[0]
    assert table.loc[("a", "complete cases"), "sd"] == pytest.approx(complete.std())
    assert np.isfinite(table).all(axis=None)


def test_gaps_are_counted_by_field_and_texts_left_alone(tmp_path):
    columns = {"text": ["a", "b", "c"], "ja": pa.nulls(3, pa.string())}
    table = pa.table({**columns, "number.score": [1.0, None, 3.0]})
    pq.write_table(table, tmp_path / "0.parquet")
    shares, numbers = read([tmp_path / "0.parquet"], ["score"])
    assert dict(zip(shares["field"], shares["missing"], strict=True)) == {"text": 0, "score": 1}
    assert [*numbers] == ["score"] and numbers["score"].isna().sum() == 1
