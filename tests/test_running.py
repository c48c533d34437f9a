"""One head in a folder, and its jobs known while they work, whatever kills them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kensho.run import running

WORKFLOW = Path(__file__).parents[1] / "workflow"


def python(body, folder, *, until):
    """A process that runs the body there and has said ``until``."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time\nfrom kensho.run import running\n{body}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(WORKFLOW)},
    )
    assert process.stdout.readline().strip() == until
    return process


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_second_head_is_refused_by_name_until_the_first_is_killed(tmp_path):
    first = python(
        "f = running.hold(); print('held', flush=True); time.sleep(60)", tmp_path, until="held"
    )
    with pytest.raises(ValueError, match=f"another run is active .*process {first.pid} on"):
        running.hold()
    first.kill()
    first.wait()
    assert not running.hold().closed


def test_a_job_of_a_killed_head_is_named_and_forgotten_once_it_is_gone(tmp_path):
    body = "with running.at_work('train lora-r8 1'): print('on', flush=True); time.sleep(60)"
    job = python(body, tmp_path, until="on")
    assert "train lora-r8 1, process" in running.refusal([])
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert running.refusal([]) is None and not list(running.JOBS.glob("*"))


def test_a_job_that_ends_leaves_nothing(tmp_path):
    with running.at_work("clean"):
        assert list(running.JOBS.glob("*"))
    assert not list(running.JOBS.glob("*"))


def test_queued_jobs_are_named_with_the_command_that_stops_them():
    waiting = [("12", "run-a", "RUNNING"), ("13", "run-a", "PENDING")]
    said = running.refusal(waiting)
    assert "12 running, 13 pending" in said and said.endswith("scancel --name run-a")


def test_what_killed_jobs_had_half_written_goes_and_nothing_else(tmp_path):
    kept = [tmp_path / "results" / name for name in ("a.csv", ".hidden", "b.2024", ".c.csv.part")]
    torn = tmp_path / "results" / ".a.csv.4711"
    torn.parent.mkdir()
    for path in [*kept, torn]:
        path.write_text("x")
    running.sweep(tmp_path / "results")
    assert all(path.exists() for path in kept) and not torn.exists()
