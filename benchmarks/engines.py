"""JLCE through lm-evaluation-harness's own model classes and ours: same items, same answers.

SmolLM2-135M (a folder written by the workflow) on 4-shot multiple choice and on 4-shot generation.
Each engine runs each task in a fresh process, in turns; seconds of the evaluation without loading,
and the peak of resident memory above what was resident before loading, of vLLM its process's. vLLM
takes part where `make vllm` was run; as the harness drives it, where the harness was put beside it:
.venv-vllm/bin/python -m pip install lm_eval==0.4.13
"""

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import machine
import torch
from kensho.bench.blocks import interleaved
from kensho.bench.run import Run
from kensho.evaluate.vllm import VllmLM
from kensho.jlce.lm import KenshoLM
from kensho.models import engine
from kensho.models.reference import Reference
from kensho.models.vllm import Vllm, environment
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "results" / "models" / "smollm2-135m-instruct"
PACK = ROOT / "workflow" / "kensho" / "jlce" / "tasks" / "jlce"
TASKS = {"jlce_commonsense": 8, "jlce_reading": 8, "jlce_style": 16}  # items
PYTHON = engine.HERE / "bin" / "python"
BESIDE = PYTHON.is_file() and any(PYTHON.parents[1].glob("lib/*/site-packages/lm_eval"))
ENGINES = ["hf", "ours"] + ["vllm"] * bool(engine.installed()) + ["hf-vllm"] * BESIDE
BLOCKS, THREADS, BATCH = 2, 2, 8
# imported before the clock starts, what tasks name by themselves too
IMPORTED = ["lm_eval", "lm_eval.models.huggingface"] + [
    f"kensho.jlce.{name}" for name in ("lm", "items", "metrics")
]


class HarnessVllm(LM):
    """vLLM through the harness's own class of it (lm_eval.models.vllm_causallms)."""

    def __init__(self) -> None:
        super().__init__()
        self.process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("harness_vllm.py"), MODEL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(THREADS),
            text=True,
        )
        self.peak = 0
        self._answer()

    def _answer(self):
        return json.loads(self.process.stdout.readline())

    def _ask(self, method: str, requests: list) -> list:
        asked = [method, [request.args for request in requests]]
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        answers, self.peak = self._answer()
        return answers

    def loglikelihood(self, requests, disable_tqdm=False):
        return [tuple(answer) for answer in self._ask("loglikelihood", requests)]

    def generate_until(self, requests, disable_tqdm=False):
        return self._ask("generate_until", requests)

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        raise NotImplementedError("no task of JLCE asks for it")


@contextmanager
def opened(name: str) -> Iterator[tuple]:
    """The harness's model of an engine, and its peak of memory so far."""
    if name == "hf-vllm":
        harness = HarnessVllm()
        try:
            yield harness, lambda: harness.peak
        finally:
            harness.process.kill()
            harness.process.wait()
        return
    if name == "vllm":
        vllm = engine.find("vllm", [])
        with Vllm(vllm.python, Reference.of(MODEL), torch.float32, threads=THREADS) as served:
            yield VllmLM(served, batch_size=BATCH), served.peak_bytes
        return
    before, backend = resident_bytes(), {"hf": HFLM, "ours": KenshoLM}[name]
    model = backend(pretrained=str(MODEL), dtype="float32", device="cpu", batch_size=BATCH)
    reset_peak()
    yield model, lambda: peak_bytes() - before


def evaluate(name: str, task: str) -> dict:
    torch.set_num_threads(THREADS)
    manager = TaskManager(include_path=str(PACK), include_defaults=False)
    with opened(name) as (model, peak):
        began = time.perf_counter()
        evaluated = simple_evaluate(
            model, tasks=[task], limit=TASKS[task], task_manager=manager, bootstrap_iters=0
        )
        seconds, memory = time.perf_counter() - began, peak()
    answers = [
        [part[0] if isinstance(part, tuple | list) else part for part in sample["filtered_resps"]]
        for sample in sorted(evaluated["samples"][task], key=lambda sample: sample["doc_id"])
    ]
    return {"seconds": seconds, "memory": memory, "answers": answers}


def equal(one: list, other: list) -> bool:
    """The same choice with likelihoods within 1e-3, or the same text."""
    if isinstance(one[0], str):
        return one == other
    values = [[float(value) for value in answer] for answer in (one, other)]
    near = all(abs(a - b) <= 1e-3 * abs(a) for a, b in zip(*values, strict=True))
    return near and values[0].index(max(values[0])) == values[1].index(max(values[1]))


def main() -> None:
    from engines import evaluate  # by its name, which fresh processes can import

    print(machine.describe())
    print(f"torch {torch.__version__}, lm_eval {version('lm_eval')}, {THREADS} threads, float32")
    print(f"{engine.find('auto', []).version or 'without'} vLLM")
    for task, items in TASKS.items():
        results = interleaved(
            {name: partial(evaluate, name, task) for name in ENGINES},
            BLOCKS,
            Run(ROOT, THREADS, seed=1),
            preload=IMPORTED,
        )
        by = {name: [r for r in results if r["arm"] == name] for name in ENGINES}
        seconds, memory = (
            {name: statistics.median(run[key] for run in runs) for name, runs in by.items()}
            for key in ("seconds", "memory")
        )
        print(f"{task}, {items} items, 4 shots")
        for name in ENGINES:
            pairs = zip(by["hf"][0]["answers"], by[name][0]["answers"], strict=True)
            different = [pair for pair in pairs if not equal(*pair)]
            print(
                f"  {name:8}{seconds[name]:7.1f} s, {items / seconds[name]:5.2f} items/s, "
                f"{seconds['hf'] / seconds[name]:5.1f} times as fast as hf; "
                f"{memory[name] / 1e9:.1f} GB; {items - len(different)} of {items} as hf"
            )
            for theirs, answer in different:
                print(f"    hf {theirs} against {answer}")


if __name__ == "__main__":
    main()
