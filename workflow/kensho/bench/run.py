"""What a job tells an experiment, and what it gets from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

Inputs = Mapping[str, Any]  # a path, or a list of paths, by name
Settings = Mapping[str, Any]  # those of the catalogue's entry, as plain values
Observed = Sequence[tuple[pd.DataFrame, dict]]  # observation tables, each with its conditions


class Run(NamedTuple):
    """How an experiment runs; ``folder`` is its own and is removed afterwards."""

    folder: Path
    threads: int = 1
    seed: int = 0
    left_out: Mapping[str, str] = {}  # why a source of the settings is not used
    retries_left: int = 0
