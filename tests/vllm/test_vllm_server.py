"""vLLM's own server: it answers the load generator, counts what its cache gave, and ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from kensho.bench import load
from kensho.bench.load import Request
from kensho.bench.serving_arms import options
from kensho.models import engine, twins
from kensho.models.reference import Reference
from kensho.models.vllm import Refused, Vllm
from kensho.models.vllm_server import NAME, Server

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1500)]
# Of two whole blocks of 128 and ASCII; the twin has the tokens of bytes alone.
PROMPTS = [[10 + (n + place) % 80 for place in range(300)] for n in range(4)]
START = """
import sys
from pathlib import Path
from kensho.models.vllm_server import Server
server = Server(sys.argv[1], Path(sys.argv[2]), "float32", threads=1)
print(server._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def python():
    return engine.find("vllm", []).python


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return twins.make("llama", tmp_path_factory.mktemp("twin") / "llama", seed=1)


def living(processes):
    """Those that still run after half a minute; who has ended may wait to be reaped."""
    _, there = psutil.wait_procs(processes, timeout=30)
    kept = []
    for one in there:
        with suppress(psutil.NoSuchProcess):
            kept += [one] if one.status() != psutil.STATUS_ZOMBIE else []
    return kept


def test_answers_are_vllm_s_own_and_the_cache_counts(python, twin):
    with Vllm(python, Reference.of(twin), torch.float32, threads=2) as served:
        tokenizer = served.tokenizer
        expected = served.generate(PROMPTS, [6] * 4, ends=[])
    with Server(python, twin, "float32", options("prefix-caching", None), threads=2) as server:
        requests = [Request(prompt, 6) for prompt in PROMPTS]
        for size in (1, 4):
            done = load.in_batches(server.url, NAME, requests, size, 120)
            assert not done.failures, done.answers
            texts = [tokenizer.decode(tokens) for tokens in expected]
            # bytes that are no characters come out in other numbers where they come one by one
            answers = [answer.text for answer in done.answers]
            assert [one.replace("�", "") for one in answers] == [
                one.replace("�", "") for one in texts
            ]
            assert all(0 < one.first_token_seconds < one.latency_seconds for one in done.answers)
        counts, cache = server.metrics()
        assert counts["prefix_cache_hits_total"] > 0 and cache["enable_prefix_caching"] == "True"
        server.forget()
        load.in_batches(server.url, NAME, requests[:1], 1, 120)
        assert server.metrics()[0]["prefix_cache_hits_total"] == counts["prefix_cache_hits_total"]
        assert server.peak_bytes() > 10**8 and server.gone is None
        own = psutil.Process(server._process.pid).children(recursive=True)
    assert own and not living(own)


def test_what_vllm_does_not_take_is_refused_in_its_words(python, twin):
    with pytest.raises(Refused, match=r"vLLM: .*no-such-format"):
        Server(python, twin, "float32", ["--quantization", "no-such-format"], threads=1)


def test_a_server_ends_with_whoever_started_it(python, twin):
    with subprocess.Popen(
        [sys.executable, "-c", START, python, str(twin)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        text=True,
    ) as starter:
        top = psutil.Process(int(starter.stdout.readline()))
        own = [top, *top.children(recursive=True)]
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    until = time.monotonic() + 120
    while time.monotonic() < until and any(one.is_running() for one in own):
        time.sleep(0.5)
    assert len(own) > 1 and not [one for one in own if one.is_running()]
