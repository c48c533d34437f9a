"""What a job tells an experiment, and what it gets from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pandas as pd

Inputs = Mapping[str, Any]  # a path, or a list of paths, by name
Observed = Sequence[tuple[pd.DataFrame, dict]]  # observation tables, each with its conditions


class Run(NamedTuple):
    """How an experiment runs; ``folder`` is its own and is removed afterwards."""

    folder: Path
    threads: int = 1
    seed: int = 0
    left_out: Mapping[str, str] = {}  # why a source of the settings is not used
    retries_left: int = 0
    journal: Path | None = None  # what arms and seeds observed, kept if the job is killed
    identity: Sequence[Any] = ()  # code, settings and seed: what others observed does not count

    def timing(self, blocks: int) -> dict:
        """Conditions of what ran in blocks (:func:`kensho.bench.blocks.interleaved`)."""
        return {"blocks": blocks, "threads": self.threads, "seeds": [self.seed]}


class Cell(NamedTuple):
    """Sequences that run at once, and tokens of each."""

    batch: int
    length: int

    def __str__(self) -> str:
        return f"B{self.batch}-L{self.length}"


def as_settings(values: Mapping[str, Any]) -> Any:
    """Plain values by attribute, as the settings of a part have them (``bench/settings.py``).

    That module stays with the head of a run, so that its edits measure nothing anew; what a part
    does not read is not there.
    """
    return json.loads(json.dumps(values), object_hook=lambda one: SimpleNamespace(**one))
