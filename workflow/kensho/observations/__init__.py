"""The observation table: the only place where a number enters Kenshō.

One CSV per experiment and arm, one row per observation, and beside it ``<arm>.conditions.json``
that says under which conditions it was made and pins the table by its sha256.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kensho.files import read_json, sha256, write_json, write_table
from kensho.observations import conditions as _conditions
from kensho.observations.conditions import ROCM_VARIABLES as ROCM_VARIABLES
from kensho.observations.conditions import environment as environment
from kensho.observations.table import COLUMNS as COLUMNS
from kensho.observations.table import TEXT
from kensho.observations.table import Row as Row
from kensho.observations.table import table as table
from kensho.observations.table import validate as validate


def write(folder: Path | str, frame: pd.DataFrame, conditions: Mapping) -> list[Path]:
    """Write ``<arm>.csv`` and ``<arm>.conditions.json`` for each arm in the table.

    ``conditions`` are :class:`kensho.observations.conditions.Conditions` but for experiment, arm
    and the table's sha256, by which :func:`read` notices a later change of the CSV. Raises
    ValueError, a line for each key that is missing, unknown or of another type.
    """
    frame, written = validate(frame, str(folder)), []
    for arm, rows in frame.groupby("arm", sort=True):
        path = Path(folder) / f"{arm}.csv"
        of_arm = {"experiment": rows["experiment"].iloc[0], "arm": str(arm), **conditions}
        stored = _conditions.complete(of_arm, f"conditions of {path}")
        write_table(path, rows)
        stored["observations_sha256"] = sha256(path)
        write_json(path.with_suffix(".conditions.json"), stored)
        written.append(path)
    return written


def read(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """Table and conditions of one arm, those by the fields of ``Conditions``.

    Raises ValueError naming the file if it is missing, malformed, or not the one that the
    experiment wrote.
    """
    path = Path(path)
    sidecar = path.with_suffix(".conditions.json")
    for needed in (path, sidecar):
        if not needed.is_file():
            raise ValueError(f"{needed}: missing; rerun the experiment that writes it")
    stored = read_json(sidecar)
    if sha256(path) != stored.get("observations_sha256"):
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
    return validate(frame, str(path)), _conditions.stored(stored, str(sidecar))
