"""Our load generator against vLLM's own benchmark (`vllm bench serve`): same server, same load.

One server of SmolLM2-135M (a folder written by the workflow) gets a trace of requests, prompts of
random tokens, from either client in turns: at the times of a Poisson process, and all at once. Five
pairs, whose order alternates; printed are the ratios ours / theirs with their 95 % intervals (t of
the pairs' logarithms), and of times the same ratios where each client's mean is first divided by
the mean that the server itself counted of these requests, so that a machine whose speed changes
between the two of a pair has no part in them. It needs `make vllm` and a finished `make report`.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import machine
import numpy as np
from kensho.bench import load
from kensho.bench.load import Request
from kensho.models import engine, vllm_program
from kensho.models.vllm_server import NAME, Server
from scipy import stats

ROOT = Path(__file__).parents[1]
MODEL = Path(os.environ.get("MODEL", ROOT / "results/models/smollm2-135m-instruct"))
PAIRS, SEED, TIMEOUT = 5, 1, 600
THREADS = int(os.environ.get("THREADS", 2))
REQUESTS = int(os.environ.get("REQUESTS", 24))
RATE = float(os.environ.get("RATE", 1))  # users a second, whom a busy machine cannot serve
PROMPT, NEW, CHUNK = 32, 8, 16  # tokens
METRICS = {  # as both name them
    "tokens a second": "output_throughput",
    "mean time to first token": "mean_ttft_ms",
    "mean time of a further token": "mean_tpot_ms",
    "mean latency": "mean_e2el_ms",
}
OF_SERVER = {  # histograms of the server's, in seconds
    "mean time to first token": "time_to_first_token_seconds",
    "mean time of a further token": "request_time_per_output_token_seconds",
    "mean latency": "e2e_request_latency_seconds",
}
SAMPLED = """
import json, sys
from transformers import AutoTokenizer
from vllm.benchmarks.datasets.datasets import TimedTrace
names = ("timestamp", "input_length", "output_length", "hash_ids")
labels = {f"timed_trace_label_{name}": name for name in names}
trace = TimedTrace(dataset_path=sys.argv[1], random_seed=0, **labels)
rows = trace.sample(AutoTokenizer.from_pretrained(sys.argv[2]), 10**6)
print(json.dumps([row.prompt for row in rows]))
"""
# their prompts follow from hashes of texts, which Python draws anew for each process otherwise
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    **{"PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
}


def trace(file: Path, times: list[float]) -> None:
    """Requests that arrive at ``times``, in the form that vLLM's benchmark reads."""
    chunks = PROMPT // CHUNK
    lines = [
        {
            **{"timestamp": at, "input_length": PROMPT, "output_length": NEW},
            "hash_ids": [*range(chunks * number, chunks * (number + 1))],
        }
        for number, at in enumerate(times)
    ]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


def prompts(python: str, file: Path) -> list[list[int]]:
    """What vLLM's benchmark makes of a trace."""
    command = [python, "-P", "-c", SAMPLED, str(file), str(MODEL)]
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def theirs(python: str, url: str, file: Path, folder: Path) -> dict[str, float]:
    """Figures of `vllm bench serve`."""
    command = [
        *(python, "-P", vllm_program.__file__, "bench", "serve"),
        *("--backend", "openai", "--base-url", url, "--endpoint", "/v1/completions"),
        *("--model", str(MODEL), "--served-model-name", NAME, "--temperature", "0"),
        *("--dataset-name", "timed_trace", "--dataset-path", str(file)),
        *("--num-prompts", str(REQUESTS), "--percentile-metrics", "ttft,tpot,e2el"),
        *("--save-result", "--result-dir", str(folder), "--result-filename", "theirs.json"),
        *("--disable-tqdm", "--ready-check-timeout-sec", "0"),
    ]
    subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    figures = json.loads((folder / "theirs.json").read_text(encoding="utf-8"))
    assert figures["completed"] == REQUESTS, figures
    return {name: figures[key] for name, key in METRICS.items()}


def ours(url: str, requests: list[Request], times: list[float]) -> dict[str, float]:
    """The same figures of our load generator."""
    done = load.at_times(url, NAME, requests, times, TIMEOUT)
    assert not done.failures, done.failures
    answers = done.answers
    means = {
        "mean time to first token": np.mean([one.first_token_seconds for one in answers]),
        "mean time of a further token": np.mean([one.token_seconds for one in answers]),
        "mean latency": np.mean([one.latency_seconds for one in answers]),
    }
    rate = sum(one.tokens for one in answers) / done.seconds
    return {"tokens a second": rate, **{name: 1e3 * mean for name, mean in means.items()}}


def observed(server: Server, client: Callable[[], dict[str, float]]) -> dict[str, float]:
    """A client's figures, and of times (ms) also what they are of the server's own (``of``)."""
    before, _ = server.metrics()
    figures = client()
    after, _ = server.metrics()
    for metric, name in OF_SERVER.items():
        seconds, count = (
            after[key] - before.get(key, 0.0) for key in (f"{name}_sum", f"{name}_count")
        )
        assert count == REQUESTS, (name, count)
        figures[f"{metric}, of the server's"] = figures[metric] / (1e3 * seconds / count)
    return figures


def main() -> None:
    python = engine.find("vllm", []).python
    times = load.arrivals(RATE, REQUESTS, SEED)
    print(machine.describe())
    print(f"{engine.find('vllm', []).version} vLLM, {THREADS} threads, float32, {PAIRS} pairs")
    print(f"{REQUESTS} requests, {PROMPT} tokens of prompt, {NEW} of answer, {RATE:g} a second")
    with (
        tempfile.TemporaryDirectory() as scratch,
        Server(python, MODEL, "float32", ["--no-enable-prefix-caching"], threads=THREADS) as server,
    ):
        folder = Path(scratch)
        for name, at in {"at these times": times, "all at once": [0.0] * REQUESTS}.items():
            file = folder / "trace.jsonl"
            trace(file, at)
            requests = [Request(prompt, NEW) for prompt in prompts(python, file)]
            clients = {
                "ours": lambda r=requests, t=at: ours(server.url, r, t),
                "theirs": lambda f=file: theirs(python, server.url, f, folder),
            }
            clients["ours"]()  # to warm the server up
            shown: dict[str, dict[str, list[float]]] = {client: {} for client in clients}
            for pair in range(PAIRS):
                for client in [*clients][:: 1 if pair % 2 else -1]:
                    for metric, value in observed(server, clients[client]).items():
                        shown[client].setdefault(metric, []).append(value)
            print(name)
            for metric in shown["ours"]:
                mine, other = (np.array(shown[client][metric]) for client in ("ours", "theirs"))
                logs = np.log(mine / other)
                half = stats.t.ppf(0.975, PAIRS - 1) * np.std(logs, ddof=1) / PAIRS**0.5
                ratio, low, high = np.exp(logs.mean() + np.array([0, -half, half]))
                unit = "tokens/s" if metric == "tokens a second" else "ms"
                unit = "" if metric.endswith("server's") else unit
                print(
                    f"  {metric:45}{mine.mean():9.3f} against {other.mean():9.3f} {unit:8}  "
                    f"ratio {ratio:.3f} ({low:.3f} to {high:.3f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
