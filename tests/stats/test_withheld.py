"""What means alone decide of models whose answers are at hand."""

import numpy as np
import pandas as pd
import pytest
from kensho.stats import intervals, withheld


def answers(arm, values, metric="acc", items=None):
    names = items or [f"t/c{i}/i{i}" for i in range(len(values))]
    return pd.DataFrame(
        {"experiment": "jlce", "arm": arm, "block": names, "replicate": 0, "metric": metric,
         "value": values, "unit": "share"}
    )  # fmt: skip


@pytest.mark.parametrize("graded", [False, True])
def test_the_limits_hold_the_items_of_every_pair(graded):
    rng = np.random.default_rng(0)
    held = []
    for n in (6, 20, 60):
        for _ in range(40):
            ability = rng.random(n)
            draws = [rng.random(n) < np.clip(ability + shift, 0, 1) for shift in (0.2, 0.0, -0.3)]
            values = [d * rng.random(n) if graded else d.astype(float) for d in draws]
            tables = {arm: answers(arm, v) for arm, v in zip("abc", values, strict=True)}
            held.append(withheld.compare(tables))
    found = pd.concat(held)
    assert len(found) == 3 * 120 and found["holds"].all(), found[~found["holds"]]
    assert found["decided"].sum() < found["decided_by_items"].sum()
    assert (found["decided_by_items"] | ~found["decided"]).all()


def test_of_right_and_wrong_the_items_have_the_interval_of_paired_proportions():
    x, y = np.array([1, 1, 1, 0, 0, 1]), np.array([1, 0, 0, 1, 0, 0])
    own, known = withheld.of_items(x - y, 0.05), intervals.paired_proportions(3, 1, 6, 0.05)
    assert own[:4] == pytest.approx([float(part) for part in known[:4]])


def test_other_items_and_readings_beside_the_score_are_not_compared():
    a = answers("a", [1.0, 0.0])
    assert withheld.compare({"a": a, "b": answers("b", [1.0])}).empty
    assert withheld.compare({"a": a, "b": answers("b", [1.0, 1.0], "parsed")}).empty
