"""JLCE through our model class and through lm-evaluation-harness's own: same items, same answers.

SmolLM2-135M (a folder written by the workflow) on 4-shot multiple choice and on 4-shot generation.
Each backend runs each task in a fresh process, in turns; seconds of the evaluation without loading,
and the peak of resident memory, model included, above what was resident before it was loaded.
"""

import statistics
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import machine
import torch
from kensho.bench.blocks import interleaved
from kensho.bench.run import Run
from kensho.jlce import lm as ours
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "results" / "models" / "smollm2-135m-instruct"
PACK = ROOT / "workflow" / "kensho" / "jlce" / "tasks" / "jlce"
TASKS = {"jlce_commonsense": 8, "jlce_reading": 8, "jlce_style": 16}  # items
BACKENDS = {"hf": HFLM, "kensho": ours.KenshoLM}
BLOCKS, THREADS, BATCH = 2, 2, 8


def evaluate(backend: str, task: str) -> dict:
    torch.set_num_threads(THREADS)
    before = resident_bytes()
    model = BACKENDS[backend](
        pretrained=str(MODEL), dtype="float32", device="cpu", batch_size=BATCH
    )
    manager = TaskManager(include_path=str(PACK), include_defaults=False)
    reset_peak()
    began = time.perf_counter()
    found = simple_evaluate(
        model, tasks=[task], limit=TASKS[task], task_manager=manager, bootstrap_iters=0
    )
    seconds = time.perf_counter() - began
    answers = [
        [part[0] if isinstance(part, tuple | list) else part for part in sample["filtered_resps"]]
        for sample in sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    ]
    return {"seconds": seconds, "memory": peak_bytes() - before, "answers": answers}


def equal(one: list, other: list) -> bool:
    """The same choice with likelihoods within 1e-3, or the same text."""
    if isinstance(one[0], str):
        return one == other
    values = [[float(value) for value in answer] for answer in (one, other)]
    near = all(abs(a - b) <= 1e-3 * abs(a) for a, b in zip(*values, strict=True))
    return near and values[0].index(max(values[0])) == values[1].index(max(values[1]))


def main() -> None:
    from jlce_throughput import evaluate  # by its name, which fresh processes can import

    print(machine.describe())
    print(f"torch {torch.__version__}, lm_eval {version('lm_eval')}, {THREADS} threads, float32")
    for task, items in TASKS.items():
        results = interleaved(
            {backend: partial(evaluate, backend, task) for backend in BACKENDS},
            BLOCKS,
            Run(ROOT, THREADS, seed=1),
            preload=["lm_eval", "lm_eval.models.huggingface", "kensho.jlce.lm"],
        )
        by = {name: [r for r in results if r["arm"] == name] for name in BACKENDS}
        seconds, memory = (
            {name: statistics.median(run[key] for run in runs) for name, runs in by.items()}
            for key in ("seconds", "memory")
        )
        pairs = zip(by["hf"][0]["answers"], by["kensho"][0]["answers"], strict=True)
        alike = sum(equal(*pair) for pair in pairs)
        print(
            f"{task}, {items} items, 4 shots: {seconds['hf']:.1f} s against "
            f"{seconds['kensho']:.1f} s, {seconds['hf'] / seconds['kensho']:.1f} times as fast; "
            f"memory {memory['kensho'] / memory['hf']:.2f} of hf's; {alike} of {items} alike"
        )


if __name__ == "__main__":
    main()
