"""TensorBoard files, the trackers' refusal, held-out loss."""

import struct

import pandas as pd
import pytest
from kensho.train import curves
from kensho.train.curves import FILE, NAMES, Curves, check
from tensorboardX.proto.event_pb2 import Event
from test_sft import FULL, PAIRS, run

ROW = {"step": 300, "loss": 2.5, "learning_rate": 1e-3, "tokens": 90, "seconds": 3.0}
ROW |= {"peak_bytes": 5, "validation": None}


def events(folder):
    """Of a TFRecord file: length, its checksum, content, its checksum (tensorboard checks them)."""
    data, read = (folder / FILE).read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        read.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return read


def test_a_step_is_there_at_once_with_its_scalars(tmp_path):
    made = Curves(str(tmp_path), (), "test")
    made.begin([])
    made.add(ROW)
    first, event = events(tmp_path)
    assert first.file_version == "brain.Event:2" and event.step == 300
    values = {value.tag: value.simple_value for value in event.summary.value}
    assert values["train/loss"] == 2.5 and values["train/tokens_per_second"] == 30
    assert NAMES["validation"] not in values  # not observed at this step


def test_each_step_is_there_once_after_a_stop(tiny_model, tmp_path):
    samples = PAIRS.assign(held_out=[False] * 10 + [True] * 2)
    folder = str(tmp_path / "curves")
    for _ in range(2):  # the second goes on from the last checkpoint
        steps, _ = run(tiny_model, tmp_path, samples=samples, curves=folder, **FULL)
    assert [event.step for event in events(tmp_path / "curves")] == [0, *steps["step"]]
    at = steps["step"][steps["validation"].notna()]
    assert list(at) == [1, 2, 4, 6]  # the first, and checkpoints
    assert steps["validation"].iloc[-1] < steps["validation"].iloc[0]


def test_held_out_samples_change_no_weight(tiny_model, tmp_path):
    samples = PAIRS.assign(held_out=[False] * 10 + [True] * 2)
    apart, _ = run(tiny_model, tmp_path / "a", samples=samples)
    without, _ = run(tiny_model, tmp_path / "b", samples=PAIRS.head(10))
    pd.testing.assert_series_equal(apart["loss"], without["loss"])


def test_a_tracker_that_is_not_installed_is_named(monkeypatch):
    check([])
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^train.trackers: the package mlflow is not inst"):
        check(["mlflow"])


@pytest.mark.slow
def test_mlflow_keeps_the_steps(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    made = Curves(None, ["mlflow"], "test")
    made.add(ROW)
    made.end()
    (kept,) = mlflow.search_runs(experiment_names=["kensho"], output_format="list")
    assert kept.data.metrics["train/loss"] == ROW["loss"]
