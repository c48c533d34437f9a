"""Profiles that SLURM's plugin reads, and what preflight says about them."""

import re
from pathlib import Path

import pytest
import yaml
from kensho import slurm

ROOT = Path(__file__).parents[1]
PROFILES = sorted(path.parent.name for path in ROOT.glob("profiles/*/config.yaml"))
ON_SLURM = [name for name in PROFILES if name.startswith("slurm-")]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_found_by_its_name_alone(name):
    assert (ROOT / name).is_symlink() and (ROOT / name / "config.yaml").is_file()


@pytest.mark.parametrize("name", ON_SLURM)
def test_every_line_of_a_cluster_profile_says_why_or_is_plain(name):
    settings = yaml.safe_load((ROOT / name / "config.yaml").read_text())
    partitions = yaml.safe_load((ROOT / settings["slurm-partition-config"]).read_text())
    assert settings["nolock"] and settings["slurm-status-command"] == "squeue"
    assert "cpu" in partitions["partitions"]
    rules = "".join(path.read_text() for path in ROOT.glob("rules/*.smk"))
    assert set(settings["groups"]) <= set(re.findall(r"(?m)^ *rule (\w+)", rules))


def cluster(folder, monkeypatch, **programs):
    """A PATH on which SLURM's programs print what is given."""
    for name, said in programs.items():
        (folder / name).write_text(f"#!/bin/sh\nprintf '{said}'\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(ROOT)


def test_preflight_names_partitions_that_the_cluster_lacks(tmp_path, monkeypatch):
    cluster(tmp_path, monkeypatch, sinfo="cpu\\nbig\\n", sacctmgr="mine\\n", scontrol="")
    found = slurm.preflight(Path("slurm-mi300x"))
    (problem,) = [f for f in found if f.state == "problem"]
    assert "names mi300x; the cluster has big, cpu" in problem.seen


def test_preflight_wants_slurm_to_remember_jobs_long_enough(tmp_path, monkeypatch):
    said = "MinJobAge               = 60 sec\\n"
    cluster(tmp_path, monkeypatch, sinfo="cpu\\nmi300x\\n", sacctmgr="a\\nb\\n", scontrol=said)
    states = {f.state: f for f in slurm.preflight(Path("slurm-mi300x"))}
    assert "to 20 or less" in states["problem"].mend and "yours: a, b" in states["note"].seen


def test_preflight_off_the_cluster_says_where_to_start(tmp_path, monkeypatch):
    cluster(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = slurm.preflight(Path("slurm-mi300x"))
    assert "login node" in problem.mend
    assert slurm.preflight(Path("local")) == []


def test_jobs_of_another_folder_or_of_this_job_do_not_count(tmp_path, monkeypatch):
    places = {7: tmp_path, 8: "/else", 9: tmp_path}
    rows = "".join(f"{number}\\trun\\tRUNNING\\t{place}\\n" for number, place in places.items())
    cluster(tmp_path, monkeypatch, squeue=rows)
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    assert slurm.queued(tmp_path) == [("7", "run", "RUNNING")]
