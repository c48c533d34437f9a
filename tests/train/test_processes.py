"""Two processes train what one trains; one that dies stops all, and the same call goes on."""

import os
import pickle
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pandas as pd
import pytest
import torch
import torch.distributed as dist
from kensho.fallback import REHEARSAL
from kensho.models.reference import Reference
from kensho.train import launch, processes
from kensho.train.launch import Processes
from kensho.train.run import Training
from safetensors.torch import load_file
from test_sft import FULL, LORA, PAIRS, SCHEDULE

CODE = "kensho.train.sft:stage"
KILLED = subprocess.CalledProcessError
LONG = {**SCHEDULE, "steps": 20, "learning_rate": 3e-3, "checkpoint_every": 8}


@pytest.fixture(autouse=True)
def library(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))


def trained(model, folder, number, **arm):
    """Steps, what was measured and the weights, of one run in so many processes."""
    training = Training(name="test", seed=1, **{**LONG, **LORA, **arm})
    call = (Reference.of(model), PAIRS, folder / "model", folder / "checkpoints", training)
    steps, measured = launch.run(CODE, call, folder / "checkpoints", Processes(number))
    (path,) = (folder / "model").glob("*.safetensors")
    return steps, measured, load_file(path)


def assert_alike(one, other):
    (steps, measured, weights), (others, of_others, other_weights) = one, other
    pd.testing.assert_series_equal(steps["loss"], others["loss"], rtol=1e-4)
    assert list(steps["tokens"]) == list(others["tokens"])
    assert measured.trainable_parameters == of_others.trainable_parameters
    assert weights.keys() == other_weights.keys()
    for name, weight in weights.items():
        assert weight.shape == other_weights[name].shape
        assert (weight - other_weights[name]).norm() <= 1e-3 * weight.norm(), name


@pytest.mark.slow
@pytest.mark.parametrize("arm", [LORA, FULL, {**FULL, "accumulation": 2, "checkpointing": True}])
def test_two_processes_that_share_the_weights_train_what_one_trains(tiny_model, tmp_path, arm):
    one = trained(tiny_model, tmp_path / "one", 1, **arm)
    two = trained(tiny_model, tmp_path / "two", 2, **arm)
    assert_alike(one, two)
    config = (tmp_path / "two/model").glob("config.json")
    assert all('"LlamaForCausalLM"' in path.read_text() for path in config)


@pytest.mark.slow
@pytest.mark.parametrize("arm", [LORA, FULL])
def test_a_rank_that_is_killed_stops_all_and_the_same_call_goes_on(
    tiny_model, tmp_path, monkeypatch, arm
):
    whole = trained(tiny_model, tmp_path / "whole", 2, **arm)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "if os.environ.get('RANK') == '1':\n"
        "    from kensho.train import loop\n"
        "    note = loop.Seen.note\n"
        "    def die(self, **row):\n"
        "        note(self, **row)\n"
        "        if row['step'] == 13:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "    loop.Seen.note = die\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    with pytest.raises(subprocess.CalledProcessError):
        trained(tiny_model, tmp_path / "killed", 2, **arm)
    assert not (tmp_path / "killed/model").exists()
    assert [p.name for p in (tmp_path / "killed/checkpoints").glob("checkpoint-*")] == [
        "checkpoint-8"
    ]
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"].split(os.pathsep, 1)[1])
    resumed = trained(tiny_model, tmp_path / "killed", 2, **arm)
    assert list(resumed[0]["loss"]) == list(whole[0]["loss"])
    assert all(torch.equal(whole[2][name], weight) for name, weight in resumed[2].items())


@pytest.mark.slow
def test_the_cause_that_a_process_names_is_that_of_the_job(tiny_model, tmp_path):
    with pytest.raises(ValueError, match=r"^3 rows of a step cannot be shared by 2 processes; "):
        trained(tiny_model, tmp_path, 2, batch_size=3)


def test_a_weight_that_was_not_shared_is_named(monkeypatch):
    monkeypatch.setattr(processes, "size", lambda: 2)
    monkeypatch.setattr(processes, "init_device_mesh", lambda *shape: None)
    monkeypatch.setattr(processes, "fully_shard", lambda module, **settings: module)
    model = torch.nn.Linear(2, 2)
    model.config = type("Config", (), {"get_text_config": lambda: model.config})
    model.config.num_hidden_layers = 1
    with pytest.raises(ValueError, match=r"^weight is not shared between 2 processes"):
        processes.shard(model)


@pytest.mark.slow
def test_any_other_cause_is_named_too_and_nothing_is_left(tiny_model, tmp_path, capfd):
    with pytest.raises(RuntimeError, match=r"^can't multiply sequence by non-int"):
        trained(tiny_model, tmp_path, 2, learning_rate="fast")
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints"}


@pytest.mark.parametrize(
    ("said", "kind", "cause"),
    [
        ("srun: error: Unable to create step", RuntimeError, "Unable to create step"),
        ("E: b\nModuleNotFoundError: No module named 'x'\nthe end", RuntimeError, "No module"),
        ("exitcode  : -9 (pid: 7)\nChildFailedError: x", KILLED, "SIGKILL"),
        ("srun: error: n1: task 0: Killed", KILLED, "SIGKILL"),
    ],
)
def test_a_launcher_that_fails_says_why_and_one_that_was_killed_may_be_tried_again(
    said, kind, cause, tmp_path, monkeypatch
):
    fails = [sys.executable, "-c", f"import sys; sys.exit({said!r})"]
    monkeypatch.setattr(launch, "launcher", lambda processes: fails)
    with pytest.raises(kind, match=cause):
        launch.run(CODE, (), tmp_path / "checkpoints", Processes(2))


@pytest.mark.slow
def test_a_launcher_ends_with_the_job_that_started_it(tiny_model, tmp_path):
    code = (
        f"import sys; sys.path[:0] = {[os.path.dirname(__file__), *sys.path]!r}\n"
        "from pathlib import Path; import test_processes\n"
        f"test_processes.trained(Path({str(tiny_model)!r}), Path({str(tmp_path)!r}), 2, steps=9999)"
    )
    job = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    lines = iter(job.stderr.readline, b"")
    assert any(b"step 3/9999" in line for line in lines)
    job.kill()

    def at_work():
        listed = subprocess.run(["pgrep", "-f", f"launch {tmp_path}"], capture_output=True)
        return bool(listed.stdout)

    deadline = time.monotonic() + 60
    while at_work() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not at_work()


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """What one process of a launch leaves for a function of this module."""

    def left(function):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        ranks = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
        for name, value in {**place, **ranks}.items():
            monkeypatch.setenv(name, value)
        (tmp_path / launch.CALL).write_bytes(pickle.dumps((f"{__name__}:{function}", ())))
        try:
            with suppress(ValueError):
                launch.main([str(tmp_path)])
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()
        (path,) = {*tmp_path.glob("*.pickle")} - {tmp_path / launch.CALL}
        return pickle.loads(path.read_bytes())

    return left


def patience():
    return dist.group.WORLD._get_backend(torch.device("cpu")).options._timeout.total_seconds()


def refused():
    raise ValueError("/home/igloo/model has no config.json; fetch the model again")


def test_processes_wait_for_what_the_first_does_alone(alone):
    """Reading the reference of preferences takes more than the ten minutes that NCCL would give."""
    assert alone("patience") >= 24 * 3600


def test_a_cause_that_names_a_folder_is_not_taken_for_a_lost_connection(alone):
    assert alone("refused")[1].startswith("/home/igloo/model has no config.json")


def test_nodes_without_slurm_are_refused(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ValueError, match=r"no job of SLURM; set cluster\.nodes to 1"):
        launch.launcher(Processes(16, 2, 96))


def test_one_node_starts_its_own_processes():
    assert launch.launcher(Processes(8, 1, 16))[1:] == [
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "8")
    ]


def test_nodes_meet_at_the_first_one_which_slurm_is_asked_for(tmp_path, monkeypatch):
    """A job that calls srun itself has of SLURM's variables the number of the job alone."""
    for name, said in (("squeue", "node[7,9]"), ("scontrol", "node7\nnode9")):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\necho "{said}"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "31")
    command = launch.launcher(Processes(16, 2, 96))
    assert command[:5] == [
        *("srun", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=96")
    ]
    assert "--nproc-per-node=8" in command and "--nnodes=2" in command
    asked = (tmp_path / "asked").read_text()
    assert "--jobs 31" in asked and "show hostnames node[7,9]" in asked
    (endpoint,) = (part for part in command if part.startswith("--rdzv-endpoint=node7:"))
    assert 20_000 <= int(endpoint.rsplit(":", 1)[1]) < 40_000
    monkeypatch.setenv("SLURM_JOB_ID", "32")
    assert launch.launcher(Processes(16, 2, 96)) != command
    with pytest.raises(ValueError, match="15 processes cannot be shared by 2 nodes"):
        launch.launcher(Processes(15, 2, 96))


@pytest.mark.parametrize(
    ("asked", "nodes", "seen", "number"), [(0, 1, 0, 1), (8, 1, 0, 1), (8, 1, 8, 8), (16, 2, 8, 16)]
)
def test_there_is_a_process_for_each_accelerator(monkeypatch, asked, nodes, seen, number):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    allocated = launch.allocated({"gpu": asked, "nodes": nodes}, 4)
    assert allocated == Processes(number, nodes if seen else 1, 4)
    if seen:
        with pytest.raises(ValueError, match=f"has {asked + 1} accelerators on {nodes} node"):
            launch.allocated({"gpu": asked + 1, "nodes": nodes}, 4)


@pytest.mark.parametrize(("seen", "number"), [(0, 2), (1, 1), (8, 2)])
def test_two_processes_stand_for_any_number_in_a_rehearsal(monkeypatch, seen, number):
    monkeypatch.setenv(REHEARSAL, "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    assert launch.allocated({"gpu": 16, "nodes": 2}, 4).number == number
    assert launch.allocated({"gpu": 1}, 4).number == 1
