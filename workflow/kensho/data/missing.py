"""Missing numbers of a corpus: how many, whether at random, and what an imputation would change.

Texts are never imputed, and what is imputed here is shown beside the complete cases and written
nowhere else.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

ITERATIONS, TOLERANCE = 1000, 1e-9


class Mcar(NamedTuple):
    """Little's test; ``p`` is None where nothing is missing or too little is there to test."""

    statistic: float | None
    df: int
    p: float | None
    patterns: int


def read(paths: Sequence[Path | str], numbers: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Documents without a value by field, and the numbers of all, a column each, NaN if missing.

    Args: the shards of a corpus as Parquet, and the names of its numbers. The first table has
    columns field, documents, missing, share; of texts only the fields that any document has.
    """
    columns = [f"number.{name}" for name in numbers]
    counts: Counter[str] = Counter()
    tables, documents = [], 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            documents += file.metadata.num_rows
            fields = file.schema_arrow.names
            for field in fields:  # a column at a time
                for batch in file.iter_batches(columns=[field]):
                    counts[field] += batch.column(0).null_count
            tables.append(file.read(columns=columns).to_pandas())
    rows = [
        (field.removeprefix("number."), documents, count, count / max(1, documents))
        for field, count in counts.items()
        if count < documents or field in columns
    ]
    shares = pd.DataFrame(rows, columns=["field", "documents", "missing", "share"])
    table = pd.concat(tables, ignore_index=True).astype(float)
    return shares, table.rename(columns=dict(zip(columns, numbers, strict=True)))


def little(values: np.ndarray) -> Mcar:
    """Little's test that values are missing completely at random (JASA 83, 1988, 1198-1202).

    Args: values, shape (rows, variables), NaN where missing; rows without any value are left out.

    d² = Σ_j n_j (ȳ_j − μ_j)' Σ_j⁻¹ (ȳ_j − μ_j) over the patterns j of what is there, with the
    maximum likelihood estimates of a normal model (EM), is χ² with Σ_j p_j − p degrees of freedom
    under the null. A variable that does not vary, or is a sum of others, and estimates
    that do not converge give no test (p is None).
    """
    from scipy.stats import chi2

    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values).all(axis=1)]
    values = values[:, ~np.isnan(values).all(axis=0)]
    values = values / _units(values)
    variables = values.shape[1]
    there, which = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    groups = [(mask, values[which.ravel() == j][:, mask]) for j, mask in enumerate(there)]
    df = int(there.sum()) - variables
    if df < 1 or len(values) <= variables:
        return Mcar(None, max(df, 0), None, len(there))
    spread = np.nanstd(values, axis=0)
    if not (spread > 0).all():
        return Mcar(None, df, None, len(there))
    centre = np.nanmean(values, axis=0)
    groups = [(mask, (part - centre[mask]) / spread[mask]) for mask, part in groups]
    try:
        mean, covariance = _normal(groups, variables, len(values))
        statistic = 0.0
        for mask, part in groups:
            off = part.mean(axis=0) - mean[mask]
            within = covariance[np.ix_(mask, mask)]
            statistic += len(part) * float(off @ np.linalg.solve(within, off))
    except np.linalg.LinAlgError:
        return Mcar(None, df, None, len(there))
    return Mcar(statistic, df, float(chi2.sf(statistic, df)), len(there))


def _normal(
    groups: list[tuple[np.ndarray, np.ndarray]], variables: int, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a normal by maximum likelihood, with values missing (EM).

    Dempster, Laird and Rubin 1977; each step needs of a pattern its count, means and products.
    """
    stated = [(m, len(part), part.mean(axis=0), part.T @ part) for m, part in groups]
    mean, covariance = np.zeros(variables), np.eye(variables)
    for _ in range(ITERATIONS):
        first, second = np.zeros(variables), np.zeros((variables, variables))
        for mask, count, means, products in stated:
            rest = ~mask
            slope = np.linalg.solve(
                covariance[np.ix_(mask, mask)], covariance[np.ix_(mask, rest)]
            ).T
            base = np.zeros(variables)
            base[rest] = mean[rest] - slope @ mean[mask]
            lift = np.zeros((variables, int(mask.sum())))
            lift[mask], lift[rest] = np.eye(int(mask.sum())), slope
            first += count * (base + lift @ means)
            cross = count * np.outer(lift @ means, base)
            second += count * np.outer(base, base) + cross + cross.T + lift @ products @ lift.T
            residual = covariance[np.ix_(rest, rest)] - slope @ covariance[np.ix_(mask, rest)]
            second[np.ix_(rest, rest)] += count * residual
        new_mean = first / rows
        new = second / rows - np.outer(new_mean, new_mean)
        change = max(np.abs(new_mean - mean).max(), np.abs(new - covariance).max())
        mean, covariance = new_mean, (new + new.T) / 2
        if change < TOLERANCE:
            break
    else:
        raise np.linalg.LinAlgError("the estimates do not converge")
    np.linalg.cholesky(covariance)  # raises where it has no inverse
    return mean, covariance


def _units(values: np.ndarray) -> np.ndarray:
    """Of each column a power of two near its largest size: squares of what it divides are finite.

    A division by it rounds nothing.
    """
    largest = np.nanmax(np.abs(values), axis=0) if len(values) else np.zeros(values.shape[1])
    return np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1))))


def beside(numbers: pd.DataFrame) -> pd.DataFrame:
    """Means and standard deviations of complete cases beside two imputations of scikit-learn.

    Args: numbers, a column for each variable, NaN where missing.

    Returns columns variable, method, rows, mean, sd. Methods: `complete cases` (rows without any
    gap), `available` (each variable's own values), `mean` (SimpleImputer), `iterative`
    (IterativeImputer: each variable from the others by Bayesian ridge, its defaults, one seed, on
    values of a size near 1). An imputation understates the standard deviation: what is imputed does
    not scatter.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, SimpleImputer

    numbers = numbers.loc[:, numbers.notna().any()]
    tables = {"complete cases": numbers.dropna(), "available": numbers}
    if len(numbers.columns) and numbers.isna().any(axis=None):
        units = _units(numbers.to_numpy())
        imputers = {"mean": SimpleImputer(), "iterative": IterativeImputer(random_state=0)}
        for method, imputer in imputers.items():
            filled = imputer.fit_transform(numbers / units) * units
            tables[method] = pd.DataFrame(filled, columns=numbers.columns)
    rows = [
        (name, method, int(table[name].notna().sum()), *_moments(table[name].to_numpy()))
        for name in numbers.columns
        for method, table in tables.items()
    ]
    return pd.DataFrame(rows, columns=["variable", "method", "rows", "mean", "sd"])


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of what is there."""
    there = pd.Series(values).dropna()
    [unit] = _units(there.to_numpy()[:, None])
    return float((there / unit).mean() * unit), float((there / unit).std() * unit)
