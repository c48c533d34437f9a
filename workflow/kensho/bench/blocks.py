"""Timing by blocks: each block runs every arm once, in random order, in fresh processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import NamedTuple

import numpy as np
import pandas as pd

from kensho.bench.run import Run
from kensho.fallback import Killed, OutOfMemory, of_memory
from kensho.observations import Row, table

Work = Callable[[], dict]


class Failure(NamedTuple):
    """Why a process gave no result; ``kind`` is what that is raised as."""

    kind: type[Exception]
    cause: str


def interleaved(
    arms: Mapping[str, Work],
    blocks: int,
    run: Run,
    *,
    first: int = 0,
    preload: Sequence[str] = (),
    timeout: float = 1800,
) -> list[dict]:
    """Call each arm's function ``blocks`` times, each time in a process of its own.

    A function (of a module's top level, or a ``functools.partial`` of one) returns a dictionary;
    each result is that dictionary with ``arm``, ``block`` (from ``first`` on) and ``position`` (0 =
    first in its block) added. The order inside a block is drawn from the run's seed, so that drift
    of the machine cancels. Processes are forked from a server that has imported the modules in
    ``preload`` and done nothing else: imports are paid once, memory and thread pools are new each
    time. Where torch sees an accelerator nothing is preloaded: an import that asks for it would
    keep it from every process that is forked. Raises RuntimeError with arm, block and cause if a
    run fails, ends early, or takes longer than ``timeout`` seconds; OutOfMemory if it is refused
    memory, Killed if that ended it.
    """
    os.environ.update(OMP_NUM_THREADS=str(run.threads), MKL_NUM_THREADS=str(run.threads))
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch: large pages, as in the workflow
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *([] if _sees_accelerator() else preload)])
    rng, results = np.random.default_rng(run.seed), []
    for block in range(first, first + blocks):
        for position, arm in enumerate(map(str, rng.permutation(list(arms)))):
            result = _in_fresh_process(context, arms[arm], timeout)
            if isinstance(result, Failure):
                raise result.kind(f"arm {arm}, block {block}: {result.cause}")
            results.append({**result, "arm": arm, "block": block, "position": position})
        print(f"block {block - first + 1} of {blocks}", file=sys.stderr, flush=True)
    return results


def _sees_accelerator() -> bool:
    return "torch" in sys.modules and sys.modules["torch"].cuda.is_available()


def observed(experiment: str, results: Sequence[Mapping], units: Mapping[str, str]) -> pd.DataFrame:
    """Observation table of what :func:`interleaved` returned: its metrics that have units.

    What follows a dot in a metric names a cell and has no part in its unit. A metric that is a list
    becomes replicates of its block.
    """
    units = {**units, "position": "place in block"}
    return table(
        Row(experiment, result["arm"], block, replicate, metric, value, unit)
        for result in results
        for block in [f"block-{result['block']:02d}"]
        for metric in result
        if (unit := units.get(metric.partition(".")[0]))
        for replicate, value in enumerate(np.atleast_1d(result[metric]))
    )


def _in_fresh_process(context: ForkServerContext, work: Work, timeout: float) -> dict | Failure:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(work, sender))
    with _not_rerunning_the_caller():
        process.start()
    sender.close()
    try:
        if not receiver.poll(timeout):
            return Failure(RuntimeError, f"took longer than {timeout:.0f} s")
        return receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGKILL:  # as the kernel does where memory ends
            return Failure(Killed, "killed, as happens out of memory")
        cause = f"ended with exit code {process.exitcode} and no result"
        return Failure(RuntimeError, cause)
    finally:
        process.kill()
        process.join()


def _report(work: Work, sender: Connection) -> None:
    try:
        sender.send(work())
    except Exception as error:
        last_line = (str(error).strip().splitlines() or [""])[-1]
        kind = OutOfMemory if of_memory(error) else RuntimeError
        sender.send(Failure(kind, f"{type(error).__name__}: {last_line}"))


@contextmanager
def _not_rerunning_the_caller():
    """A new process imports a script that is ``__main__`` again; a workflow script runs once."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None) if main.__spec__ is None else None
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file
