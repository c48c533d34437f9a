"""Corpora through Snakemake: declared files alone, killed and resumed with the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from kensho.files import sha256
from planning import jobs, snakemake
from traced import traced, tracing, undeclared

KANA = "あいうえおかきくけこさしすせそ"
SHARDS = 3


def corpus(folder, count=600):
    """Files of the user's: one of JSON lines, with a row that is no text."""
    (folder / "own").mkdir()
    texts = ("".join(KANA[(n * k) % 15] for k in range(2, 40)) + f"{n}。" for n in range(count))
    lines = [json.dumps({"text": text, "year": n % 9 or None}) for n, text in enumerate(texts)]
    (folder / "own/notes.jsonl").write_text("\n".join([*lines, '{"text": null}']), encoding="utf-8")
    fields = {"text": "text", "numbers": ["year"]}
    own = {"path": "own/notes.jsonl", "licence_class": "permissive", "fields": fields}
    mixture = {"mixture": {"notes": 1.0}, "size": 50}
    settings = {"make": ["notes", "half"], "shards": SHARDS, "own": {"notes": own, "half": mixture}}
    (folder / "own.yaml").write_text(yaml.safe_dump({"corpora": settings}), encoding="utf-8")


COMMAND = ["--quiet", "rules", "--configfile", "own.yaml", "--", "corpora"]


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path) for path in files}


@pytest.mark.slow
def test_rules_touch_what_they_declare_and_a_killed_run_ends_with_the_same_bytes(
    copy, tmp_path_factory
):
    corpus(copy)
    trace = tmp_path_factory.mktemp("trace")
    done = snakemake(copy, *COMMAND, timeout=900, **tracing(trace, copy))
    assert done.returncode == 0, done.stdout
    names = ("shard", "repeats", "unique", "numbers", "quality", "mixture")
    assert traced(trace) == {f"corpus_{name}" for name in names} and undeclared(trace) == []
    assert jobs(snakemake(copy, "-n", *COMMAND[2:]).stdout) == {}
    results = copy / "results/data"
    first = hashes(results)
    shutil.rmtree(results)
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--profile", "local", *COMMAND],
        cwd=copy, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not [*results.glob("notes/shards/*/sketches.npy")] and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (results / "notes/quality.html").exists()
    again = snakemake(copy, "--rerun-incomplete", *COMMAND, timeout=900)
    assert again.returncode == 0, again.stdout
    assert hashes(results) == first


def test_without_a_corpus_that_is_asked_for_nothing_is_made(copy):
    planned = snakemake(copy, "-n", "corpora")
    assert planned.returncode == 0, planned.stdout
    assert {*jobs(planned.stdout)} <= {"corpora", "total"}


def test_a_file_that_is_not_there_is_one_line(copy):
    corpus(copy)
    (copy / "own/notes.jsonl").unlink()
    refused = snakemake(copy, "-n", *COMMAND[2:])
    assert refused.returncode == 1
    assert re.search(r"^corpus notes: no file own/notes.jsonl; put it there", refused.stdout, re.M)
