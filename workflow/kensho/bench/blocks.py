"""Timing by blocks: each block runs every arm once, in random order, in fresh processes."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

import numpy as np
import pandas as pd

from kensho.fallback import OutOfMemory, of_memory
from kensho.observations import table

Work = Callable[[], dict]


def interleaved(
    runs: Mapping[str, Work],
    *,
    blocks: int,
    seed: int,
    threads: int,
    preload: Sequence[str] = (),
    timeout: float = 1800,
    progress: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> list[dict]:
    """Call each arm's function ``blocks`` times, each time in a process of its own.

    A function (of a module's top level, or a ``functools.partial`` of one) returns a dictionary;
    each result is that dictionary with ``arm``, ``block`` and ``position`` (0 = first in its
    block) added. The order inside a block is drawn from ``seed``, so that drift of the machine
    cancels. Processes are forked from a server that has imported the modules in ``preload`` and
    done nothing else: imports are paid once, memory and thread pools are new each time.
    Raises RuntimeError with arm, block and cause if a run fails, ends early, or takes longer than
    ``timeout`` seconds; OutOfMemory if it is refused memory or killed.
    """
    os.environ.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch: large pages, as in the workflow
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    rng, results = np.random.default_rng(seed), []
    for block in range(blocks):
        for position, arm in enumerate(map(str, rng.permutation(list(runs)))):
            outcome, value = _in_fresh_process(context, runs[arm], timeout)
            if outcome != "done":
                kind = OutOfMemory if outcome == "memory" else RuntimeError
                raise kind(f"arm {arm}, block {block}: {value}")
            results.append({**value, "arm": arm, "block": block, "position": position})
        progress(f"block {block + 1} of {blocks}")
    return results


def observed(experiment: str, results: Sequence[Mapping], units: Mapping[str, str]) -> pd.DataFrame:
    """Observation table of what :func:`interleaved` returned: the metrics in ``units``.

    A metric that is a list becomes replicates of its block.
    """
    return table(
        {
            "experiment": experiment,
            "arm": result["arm"],
            "block": f"block-{result['block']:02d}",
            "replicate": replicate,
            "metric": metric,
            "value": value,
            "unit": unit,
        }
        for result in results
        for metric, unit in {**units, "position": "place in block"}.items()
        for replicate, value in enumerate(np.atleast_1d(result[metric]))
    )


def _in_fresh_process(context, run: Work, timeout: float) -> tuple[str, dict | str]:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(run, sender))
    with _not_rerunning_the_caller():
        process.start()
    sender.close()
    try:
        if not receiver.poll(timeout):
            return "failed", f"took longer than {timeout:.0f} s"
        return receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGKILL:  # as the kernel does where memory ends
            return "memory", "killed, as happens out of memory"
        return "failed", f"ended with exit code {process.exitcode} and no result"
    finally:
        process.kill()
        process.join()


def _report(run: Work, sender: Connection) -> None:
    try:
        sender.send(("done", run()))
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[-1]
        outcome = "memory" if of_memory(error) else "failed"
        sender.send((outcome, f"{type(error).__name__}: {said}"))


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
