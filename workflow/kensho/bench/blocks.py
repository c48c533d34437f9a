"""Timing by blocks: each block runs every arm once, in random order, in fresh processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import numpy as np


def interleaved(
    commands: Mapping[str, list[str]],
    *,
    blocks: int,
    seed: int,
    threads: int,
    progress: Callable[[str], None] = print,
) -> list[dict]:
    """Run each arm's command ``blocks`` times and return what each run printed.

    A command is arguments for this Python; its last line of output must be a JSON object. Each
    result is that object with ``arm``, ``block`` and ``position`` (0 = first in its block) added.
    The order inside a block is drawn from ``seed``, so that drift of the machine cancels.
    Raises RuntimeError with the arm and the last line of its error output if a run fails.
    """
    rng, results = np.random.default_rng(seed), []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    for block in range(blocks):
        for position, arm in enumerate(rng.permutation(list(commands))):
            done = subprocess.run(
                [sys.executable, *commands[arm]], capture_output=True, text=True, env=environment
            )
            if done.returncode:
                tail = (done.stderr.strip().splitlines() or ["no output"])[-1]
                raise RuntimeError(f"arm {arm}, block {block}: exit {done.returncode}: {tail}")
            printed = json.loads(done.stdout.strip().splitlines()[-1])
            results.append({**printed, "arm": str(arm), "block": block, "position": position})
            progress(f"block {block + 1}/{blocks}: {arm} {printed['wall_seconds']:.2f} s")
    return results
