"""What is recorded of a machine, of the packages that a job used and of its memory."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from kensho.run import events, machine
from kensho.run.job import job
from scripted import snakemake

ROOT = Path(__file__).parents[1]


def recorded(body, folder):
    """The end of a job with this body, in a process of its own that a larger one has started."""
    script = (
        "from kensho.run.job import job; from scripted import snakemake\n"
        f"with job(snakemake('train')):\n    {body}\n"
    )
    folder.mkdir(exist_ok=True)
    path = f"{ROOT / 'workflow'}:{ROOT / 'tests'}"
    ballast = bytearray(400 * 2**20)  # a peak that getrusage would pass on
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
    )
    del ballast
    return events.read(folder / events.LOG)[-1]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return recorded("import yaml", tmp_path_factory.mktemp("small"))


def test_packages_are_told_by_the_modules_that_were_used(small):
    assert small.imported["pyyaml"] == version("pyyaml")
    assert small.imported["pydantic"] == version("pydantic")
    assert not {"torch", "scipy"} & {*small.imported}  # nothing is imported to be told
    assert small.imported.items() <= machine.packages().items()


def test_the_peak_is_that_of_the_largest_process_of_the_job(small, tmp_path):
    assert 10 * 2**20 < small.peak_bytes < 300 * 2**20
    child = "[sys.executable, '-c', 'x = bytearray(400 * 2**20)']"
    large = recorded(f"import subprocess, sys; subprocess.run({child})", tmp_path)
    assert large.peak_bytes > 400 * 2**20


def test_the_machine_is_told_without_torch_as_far_as_it_is_known(small):
    here = small.machine
    assert here.cores == os.cpu_count() and here.memory_bytes > 2**28
    assert here.system.startswith(os.uname().sysname)
    assert (here.devices, here.toolkit, small.device) == ([], "", None)


def test_torch_without_a_device_says_so(tmp_path):
    import torch

    build = torch.version.hip or torch.version.cuda
    ended = recorded("import torch", tmp_path)
    assert (ended.machine.toolkit == "none") == (build is None)
    assert ended.machine.devices == [] and ended.device_peak_bytes is None
    assert ended.imported["torch"] == torch.__version__


def test_devices_are_those_that_torch_sees_where_it_has_used_one(monkeypatch):
    """By a stand-in of torch for a machine with two devices, which tests do not have."""
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        get_device_name=lambda number=1: ["AMD Instinct MI300X", "other"][number],
        max_memory_reserved=lambda number: [5, 7][number],
    )
    build = SimpleNamespace(hip="7.0.51831", cuda=None)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, version=build))
    devices = ["AMD Instinct MI300X", "other"]
    used = {"devices": devices, "device": "other", "device_peak_bytes": 7}
    assert machine.torch() == {"toolkit": "ROCm 7.0.51831", **used}
    cuda.max_memory_reserved = lambda number: 1 / 0
    cuda.is_initialized = lambda: False
    assert machine.torch() == {"toolkit": "ROCm 7.0.51831"}
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())  # half imported
    assert machine.torch() == {}


def test_drivers_are_those_whose_modules_are_loaded(tmp_path):
    for name in ("nvidia", "amdgpu", "snd"):
        (tmp_path / name).mkdir()
    (tmp_path / "nvidia/version").write_text("570.124.06\n")
    assert machine.drivers(tmp_path) == {"nvidia": "570.124.06", "amdgpu": "the kernel's own"}
    assert machine.drivers(tmp_path / "none") == {}


def test_a_host_is_told_apart_in_its_folder_alone(tmp_path, monkeypatch):
    hosts = []
    for folder in ("a", "a", "b"):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        machine.host.cache_clear()
        hosts.append(machine.host())
    machine.host.cache_clear()
    assert hosts[0] == hosts[1] != hosts[2] and len(hosts[0]) == 12
    assert Path(tmp_path / "a", machine.SALT).read_text() not in hosts


def test_a_folder_that_takes_no_salt_fails_no_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "SALT", Path("/proc/none/salt"))
    machine.host.cache_clear()
    with job(snakemake("train")):
        pass
    machine.host.cache_clear()
    assert events.read()[-1].event == "finished" and events.read()[-1].host == ""
