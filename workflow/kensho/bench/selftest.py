"""Does the timing tell a slowdown from none? One work against itself and against 10 % more of it.

Arms ``work`` and ``work-again`` do the same; ``slowed`` does a tenth more. Whoever trusts a timing
experiment on a machine can try the harness there first.
"""

import argparse
import time
from functools import partial

import pandas as pd

from kensho.bench.blocks import interleaved, observed
from kensho.observations import environment, write

EXPERIMENT = "selftest"
STEPS = {"work": 100, "work-again": 100, "slowed": 110}
SIZE = 384  # rows and columns of the matrix that is multiplied


def observe(*, blocks: int, seed: int, threads: int) -> pd.DataFrame:
    """Observation table: metrics ``wall_seconds`` and ``warmup_seconds`` by arm and block."""
    results = interleaved(
        {arm: partial(multiply, steps, threads) for arm, steps in STEPS.items()},
        blocks=blocks,
        seed=seed,
        threads=threads,
        preload=["torch"],
    )
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


def conditions(*, blocks: int, seed: int, threads: int) -> dict:
    """A check of the harness on this machine; no claim rests on it."""
    return {
        "tier": "at-scope",
        "dtype": "float32",
        "blocks": blocks,
        "threads": threads,
        "seeds": [seed],
        "own": {"steps": STEPS},
        "warmup": "20 products in each process, recorded apart",
        "fallbacks": [],
        "deviations": [],
        **environment(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", default="results/benchmark_data/selftest")
    given = parser.parse_args()
    settings = {"blocks": given.blocks, "seed": given.seed, "threads": given.threads}
    write(given.output, observe(**settings), conditions(**settings))


if __name__ == "__main__":
    main()
