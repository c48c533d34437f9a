"""Profiles that SLURM's plugin reads, and what preflight says about them."""

import re
from pathlib import Path

import pytest
import yaml
from kensho.run import slurm
from kensho.run.events import Event, now

ROOT = Path(__file__).parents[1]
PROFILES = sorted(path.parent.name for path in ROOT.glob("profiles/*/config.yaml"))
ON_SLURM = [name for name in PROFILES if name.startswith("slurm-")]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_found_by_its_name_alone(name):
    assert (ROOT / name).is_symlink() and (ROOT / name / "config.yaml").is_file()


@pytest.mark.parametrize("name", ON_SLURM)
def test_a_cluster_profile_names_what_there_is(name):
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


WANTED = {"accelerator": "none", "gpu_model": None, "megabytes": 8000}
NODES = "cpu|250000|(null)\\nmi300x|1500000+|gpu:mi300x:8(S:0-1)\\n"
PARTITIONS = Path("profiles/slurm-mi300x/partitions.yaml")


def problems(partitions=PARTITIONS, account=None, **wanted):
    found = slurm.preflight(partitions, account, **WANTED | wanted)
    return [f"{f.seen} -> {f.mend}" for f in found if f.state == "problem"]


def test_preflight_names_partitions_that_the_cluster_lacks(tmp_path, monkeypatch):
    rows = NODES.replace("mi300x|", "big|")
    cluster(tmp_path, monkeypatch, sinfo=rows, sacctmgr="mine\\n", scontrol="")
    (problem,) = problems()
    assert "names mi300x; the cluster has big, cpu -> edit" in problem


def test_preflight_looks_at_the_nodes_and_not_at_the_machine_it_runs_on(tmp_path, monkeypatch):
    cluster(tmp_path, monkeypatch, sinfo=NODES, sacctmgr="", scontrol="")
    assert problems(accelerator="rocm", gpu_model="mi300x", megabytes=1_500_000) == []
    assert problems(accelerator="rocm") == []
    (problem,) = problems(accelerator="rocm", gpu_model="mi300")
    assert (
        "no partition offers gpu:mi300 (gpu:mi300x:8(S:0-1)) -> mend cluster.gpu_model" in problem
    )
    (problem,) = problems(megabytes=1_500_001)
    assert "at most 1500000 MB; the largest job asks 1500001" in problem
    cluster(tmp_path, monkeypatch, sinfo=NODES.replace("gpu:", "craynetwork:4,gpu:"))
    assert problems(accelerator="rocm", gpu_model="mi300x") == []
    cluster(tmp_path, monkeypatch, sinfo="cpu|9000|(null)\\nmi300x|9000|(null)\\n")
    assert "(no accelerator)" in problems(accelerator="rocm")[0]


def test_preflight_wants_slurm_to_remember_jobs_long_enough(tmp_path, monkeypatch):
    said = "MinJobAge               = 120 sec\\n"
    cluster(tmp_path, monkeypatch, sinfo=NODES, sacctmgr="a\\nb\\n", scontrol=said)
    (problem,) = problems()
    assert "forgets a finished job after 120 s" in problem and "sacct" in problem
    notes = [f.seen for f in slurm.preflight(PARTITIONS, None, **WANTED) if f.state == "note"]
    assert notes == ["no account named; yours: a, b"]
    assert "account c is not among yours: a, b" in problems(account="c")[0]


def test_preflight_says_where_there_is_nothing_to_look_at(tmp_path, monkeypatch):
    cluster(tmp_path, monkeypatch, sinfo=NODES, sacctmgr="", scontrol="")
    absent = tmp_path / "none.yaml"
    (problem,) = problems(absent)
    assert str(absent) in problem and "partitions.yaml" in problem
    found = slurm.preflight(None, "mine", **WANTED)
    assert [f.state for f in found] == ["note", "note"]
    assert "sacctmgr does not say" in found[1].seen
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "login node" in problems()[0]


RUN = "0b7f1a2e-9c1d-4e0a-8f3b-1234567890ab"


def test_jobs_of_another_folder_or_kind_or_of_this_job_do_not_count(tmp_path, monkeypatch):
    jobs = [(6, "interactive", tmp_path), (7, RUN, tmp_path), (8, RUN, "/else"), (9, RUN, tmp_path)]
    cluster(tmp_path, monkeypatch, squeue=queue(jobs))
    assert slurm.queued(tmp_path, "9", strict=True) == [("7", RUN, "RUNNING")]


def queue(jobs):
    """What squeue prints in the format that it is asked for."""
    return "".join(f"{number}\\tRUNNING\\t{name}\\t{place}\\n" for number, name, place in jobs)


@pytest.mark.parametrize("odd", ["\\t", "\\n", "\\t\\t\\t", "\\033[2J", "\\r", "a\\n7\\tb", "%%"])
def test_an_odd_name_or_folder_in_the_queue_stops_nothing(tmp_path, monkeypatch, odd):
    jobs = [
        (5, f"mine{odd}", tmp_path),
        (6, f"{odd}{RUN}{odd}", tmp_path),
        (7, RUN, f"/else{odd}where"),
        (8, f"{odd}x_{RUN}", "/else"),
        (9, RUN, tmp_path),
    ]
    cluster(tmp_path, monkeypatch, squeue=queue(jobs))
    assert slurm.queued(tmp_path, None, strict=True) == [("9", RUN, "RUNNING")]


def test_a_queue_that_does_not_answer_is_not_an_empty_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.queued(tmp_path, None, strict=True) == []  # no squeue, no SLURM
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "squeue").chmod(0o755)
    assert slurm.queued(tmp_path, None) == []
    with pytest.raises(ValueError, match="squeue does not answer"):
        slurm.queued(tmp_path, None, strict=True)


def test_a_job_that_stays_gone_is_taken_for_failed():
    gone = {}
    polls = [
        {"1": "RUNNING", "2": "RUNNING", "3": "NODE_FAIL"},
        {"1": "PREEMPTED", "3": "NODE_FAIL"},
        {"1": "PREEMPTED", "3": "PENDING"},  # 3 is run again
        {"1": "PREEMPTED", "3": "RUNNING"},
    ]
    *before, last = [slurm.settled(gone, states) for states in polls]
    assert before == polls[:3]
    assert last == {"1": "FAILED", "2": "FAILED", "3": "RUNNING"}


def test_a_controller_that_does_not_answer_once_is_not_taken_for_one_that_forgets():
    """Snakemake's plugin takes None for a reason to ask sacct, which not every cluster has."""
    answers = iter([None, 300, None, 600, None])
    ask = slurm.remembered(lambda: next(answers))
    assert [ask() for _ in range(5)] == [None, 300, 300, 600, 600]


def test_a_job_that_no_check_saw_end_is_known_by_its_own_events():
    """SLURM forgets it between two checks that are far apart; the head would wait for ever."""
    past = [
        Event(kind, now(), rule="evaluate", attempt=attempt, scheduler=number)
        for kind, attempt, number in [
            *(("started", "a", "1"), ("finished", "a", "1")),
            *(("started", "b", "2"), ("failed", "b", "2")),
            ("started", "c", "3"),  # killed
            *(("started", "d", "4"), ("finished", "d", "4"), ("started", "e", "4")),  # a group
            ("started", "f", "5"),  # still runs
            *(("started", "g", ""), ("finished", "g", "")),  # on the head's machine
        ]
    ]
    gone, ends = {}, slurm.ended(past)
    *_, before, last = [slurm.settled(gone, {"5": "RUNNING"}, ends) for _ in range(3)]
    assert before == {"5": "RUNNING"}
    assert last == {**dict.fromkeys("234", "FAILED"), "1": "COMPLETED", "5": "RUNNING"}
