"""Heads as real runs record them: one that succeeds, one that fails, one that is killed."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import yaml
from kensho.run import events
from planning import nowhere, snakemake


def source(content, place):
    return {
        "kind": "dataset",
        "file": "small.tsv",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "CC0",
        "licence_class": "public-domain",
        "revision": "1",
        "optional": False,
        "places": [place],
    }


@pytest.mark.slow
def test_heads_say_how_they_ended_and_a_killed_one_does_not(copy):
    silent = socket.create_server(("127.0.0.1", 0))  # takes a request and never answers
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/small.tsv"
    path = copy / "config/sources.yaml"
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    known |= {"here": source(b"here", {"mirror": "small.tsv"})}
    known |= {"gone": source(b"gone", {"mirror": "none.tsv"})}
    known |= {"slow": source(b"slow", {"https": address})}
    path.write_text(yaml.safe_dump(known, allow_unicode=True), encoding="utf-8")
    (copy / "mirror").mkdir()
    (copy / "mirror/small.tsv").write_bytes(b"here")
    given = nowhere(copy) | {"KENSHO_MIRROR": str(copy / "mirror")}
    record = "results/sources/{}/record.json"

    done = snakemake(copy, "--config", "seed=3", "--", record.format("here"), **given)
    assert done.returncode == 0, done.stdout
    assert snakemake(copy, record.format("gone"), **given).returncode == 1
    command = [sys.executable, "-m", "snakemake", "--profile", "local", record.format("slow")]
    killed = subprocess.Popen(
        command, cwd=copy, env={**os.environ, **given}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    log, since = copy / events.LOG, time.monotonic()
    while len(events.read(log, "started")) < 3 and time.monotonic() - since < 60:
        time.sleep(0.2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    past = events.read(log)
    first, second, third = [event for event in past if event.event == "run"]
    assert [(each.run, each.exit) for each in past if each.event == "ended"] == [
        (first.run, 0), (second.run, 1)
    ]  # fmt: skip
    [cause] = [each.cause for each in past if each.event == "ended" and each.exit]
    assert cause.startswith("rule fetch gone failed: source gone: no place has it")
    starts = [(each.wildcards["source"], each.run) for each in past if each.event == "started"]
    assert starts == [("here", first.run), ("gone", second.run), ("slow", third.run)]
    assert first.head.plan == {"fetch": 1} and first.head.config["seed"] == 3
    assert first.head.command[-2:] == ["--", record.format("here")]
    assert first.head.targets == [record.format("here")]
    assert {"profiles/local/config.yaml", "config/config.yaml"} <= {
        file.path for file in first.head.files
    }
    assert len([each for each in past if each.event == "installed"]) == 1
    assert first.host == past[-1].host and first.head.commit is None  # a copy that git knows not
    again = snakemake(copy, "-n", "--config", "seed=3", "--", record.format("here"), **given)
    assert "Nothing to be done" in again.stdout, again.stdout
