"""The log of events under parallel writers, kills, full disks and torn lines, and its views."""

import json
import multiprocessing
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kensho.files import sha256
from kensho.run import budget, events, record
from kensho.run.events import Event, File, Held
from kensho.run.job import job
from scripted import snakemake

ROOT = Path(__file__).parents[1]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)


def event(kind, minute=0, **fields):
    """An event of one training, so many minutes after noon."""
    made = {"attempt": "a", "rule": "train", "wildcards": {"arm": "full"}, **fields}
    return Event(kind, NOON + timedelta(minutes=minute), **(made if kind != "run" else {}))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'workflow'}:{ROOT / 'tests'}"},
    )  # fmt: skip


# --- the file


def _writer(name, count):
    for number in range(count):
        fields = {"attempt": f"{name}-{number}", "cause": "ж" * 3000}
        events.append(event("started", **fields))
        events.append(event("failed", **fields, seconds=1.0))


def test_lines_of_eight_writers_stay_whole():
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_writer, args=(f"w{n}", 50)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    written = events.read()
    assert len(written) == 8 * 50 * 2
    assert len({(each.attempt, each.event) for each in written}) == len(written)


def test_an_event_comes_back_as_it_was_written():
    fields = {
        "part": "kensho.bench.gemm:run", "held": Held(16, 1, "rocm"), "limit_s": 60.0,
        "scheduler": "17", "resources": {"mem_mb": 1, "gpu_model": "mi300x"}, "code": "0f",
        "params": {"rank": 8, "names": ["a", None]}, "inputs": [File("a\tb 検証", 1, 2, "ab")],
        "seconds": 2.5, "exit": 1, "cause": 'it said "no"', "tail": ["x", "x"], "retriable": False,
    }  # fmt: skip
    written = [event("run"), event("started"), event("failed", 1, **fields)]
    for each in written:
        events.append(each)
    assert events.read() == written
    assert events.read(events.LOG, "run", "failed") == [written[0], written[2]]
    assert events.read("none.jsonl") == []


@pytest.mark.parametrize("cut", [1, 30, -1])
def test_a_torn_line_is_passed_over_and_hides_no_later_one(cut):
    events.append(event("run"))
    events.append(event("started"))
    whole = events.LOG.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    events.LOG.write_bytes(whole + last[:cut])
    assert len(events.read()) == 2 + (cut == -1)  # of which the end of the line alone is missing
    events.append(event("finished", 1, seconds=60.0))
    assert events.states(events.read()) == {"train full": "finished"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[]", "object"),
        ('{"event":"paused","time":"2026-03-11T12:00:00Z"}', "event"),
        ('{"event":"run","time":"2026-03-11T12:00:00"}', "time: .*timezone"),
        ('{"event":"failed","time":"2026-03-11T12:00:00Z","seconds":-1}', "seconds"),
        ('{"event":"failed","time":"2026-03-11T12:00:00Z","held":{"cores":-1}}', "cores"),
    ],
)
def test_a_whole_line_that_is_no_event_is_named(line, problem):
    events.append(event("started"))
    with open(events.LOG, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=rf"jobs\.jsonl, line 2: not an event.*{problem}"):
        events.read()


def test_a_full_disk_leaves_no_torn_line():
    """The file may not grow beyond 100 bytes: the second line fits in part."""
    done = python(
        "import resource; from kensho.run import events\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "for _ in range(2): events.append(events.Event('run', events.now()))"
    )
    assert "no room for a line; free some disk" in done.stderr
    assert len(events.read()) == 1 and events.content().endswith(b"\n")


# --- what a job records


def test_a_job_records_what_it_read_made_and_held():
    Path("in.txt").write_text("in")
    Path("model").mkdir()
    Path("model/weights").write_text("w")
    with job(
        snakemake(
            "train", {"arm": "full"}, inputs=["in.txt", "model"], outputs=["out.txt"],
            params={"code_of": "kensho.x:run", "code": "0f", "rank": 8}, runtime=2, mem_mb=10,
            slurm_account="me",
        )
    ):  # fmt: skip
        Path("out.txt").write_text("out")
    started, finished = events.read(events.LOG, *events.OF_JOBS)
    assert (started.event, finished.event) == ("started", "finished")
    assert started.attempt == finished.attempt and finished.seconds >= 0 and finished.exit == 0
    assert finished.job == "train full" and finished.log == "logs/train.log"
    assert (finished.part, finished.code) == ("kensho.x:run", "0f")
    assert finished.params == {"code_of": "kensho.x:run", "code": "0f", "rank": 8}
    assert finished.held == Held(1) and finished.limit_s == 120
    assert finished.resources == {"mem_mb": 10, "runtime": 2}
    assert finished.environment["packages"] > 10
    text, folder = finished.inputs
    assert started.inputs == [replace(text, sha256=None), replace(folder, sha256=None)]
    assert (text.path, text.bytes, text.sha256) == ("in.txt", 2, sha256("in.txt"))
    assert (folder.path, folder.bytes, len(folder.sha256)) == ("model", 1, 64)
    assert finished.outputs == [
        File("out.txt", 3, os.stat("out.txt").st_mtime_ns, sha256("out.txt"))
    ]
    Path("model/.snakemake_timestamp").touch()
    Path("model/weights").touch()
    with job(snakemake("read", inputs=["model"])):
        Path("model/more").touch()
    assert events.read()[-1].inputs[0].sha256 is None  # it changed meanwhile


def test_a_large_file_is_hashed_once(monkeypatch):
    monkeypatch.setattr(record, "LARGE", 3)
    Path("large").write_text("large")
    Path("small").write_text("s")
    with job(snakemake("make", outputs=["large", "small"])):
        pass
    log = events.LOG.read_text()
    for name in ("large", "small"):  # as if other bytes had been seen
        log = log.replace(sha256(name), "0" * 64)
    events.LOG.write_text(log)
    with job(snakemake("read", inputs=["large", "small"])):
        pass
    large, small = events.read()[-1].inputs
    assert (large.sha256, small.sha256) == ("0" * 64, sha256("small"))
    Path("large").write_text("other")
    with job(snakemake("read", inputs=["large"])):
        pass
    assert events.read()[-1].inputs[0].sha256 == sha256("large")


TOKEN = "pl4nted7oken9"


@pytest.mark.parametrize("outputs", [(), ("out.txt",)])
def test_no_secret_place_or_person_is_recorded(monkeypatch, tmp_path, outputs):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    params = {
        "url": f"see https://user:{TOKEN}@host/{TOKEN}?key={TOKEN}",
        "deep": [{"api_key": TOKEN, "rank": 8}],
        "cache": f"{Path.home()}/cache",
        "long": ["x" * 3000],
    }
    table = tmp_path.parent / f"{tmp_path.name}-table.csv"
    table.write_text("a")
    if not outputs:
        params["command"] = ["snakemake", "--config", f"x={TOKEN}"]
    with (
        pytest.raises(SystemExit),
        job(snakemake("fetch", inputs=[table], outputs=outputs, params=params)),
    ):
        raise ValueError(f"HTTP 404 from http://user:{TOKEN}@host/{TOKEN}")
    text = events.LOG.read_text()
    for word in (TOKEN, str(Path.home()), str(tmp_path.parent), os.uname().nodename):
        assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    failed = events.read()[-1]
    assert failed.cause == "HTTP 404 from http://host" and failed.scheduler == "17"
    assert failed.inputs[0].path == f"…/{table.name}"
    if outputs:
        assert failed.params["url"] == "see https://host"
        assert failed.params["deep"] == [{"api_key": "…", "rank": 8}]
        assert failed.params["cache"] == "…/cache" and failed.params["long"].startswith("sha256 ")
    else:
        assert failed.params == {} and failed.params_sha256 is None


def test_a_killed_job_has_a_start_alone():
    done = python(
        "import os; from kensho.run.job import job; from scripted import snakemake\n"
        "with job(snakemake('train', {'arm': 'full'})): os.kill(os.getpid(), 9)"
    )
    assert done.returncode == -9
    [started] = events.read(events.LOG, *events.OF_JOBS)
    assert (started.event, started.job, started.limit_s) == ("started", "train full", None)
    assert events.failures([started])[0].startswith("job train full was killed before")


def test_an_interrupted_job_ends_and_passes_the_interrupt_on():
    with pytest.raises(KeyboardInterrupt), job(snakemake("train")):
        raise KeyboardInterrupt
    ended = events.read()[-1]
    assert (ended.event, ended.cause, ended.retriable) == ("failed", "KeyboardInterrupt", True)


def test_an_end_that_has_no_room_goes_without_its_files():
    done = python(
        "import resource; from kensho.run import events; from kensho.run.job import job\n"
        "from scripted import snakemake\n"
        "with job(snakemake('train', params={}, outputs=['o' * 99] * 9)):\n"
        "    size = len(events.content()) + 700\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "    raise ValueError('it broke')"
    )
    assert done.returncode == 1, done.stderr
    failed = events.read()[-1]
    assert (failed.cause, failed.outputs) == ("it broke", [])


def test_what_no_retry_can_mend_is_not_tried_again_in_this_run():
    ran = []

    def attempt(error):
        with pytest.raises(SystemExit), job(snakemake("train")):
            ran.append(error)
            raise error

    attempt(MemoryError("out of memory"))
    attempt(ValueError("a wrong setting"))
    attempt(ValueError("not reached"))
    assert len(ran) == 2
    events.append(event("run"))
    attempt(ValueError("of the next head"))
    assert len(ran) == 3


# --- the views

RECORDED = [
    event("run"),
    event("started", 1, rule="old"),
    event("failed", 2, rule="old", cause="of before", retriable=False, seconds=60.0),
    event("run", 3),
    event("started", 4, attempt="b"),
    event("failed", 5, attempt="b", cause="broke", log="l", tail=["E: x"], seconds=60.0),
    event("started", 6, attempt="c"),
    event("failed", 7, attempt="c", cause="broke", log="l", tail=["E: x"], seconds=60.0),
    event("started", 8, attempt="d", wildcards={}),
    event("started", 8, attempt="e", rule="judge", wildcards={"claim": "R-1"}),
    event("finished", 9, attempt="e", rule="judge", wildcards={"claim": "R-1"}, seconds=30.25),
]


def test_views_of_a_recorded_run():
    past = events.of_last_run(RECORDED)
    assert [each.attempt for each in past] == list("bbccdee")
    states = {"train full": "failed", "train": "started", "judge R-1": "finished"}
    assert events.states(past) == states
    assert events.given_up(past) == set() and events.given_up(RECORDED) == {"old full"}
    *lines, killed = events.failures(past)
    assert lines == ["rule train full failed: broke", "  log: l", "  | E: x"]  # retries repeat none
    assert killed.startswith("job train was killed before it could say why")
    assert events.of_last_run(RECORDED[:0]) == []


OLD = """\
{"event":"run","time":"2026-11-26T10:50:43.474906Z"}
{"event":"started","time":"2026-11-26T10:50:44.319079Z","attempt":"b3ea7cca7c9f","rule":"kv_cache",\
"held":{"cores":1},"host":"5bce98f73f3e","environment":{"name":".venv","packages":227}}
{"event":"failed","time":"2026-11-26T10:50:58.828454Z","attempt":"b3ea7cca7c9f","rule":"kv_cache",\
"held":{"cores":1},"host":"5bce98f73f3e","seconds":14.5,"exit":1,"cause":"it broke","log":"l"}
"""


def test_a_log_of_before_heads_had_ids_is_read():
    events.LOG.parent.mkdir()
    events.LOG.write_text(OLD)
    head, *jobs = past = events.read()
    assert (head.event, head.run, head.head) == ("run", "", None)
    assert all((each.run, each.machine, each.imported) == ("", None, {}) for each in jobs)
    assert events.of_last_run(past) == jobs and events.read(events.LOG, "started") == jobs[:1]
    assert events.failures(jobs) == ["rule kv_cache failed: it broke", "  log: l"]
    assert [attempt.took for attempt in budget.attempts(past)] == [14.5]


def test_the_execution_log_is_printed():
    for each in RECORDED:
        events.append(each)
    command = [sys.executable, "-m", "kensho.run.events"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(RECORDED)
    assert lines[-1] == "2026-03-11T12:09:00+00:00\tfinished\tjudge R-1\t30.2\t"
    assert lines[5].split("\t")[1:] == ["failed", "train full", "60.0", "broke"]
    assert all(json.loads(line)["event"] for line in events.LOG.read_text().splitlines())
