"""Tables of observations: their columns, and what makes one valid."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd


class Row(NamedTuple):
    """One observation."""

    experiment: str
    arm: str
    block: str
    replicate: int
    metric: str
    value: float
    unit: str


COLUMNS = list(Row._fields)
TEXT = ["experiment", "arm", "block", "metric", "unit"]

UNIQUE = ["arm", "block", "replicate", "metric"]


def table(rows: Iterable[Row] | Iterable[Mapping]) -> pd.DataFrame:
    """Observation rows as a validated table (raises ValueError naming row and column)."""
    return validate(pd.DataFrame(list(rows), columns=COLUMNS), "observations")


def validate(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check a table against the schema; one clear line with file, column and row if it fails."""
    if frame.empty:
        raise ValueError(f"{name}: the observation table is empty; rerun the experiment")
    if (columns := list(map(str, frame.columns))) != COLUMNS:
        raise ValueError(
            f"{name}: columns are {', '.join(columns)}, expected {', '.join(COLUMNS)}; "
            "rerun the experiment"
        )
    numbers = pd.to_numeric(frame["value"], errors="coerce").astype(float)
    for row in np.flatnonzero(~np.isfinite(numbers))[:1]:
        raise ValueError(
            f"{name}, line {row + 2}: value {frame['value'].iloc[row]} is not a finite number; "
            "rerun the experiment"
        )
    import pandera.pandas as pa  # here: every command knows of observations, and few read any

    columns_of = {
        **{name: pa.Column(str, pa.Check.str_length(min_value=1)) for name in TEXT},
        "replicate": pa.Column(int),
        "value": pa.Column(float),
    }
    try:
        schema = pa.DataFrameSchema(columns_of, unique=UNIQUE)
        return schema.validate(frame.assign(value=numbers))
    except pa.errors.SchemaError as error:
        cases = error.failure_cases
        row = cases["index"].iloc[0] if isinstance(cases, pd.DataFrame) and len(cases) else None
        where = "" if row is None else f", line {int(row) + 2}"
        column = error.schema.name or ", ".join(UNIQUE)
        raise ValueError(
            f"{name}{where}: fails {error.check} in {column}; rerun the experiment"
        ) from None
