"""Our load generator against vLLM's own benchmark (`vllm bench serve`): same server, same load.

One server of SmolLM2-135M (a folder written by the workflow) gets a trace of requests, prompts of
random tokens, from either client in turns: at the times of a Poisson process, and all at once. Five
pairs, whose order alternates; printed are the ratios ours / theirs with their 95 % intervals (t of
the pairs' logarithms). It needs `make vllm` and a finished `make report`.
"""

import json
import os
import subprocess
import tempfile
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
        "--disable-tqdm",
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
            logs: dict[str, list[float]] = {metric: [] for metric in METRICS}
            shown = {client: {metric: [] for metric in METRICS} for client in clients}
            for pair in range(PAIRS):
                order = [*clients][:: 1 if pair % 2 else -1]
                figures = {client: clients[client]() for client in order}
                for metric, values in logs.items():
                    values.append(
                        float(np.log(figures["ours"][metric] / figures["theirs"][metric]))
                    )
                    for client in clients:
                        shown[client][metric].append(figures[client][metric])
            print(name)
            for metric, values in logs.items():
                half = stats.t.ppf(0.975, PAIRS - 1) * np.std(values, ddof=1) / PAIRS**0.5
                ratio, low, high = np.exp(np.mean(values) + np.array([0, -half, half]))
                mine, other = (np.mean(shown[client][metric]) for client in ("ours", "theirs"))
                unit = "tokens/s" if metric == "tokens a second" else "ms"
                print(
                    f"  {metric:30}{mine:9.1f} against {other:9.1f} {unit:8}  ratio {ratio:.3f} "
                    f"({low:.3f} to {high:.3f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
