from pathlib import Path

import pandas as pd
import pytest
import torch
from kensho.bench import selftest
from kensho.bench.run import Run
from kensho.stats.selftest import verdicts
from torch.overrides import TorchFunctionMode


def measured(again, slowed, blocks=12):
    """Wall times that wobble by 2 % from block to block, the arms by 1 % among themselves."""
    rows = []
    for block in range(blocks):
        drift = 1 + 0.02 * (-1) ** block
        for place, (arm, factor) in enumerate(
            (("work", 1), ("work-again", again), ("slowed", slowed))
        ):
            own = 1 + 0.01 * ((block * (place + 1)) % 5 - 2)
            rows.append((arm, f"block-{block:02d}", "wall_seconds", 0.2 * factor * drift * own))
            rows.append((arm, f"block-{block:02d}", "warmup_seconds", 9.0))
    return pd.DataFrame(rows, columns=["arm", "block", "metric", "value"])


def test_the_same_work_is_the_same_and_a_tenth_more_is_found():
    same, slower = verdicts(measured(1.0, 1.1))
    assert same["holds"] and same["low"] < 1 < same["high"]
    assert slower["holds"] and slower["ratio"] == pytest.approx(1.1, abs=0.02)


def test_a_biased_or_blind_harness_is_told():
    assert not verdicts(measured(1.05, 1.1))[0]["holds"]
    assert not verdicts(measured(1.0, 1.0))[1]["holds"]
    assert not verdicts(measured(1.0, 1.6))[1]["holds"]


def test_the_slowed_arm_really_does_a_tenth_more():
    assert selftest.STEPS["slowed"] == pytest.approx(1.1 * selftest.STEPS["work"])
    table = selftest.observe(1, Run(Path(), threads=1, seed=3))
    assert set(table["arm"]) == set(selftest.STEPS)
    assert set(table["metric"]) >= {"wall_seconds", "warmup_seconds"}


class Products(TorchFunctionMode):
    """Counts matrix products."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += function in (torch.Tensor.matmul, torch.Tensor.__matmul__)
        return function(*args, **(kwargs or {}))


def test_so_many_products_are_timed_after_the_warm_up():
    counts = {}
    for steps in (3, 8):
        with Products() as products:
            selftest.multiply(steps, threads=1)
        counts[steps] = products.count
    assert counts[8] - counts[3] == 5 and counts[3] > 3
