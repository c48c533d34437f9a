"""Does the timing tell a slowdown from none? One work against itself and against 10 % more of it.

Arms ``work`` and ``work-again`` do the same; ``slowed`` does a tenth more. Whoever trusts a timing
experiment on a machine can try the harness there first.
"""

import time
from functools import partial

import pandas as pd

from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Run

EXPERIMENT = "selftest"
STEPS = {"work": 100, "work-again": 100, "slowed": 110}
SIZE = 384  # rows and columns of the matrix that is multiplied


def observe(blocks: int, run: Run) -> pd.DataFrame:
    """Observation table: metrics ``wall_seconds`` and ``warmup_seconds`` by arm and block."""
    arms = {arm: partial(multiply, steps, run.threads) for arm, steps in STEPS.items()}
    results = interleaved(arms, blocks, run, preload=["torch"])
    return observed(EXPERIMENT, results, {"wall_seconds": "s", "warmup_seconds": "s"})


def multiply(steps: int, threads: int) -> dict[str, float]:
    """Seconds for so many matrix products, after a fixed warm-up, in this process."""
    import torch

    torch.set_num_threads(threads)
    matrix = torch.eye(SIZE)
    times = []
    for repetitions in (20, steps):
        began = time.perf_counter()
        for _ in range(repetitions):
            matrix = matrix @ matrix
        times.append(time.perf_counter() - began)
    return dict(zip(("warmup_seconds", "wall_seconds"), times, strict=True))


def conditions(blocks: int, run: Run) -> dict:
    """A check of the harness on this machine; no claim rests on it."""
    return {
        "ran": {"models": []},
        "dtype": "float32",
        **run.timing(blocks),
        "own": {"steps": STEPS},
        "warmup": "20 products in each process, recorded apart",
        "fallbacks": [],
        "deviations": [],
    }
