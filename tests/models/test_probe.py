"""A device that computes something else is named before a job begins."""

import json
import math

import pytest
import torch
from kensho.fallback import REHEARSAL
from kensho.models import probe
from kensho.run.job import job
from scripted import snakemake


@pytest.fixture
def wrong(monkeypatch):
    """The processor as an accelerator on which one weight in a hundred is 1 % larger."""
    honest = probe.outputs

    def outputs(model, on, dtype):
        if on != "cpu":
            with torch.no_grad():
                for weight in model.parameters():
                    weight.flatten()[::100].mul_(1.01)
        return honest(model, "cpu", dtype)

    monkeypatch.setattr(probe, "outputs", outputs)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "AMD Instinct MI300X")


def test_a_device_that_computes_alike_passes():
    measured = probe.check("cpu")
    assert set(measured) == {
        f"{dtype} {part}"
        for dtype in ("float32", "bfloat16")
        for part in ("logits", "loss", "gradient")
    }
    assert max(measured.values()) == 0


def test_rounding_of_another_dtype_is_within_what_that_dtype_is_given():
    exact = probe.outputs(probe.small_model(), "cpu", torch.float32)
    rounded = probe.outputs(probe.small_model(), "cpu", torch.bfloat16)
    distances = probe.differences(rounded, exact)
    assert 1e-3 < distances["logits"] < probe.TOLERANCE[torch.bfloat16]
    assert distances["gradient"] < probe.TOLERANCE[torch.bfloat16]


def test_what_is_not_a_number_is_infinitely_far():
    exact = probe.outputs(probe.small_model(), "cpu", torch.float32)
    broken = exact | {"logits": exact["logits"] * float("nan")}
    assert probe.differences(broken, exact)["logits"] == math.inf


def test_the_probe_leaves_the_seed_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    probe.check("cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_wrong_device_stops_the_job_by_name(tmp_path, monkeypatch, capfd, wrong):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kensho.models.hardware.detected", lambda: "rocm")
    ran = []
    with pytest.raises(SystemExit), job(snakemake("experiment", params={"device": "rocm"})):
        ran.append("observed")
    assert not ran
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("rule experiment failed: AMD Instinct MI300X does not compute what")
    assert "gradient in float32 by " in line and "take another node" in line
    last = json.loads((tmp_path / "logs/jobs.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed" and "MI300X" in last["cause"]


@pytest.fixture
def probed(tmp_path, monkeypatch):
    """The devices that a job with so many of them probes, on a machine that has one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kensho.models.hardware.detected", lambda: "rocm")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    asked = []
    monkeypatch.setattr(probe, "check", lambda on: asked.append(on) or {})

    def devices(rule, given):
        with job(snakemake(rule, params={"device": "rocm"}, gpu=given)):
            pass
        return asked

    return devices


def test_a_job_with_more_accelerators_than_there_are_is_told_so(probed, capfd):
    with pytest.raises(SystemExit):
        probed("evaluate", 2)
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "the job has 2 accelerators on 1 node(s), torch sees 1 on this one; mend" in line
    assert line.endswith("or set cluster.devices_per_node to what a node has")


@pytest.mark.parametrize("rule", ["evaluate", "train_stage"])
def test_a_rehearsal_probes_what_there_is(probed, monkeypatch, rule):
    monkeypatch.setenv(REHEARSAL, "1")
    assert probed(rule, 8) == ["cuda:0"]


def test_jobs_without_an_accelerator_are_not_held_up(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    with job(snakemake("experiment", params={"device": "none"})):
        pass
    assert "device_probe" not in (tmp_path / "logs/jobs.jsonl").read_text()
