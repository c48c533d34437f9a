"""What can befall a job on the cluster: nothing is lost, torn or written twice."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from toy_workflow import HERE, bring_up, said_by

pytestmark = pytest.mark.slurm
SLURMD = Path("/var/lib/kensho-slurm/run/slurmd.pid")


def test_gpus_of_the_profile_arrive(toy):
    toy.start("results/toy/gpus.txt").succeeds()
    devices = toy.output("gpus").read_text().splitlines()[0].split("devices ")[1].split(",")
    assert len(set(devices)) == 4 and set(devices) <= set("01234567")


def test_a_cancelled_job_is_made_again(toy):
    toy.set(seconds=5)
    head = toy.start()
    job, _ = toy.writer("part-1")
    said_by("scancel", job)
    head.succeeds()
    assert job in head.said and "CANCELLED" in head.said
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_a_job_over_its_time_limit_gets_more_time(toy):
    toy.set(rules={"long": {"seconds": 100}})  # SLURM looks at limits every half minute
    head = toy.start("results/toy/long.txt").succeeds()
    assert "TIMEOUT" in head.said
    assert toy.output("long").read_text().startswith("runtime 2,")
    assert toy.written() == {"long": 1}


def test_a_dead_node_loses_nothing(toy):
    toy.set(seconds=15)
    head = toy.start()
    for n in range(toy.parts):
        toy.writer(f"part-{n}")
    said_by(HERE / "kill_node.sh")
    state = ["sinfo", "--noheader", "--partition=cpu", "--format=%t"]
    toy.until(lambda: said_by(*state).startswith("down"), "the node being down", 150)
    bring_up()
    head.succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_jobs_outlive_a_restart_of_slurmd(toy):
    toy.set(seconds=8)
    head = toy.start()
    toy.writer("part-1")
    os.kill(int(SLURMD.read_text()), signal.SIGKILL)
    toy.until(toy.written, "a job that ends without slurmd")
    bring_up()
    head.succeeds()
    toy.expect_each_output_once()


def test_a_group_keeps_what_it_had_finished_when_one_of_it_fails(toy):
    toy.set(parts=3, seconds=2)
    refused = [toy.folder / "refused" / f"part-{n}" for n in (0, 2)]
    refused[0].parent.mkdir()
    for path in refused:  # each is tried, in whatever order
        path.touch()
    head = toy.start("--groups", "part=three", "--group-components", "three=3")
    assert head.wait() != 0
    for path in refused:
        assert f"rule part {path.name[-1]} failed: {path.name} is refused" in head.said
        path.unlink()
    there = [toy.output(f"part-{n}").exists() for n in range(toy.parts)]
    assert there == [False, True, False]
    assert toy.planned() == {"part": 2, "middle": 3, "joined": 1, "all": 1, "total": 7}
    toy.start().succeeds()
    assert toy.torn() == [] and toy.planned() == {}
    toy.expect_precise_reruns()


def test_half_an_output_is_never_read(toy):
    toy.set(seconds=5)
    head = toy.start()
    _, process = toy.writer("part-1")
    os.kill(process, signal.SIGKILL)  # as when memory runs out
    head.succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_half_an_output_under_its_final_name_is_made_again(toy):
    toy.set(in_place=True, seconds=10)
    head = toy.start()
    jobs = [toy.writer(f"part-{n}")[0] for n in range(toy.parts)]
    toy.until(toy.torn, "half an output")
    head.process.kill()
    for job in jobs:
        said_by(HERE / "kill_node.sh", job)
    toy.until_idle()
    assert toy.torn()
    toy.start().succeeds()
    toy.expect_each_output_once()


@pytest.fixture
def small_disk(toy):
    """A disk of 1 MB for results; gives its folder."""
    folder = toy.folder / "results"
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    toy.claim_sources()
    yield folder
    toy.clear()
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_named_and_leaves_no_halves(toy, small_disk):
    toy.set(kilobytes=600)
    head = toy.start()
    assert head.wait() != 0
    end = "\n".join(head.said.splitlines()[-60:])
    assert "No space left on device" in end and "give the same command again" in end
    assert toy.torn() == []
    assert not [path for path in small_disk.rglob(".*") if path.is_file()]
    said_by("mount", "-o", "remount,size=16m", small_disk)
    toy.start().succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()
