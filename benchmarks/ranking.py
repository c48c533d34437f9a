"""Rank 8 models over 16 tasks of 200 items: from the item tables to the rank probabilities.

The items are made here (binary, from a fixed seed): this times the engine and measures no model.
"""

import resource
import time

import machine
import numpy as np
import pandas as pd
from kensho.claims.model import Claim
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge

TASKS, MODELS, ITEMS = 16, 8, 200
LIMIT = 60


def tables(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Right and wrong answers of each model; models differ, tasks and items are hard or easy."""
    rng = np.random.default_rng(seed)
    ability = np.linspace(0.6, -0.6, MODELS) + rng.normal(0, 0.3, (TASKS, MODELS))
    difficulty = rng.normal(0, 1, (TASKS, 1)) + rng.normal(0, 1.5, (TASKS, ITEMS))
    logit = ability[:, :, None] - difficulty[:, None, :]
    right = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    blocks = [f"task{t:02}/item{i:03}" for t in range(TASKS) for i in range(ITEMS)]
    frame = pd.DataFrame({"block": blocks, "replicate": 0, "metric": "accuracy"})
    return {
        f"model{m}": frame.assign(arm=f"model{m}", value=right[:, m].ravel().astype(float))
        for m in range(MODELS)
    }


def claim() -> Claim:
    test = {
        "design": "rank_order",
        "experiment": "ranking",
        "models": [f"model{m}" for m in range(MODELS)],
        "metric": "accuracy",
        "order": "first",
        "region": [0.0, None],
        "direction": "greater",
        "sesoi": 0.005,
        "min_units": 10,
        "family": "benchmark",
    }
    record = {
        "id": "ranking",
        "source": "own",
        "statement": "model0 is the best of eight",
        "quantity": "smallest accuracy gap to model0",
        "unit": "difference",
        "claimed": {"at_least": 0.0},
        "scope": {"models": ["any"]},
        "test": test,
        "not_tested": None,
    }
    return Claim.model_validate(record)


def main() -> None:
    arms = tables()
    start = time.perf_counter()
    conditions = {arm: {"tier": "at-scope"} for arm in arms}
    settings = Settings(family_size=1, alpha=0.05, seed=1)
    analysis = judge(claim(), arms, conditions, settings)[0].model_dump(mode="json")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shares = analysis["details"]["rank_probabilities"]
    columns = [f"P(rank {r + 1})" for r in range(MODELS)]
    print(machine.describe())
    print(pd.DataFrame.from_dict(shares, "index", columns=columns).round(3).to_string())
    print(f"{analysis['verdict']} ({analysis['reason']}): {analysis['sentence']}")
    print(f"gates passed: {analysis['diagnostics']['gates_ok']}")
    print(
        f"{TASKS} tasks x {MODELS} models x {ITEMS} items: {seconds:.1f} s, {peak:.0f} MiB at most"
    )
    if seconds >= LIMIT:
        raise SystemExit(f"slower than {LIMIT} s")


if __name__ == "__main__":
    main()
