"""The observation table: the only place where a number enters Kenshō.

One CSV per experiment and arm, one row per observation, and beside it ``<arm>.conditions.json``
that says under which conditions it was made and pins the table by its sha256.
"""

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pandera.pandas as pa
import psutil

from kensho.files import read_json, sha256, write_json, write_table


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

SCHEMA = pa.DataFrameSchema(
    {
        **{name: pa.Column(str, pa.Check.str_length(min_value=1)) for name in TEXT},
        "replicate": pa.Column(int),
        "value": pa.Column(float),
    },
    unique=["arm", "block", "replicate", "metric"],
)

# Variables of claim F-11 (resources/rocm_variables.yaml); recorded where they are set.
ROCM_VARIABLES = (
    "HIP_FORCE_DEV_KERNARG",
    "TORCH_BLAS_PREFER_HIPBLASLT",
    "HSA_FORCE_FINE_GRAIN_PCIE",
    "HSA_ENABLE_SDMA",
    "HIP_VISIBLE_DEVICES",
    "ROCM_FORCE_DEV_KERNARG",
    "PYTORCH_HIP_ALLOC_CONF",
    "HIP_FORCE_NON_COHERENT",
    "HIPBLASLT_TENSILE_LIBPATH",
    "HIP_LAUNCH_BLOCKING",
    "MIOPEN_DEBUG_DISABLE_FIND_DB",
)
PACKAGES = ["torch", "transformers", "peft", "trl", "lm-eval", "numpy", "pandas"]


def table(rows: Iterable[Row] | Iterable[Mapping]) -> pd.DataFrame:
    """Observation rows as a validated table (raises ValueError naming row and column)."""
    return validate(pd.DataFrame(list(rows), columns=COLUMNS), "observations")


def validate(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check a table against the schema; one clear line with file, column and row if it fails."""
    if frame.empty:
        raise ValueError(f"{name}: the observation table is empty; rerun the experiment")
    if (found := list(map(str, frame.columns))) != COLUMNS:
        raise ValueError(
            f"{name}: columns are {', '.join(found)}, expected {', '.join(COLUMNS)}; "
            "rerun the experiment"
        )
    numbers = pd.to_numeric(frame["value"], errors="coerce").astype(float)
    for row in np.flatnonzero(~np.isfinite(numbers))[:1]:
        raise ValueError(
            f"{name}, line {row + 2}: value {frame['value'].iloc[row]} is not a finite number; "
            "rerun the experiment"
        )
    try:
        return SCHEMA.validate(frame.assign(value=numbers))
    except pa.errors.SchemaError as error:
        cases = error.failure_cases
        row = cases["index"].iloc[0] if isinstance(cases, pd.DataFrame) and len(cases) else None
        where = "" if row is None else f", line {int(row) + 2}"
        column = error.schema.name or ", ".join(SCHEMA.unique)
        raise ValueError(
            f"{name}{where}: fails {error.check} in {column}; rerun the experiment"
        ) from None


def write(folder: Path | str, frame: pd.DataFrame, conditions: Mapping) -> list[Path]:
    """Write ``<arm>.csv`` and ``<arm>.conditions.json`` for each arm in the table.

    ``conditions`` holds ``tier`` and everything that describes how the rows were observed; the
    table's sha256 is added, so that a later change of the CSV is noticed by :func:`read`.
    """
    frame, written = validate(frame, str(folder)), []
    for arm, rows in frame.groupby("arm", sort=True):
        path = Path(folder) / f"{arm}.csv"
        write_table(path, rows)
        pinned = {"experiment": rows["experiment"].iloc[0], "arm": arm, **conditions}
        pinned["observations_sha256"] = sha256(path)
        write_json(path.with_suffix(".conditions.json"), pinned)
        written.append(path)
    return written


def read(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """Table and conditions of one arm.

    Raises ValueError naming the file if it is missing, malformed, or not the one that the
    experiment wrote.
    """
    path = Path(path)
    sidecar = path.with_suffix(".conditions.json")
    for needed in (path, sidecar):
        if not needed.is_file():
            raise ValueError(f"{needed}: missing; rerun the experiment that writes it")
    conditions = read_json(sidecar)
    if sha256(path) != conditions.get("observations_sha256"):
        raise ValueError(
            f"{path}: changed after the experiment wrote it (sha256 differs from "
            f"{sidecar.name}); restore it, or delete it to measure again"
        )
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)
    except ValueError as error:
        raise ValueError(
            f"{path}: not a readable CSV ({str(error).strip()}); delete it to measure again"
        ) from None
    return validate(frame, str(path)), conditions


def environment() -> dict:
    """Hardware and software of this process, for the conditions file."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    accelerators = []
    if "torch" in sys.modules:
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        accelerators = [torch.cuda.get_device_name(i) for i in range(count)]
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    variables = {name: os.environ[name] for name in ROCM_VARIABLES if name in os.environ}
    return ({"rocm_variables": variables} if variables else {}) | {
        "hardware": {
            "cpu": cpu,
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "accelerators": accelerators,
        },
        "software": {"python": platform.python_version(), "os": platform.platform(), **installed},
    }
