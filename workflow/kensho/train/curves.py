"""Curves of a training while it runs: TensorBoard files, and trackers that a user has.

An event file is a sequence of records of the TFRecord format (length, its masked CRC-32C, data,
its masked CRC-32C; tensorflow.org/tutorials/load_data/tfrecord), each a protocol buffer `Event`
(tensorboard/compat/proto/event.proto); scalars need few of its fields.
"""

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import google_crc32c

from kensho.files import replacing

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
            with replacing(self.path) as path:
                first = _event(file_version=b"brain.Event:2")
                path.write_bytes(b"".join([first, *(_event(row) for row in rows)]))

    def add(self, row: Mapping[str, Any]) -> None:
        if self.path:
            with open(self.path, "ab") as file:
                file.write(_event(row))
        for log, _ in self.runs:
            log(scalars(row), step=row["step"])

    def end(self) -> None:
        for _, finish in self.runs:
            finish()


def _event(row: Mapping[str, Any] | None = None, file_version: bytes = b"") -> bytes:
    """A record with an `Event`: wall_time 1, step 2, file_version 3, summary 5."""
    data = b"\x09" + struct.pack("<d", time.time())
    if file_version:
        data += _field(3, file_version)
    if row:
        # Summary: value 1; Value: tag 1, simple_value 2
        values = [
            _field(1, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
            for tag, value in scalars(row).items()
        ]
        data += b"\x10" + _varint(row["step"]) + _field(5, b"".join(values))
    length = struct.pack("<Q", len(data))
    return length + _checked(length) + data + _checked(data)


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes: its number and wire type 2, length, content."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _checked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
