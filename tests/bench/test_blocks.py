"""Every run is a process of its own, in an order drawn anew for each block."""

import os
import subprocess
import sys
import time
from functools import partial

import pytest
from kensho.bench.blocks import interleaved, observed

SETTINGS = {"seed": 1, "threads": 1, "progress": lambda _: None}
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
        return [r["arm"] for r in interleaved(runs, blocks=12, **{**SETTINGS, "seed": seed})]

    first = order(1)
    assert first == order(1) and first != order(2)
    assert {"".join(first[i : i + 2]) for i in range(0, 24, 2)} == {"ab", "ba"}


def test_each_run_has_a_process_of_its_own():
    results = interleaved({"a": where, "b": where}, blocks=3, **SETTINGS)
    assert len({result["process"] for result in results}) == 6
    assert {result["calls"] for result in results} == {1}
    assert {result["threads"] for result in results} == {"1"}
    assert [result["position"] for result in results] == [0, 1] * 3


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
        interleaved({"x": run}, blocks=1, timeout=5, **SETTINGS)


def test_a_script_that_starts_runs_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\n"
        "from kensho.bench.blocks import interleaved\n"
        "print('started')\n"
        "interleaved({'a': partial(dict, x=1)}, blocks=2, seed=1, threads=1)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "started\n"


def test_results_become_observations():
    results = [{"arm": "a", "block": 3, "position": 1, "wall_seconds": 0.5, "scores": [1]}]
    table = observed("speed", results, {"wall_seconds": "s"})
    assert table[["arm", "block", "metric", "value", "unit"]].values.tolist() == [
        ["a", "block-03", "wall_seconds", 0.5, "s"],
        ["a", "block-03", "position", 1.0, "place in block"],
    ]
