"""What can befall the Snakemake that gives out the jobs; the same command again mends it."""

import random
import re
import shlex
import signal
import subprocess
import sys

import pytest
from toy_workflow import PROFILE, SOON, said_by

pytestmark = pytest.mark.slurm


def test_the_guard_names_the_jobs_and_the_command_that_ends_them(toy):
    toy.set(seconds=60)
    head = toy.start()
    jobs = [toy.writer(f"part-{n}")[0] for n in range(toy.parts)]
    head.process.kill()
    again = toy.start()
    assert again.wait() != 0
    assert "Traceback" not in again.said
    assert all(re.search(rf"\b{job}\b", again.said) for job in jobs), again.said
    said_by(*shlex.split(re.search(r"scancel [^\n]+", again.said)[0]))
    toy.until_idle()
    toy.set(seconds=2)
    toy.start().succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_killed_at_ten_moments(toy):
    toy.set(parts=16, seconds=3)
    draw = random.Random(6)
    moments = [draw.uniform(1, 20) for _ in range(10)]  # seconds after its start
    refused = 0
    while moments:
        before = set(toy.queue())
        head = toy.start("--jobs", "2")
        try:
            status = head.process.wait(moments[0])
        except subprocess.TimeoutExpired:
            head.process.kill()
            head.process.wait()
            moments.pop(0)
            continue
        still = before & set(toy.queue())
        assert status != 0, f"all was done with {len(moments)} kills to go"
        assert still <= set(re.findall(r"\d+", head.said)) and "scancel" in head.said, head.said
        refused += 1
        toy.until_idle()
    assert refused
    toy.until_idle()
    toy.start().succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_a_group_outlives_its_head(toy):
    together = ["--groups", "part=both", "--group-components", "both=2"]
    toy.set(seconds=8)
    head = toy.start(*together)
    toy.writer("part-0")
    head.process.kill()
    toy.until_idle()
    toy.start(*together).succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_an_interrupt_takes_the_jobs_with_it(toy):
    toy.set(seconds=20)
    head = toy.start()
    for n in range(toy.parts):
        toy.writer(f"part-{n}")
    head.process.send_signal(signal.SIGINT)
    assert head.wait() != 0
    toy.until_idle(60)
    assert toy.torn() == [] and not toy.written()
    toy.set(seconds=2)
    toy.start().succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_a_terminated_head_waits_for_its_jobs_and_starts_no_others(toy):
    toy.set(seconds=8)
    head = toy.start()
    for n in range(toy.parts):
        toy.writer(f"part-{n}")
    head.process.terminate()
    assert head.wait() != 0
    assert not toy.queue()
    assert set(toy.written()) == {f"part-{n}" for n in range(toy.parts)}
    toy.start().succeeds()
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_of_two_heads_started_at_once_one_works(toy):
    heads = [toy.start(), toy.start()]
    refused, worked = sorted(heads, key=lambda head: head.wait() == 0)
    assert worked.process.returncode == 0, worked.said
    assert refused.process.returncode != 0, refused.said
    assert "another run is active in this folder" in refused.said
    assert "Traceback" not in refused.said
    toy.expect_each_output_once()
    toy.expect_precise_reruns()


def test_a_head_may_be_a_job_itself(toy):
    command = shlex.join([sys.executable, "-m", "snakemake", "--profile", PROFILE, *SOON])
    place = [f"--chdir={toy.folder}", f"--output={toy.folder}/head.log"]
    said_by("sbatch", "--wait", *place, f"--wrap={command}", timeout=300)
    toy.expect_each_output_once()
    toy.expect_precise_reruns()
