"""Curves of a training while it runs: TensorBoard files, and trackers that a user has."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

NAMES = {  # of a row's columns
    **{"loss": "train/loss", "learning_rate": "train/learning_rate"},
    **{"tokens_per_second": "train/tokens_per_second", "peak_bytes": "train/peak_bytes"},
    "validation": "validation/loss",
}
PROJECT = "kensho"
FILE = "events.out.tfevents.kensho"


def check(trackers: Sequence[str]) -> None:
    """Raises ValueError for a tracker whose package is not there."""
    for name in trackers:
        if find_spec(name) is None:
            raise ValueError(
                f"train.trackers: the package {name} is not installed; leave {name} out or add it "
                "to the environment"
            )


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """What the curves show of a step, by the names that they have."""
    shown = {**row, "tokens_per_second": row["tokens"] / row["seconds"]}
    return {name: shown[key] for key, name in NAMES.items() if shown.get(key) is not None}


def _wandb(name: str) -> tuple[Callable, Callable]:
    import wandb

    run = wandb.init(project=PROJECT, name=name)
    return run.log, run.finish


def _mlflow(name: str) -> tuple[Callable, Callable]:
    import mlflow

    mlflow.set_experiment(PROJECT)
    mlflow.start_run(run_name=name)
    return mlflow.log_metrics, mlflow.end_run


OPENED = {"wandb": _wandb, "mlflow": _mlflow}  # what takes a step's scalars, and what ends the run


class Curves:
    """TensorBoard's file in ``folder``, and the trackers' runs called ``name``.

    Rows of earlier processes are written anew when a training goes on, so that no step is there
    twice; trackers get the steps of this process.
    """

    def __init__(self, folder: str | None, trackers: Sequence[str], name: str):
        self.path = Path(folder) / FILE if folder else None
        self.runs = [OPENED[tracker](name) for tracker in trackers]

    def begin(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Start the file with these rows."""
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = RecordWriter(str(self.path))
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
            for row in rows:
                self._write(_event(row))

    def add(self, row: Mapping[str, Any]) -> None:
        if self.path:
            self._write(_event(row))
        for log, _ in self.runs:
            log(scalars(row), step=row["step"])

    def _write(self, event: Event) -> None:
        """At once: what a run that dies had seen is there."""
        self.file.write(event.SerializeToString())
        self.file.flush()

    def end(self) -> None:
        if self.path:
            self.file.close()
        for _, finish in self.runs:
            finish()


def _event(row: Mapping[str, Any]) -> Event:
    values = [Summary.Value(tag=tag, simple_value=x) for tag, x in scalars(row).items()]
    return Event(wall_time=time.time(), step=row["step"], summary=Summary(value=values))
