"""Every run is a process of its own, in an order drawn anew for each block."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from kensho.bench import blocks
from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Run

RUN = Run(Path(), threads=1, seed=1)
CALLS = []


def where() -> dict:
    CALLS.append(1)
    return {"process": os.getpid(), "calls": len(CALLS), "threads": os.environ["OMP_NUM_THREADS"]}


def fail() -> dict:
    raise ValueError("first line\nout of luck")


def die() -> dict:
    os._exit(3)


def test_the_order_is_random_seeded_and_complete():
    def order(seed):
        runs = {"a": dict, "b": dict}
        return [r["arm"] for r in interleaved(runs, 12, RUN._replace(seed=seed))]

    first = order(1)
    assert first == order(1) and first != order(2)
    assert {"".join(first[i : i + 2]) for i in range(0, 24, 2)} == {"ab", "ba"}


def test_each_run_has_a_process_of_its_own():
    results = interleaved({"a": where, "b": where}, 3, RUN, first=5)
    assert len({result["process"] for result in results}) == 6
    assert {result["calls"] for result in results} == {1}
    assert {result["threads"] for result in results} == {"1"}
    assert [result["position"] for result in results] == [0, 1] * 3
    assert [result["block"] for result in results] == [5, 5, 6, 6, 7, 7]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (fail, "arm x, block 0: ValueError: out of luck"),
        (die, "arm x, block 0: ended with exit code 3 and no result"),
        (partial(time.sleep, 60), "arm x, block 0: took longer than 5 s"),
    ],
)
def test_a_run_that_fails_is_named(run, said):
    with pytest.raises(RuntimeError, match=said):
        interleaved({"x": run}, 1, RUN, timeout=5)


def test_a_script_that_starts_runs_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from kensho.bench.blocks import interleaved\n"
        "from kensho.bench.run import Run\n"
        "print('started')\n"
        "interleaved({'a': partial(dict, x=1)}, 2, Run(Path()))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "started\n"


@pytest.mark.parametrize(("seen", "loaded"), [(False, ["torch"]), (True, [])])
def test_nothing_that_asks_for_an_accelerator_is_imported_ahead_of_a_fork(
    seen, loaded, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    preloaded = []
    context = SimpleNamespace(set_forkserver_preload=preloaded.extend)
    monkeypatch.setattr(blocks.multiprocessing, "get_context", lambda kind: context)
    interleaved({}, 1, RUN, preload=["torch"])
    assert preloaded == [blocks.__name__, *loaded]


def test_results_become_observations():
    results = [{"wall_seconds": 0.5, "wall_seconds.B4": [1, 2], "scores": [1]}]
    results = [{**result, "arm": "a", "block": 3, "position": 1} for result in results]
    table = observed("speed", results, {"wall_seconds": "s"})
    assert table[["arm", "block", "metric", "value", "unit"]].values.tolist() == [
        ["a", "block-03", "wall_seconds", 0.5, "s"],
        ["a", "block-03", "wall_seconds.B4", 1.0, "s"],
        ["a", "block-03", "wall_seconds.B4", 2.0, "s"],
        ["a", "block-03", "position", 1.0, "place in block"],
    ]
