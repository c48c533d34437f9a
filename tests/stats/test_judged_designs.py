"""Every design from observation tables to a verdict, with its sampler."""

import json

import numpy as np
import pandas as pd
import pytest
from kensho.claims.model import Claim
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge

AB = [
    {
        "label": "a - b",
        "treatment": {"arm": "a", "metric": "acc"},
        "control": {"arm": "b", "metric": "acc"},
    }
]
ITEMS = [f"q{i}" for i in range(500)]
CLUSTERED = [f"p{i % 25}/q{i}" for i in range(500)]
TASKS = [f"t{k}/q{i}" for k in range(12) for i in range(60)]


def rows(arm, values, metric="acc"):
    frame = pd.DataFrame(values.items(), columns=["block", "value"])
    return frame.assign(experiment="e", arm=arm, replicate=0, metric=metric, unit="share")


def answers(names, **shares):
    rng = np.random.default_rng(1)
    return {
        arm: rows(arm, {n: float(rng.random() < p) for n in names}) for arm, p in shares.items()
    }


def scores(names, **means):
    rng = np.random.default_rng(2)
    return {arm: rows(arm, {n: rng.normal(m, 1) for n in names}) for arm, m in means.items()}


def judgements():
    rng = np.random.default_rng(3)
    outcomes = [1, 0.5, 0]
    orders = ("preference.first", "preference.second")
    found = [
        rows("a-b", {f"p{i}": rng.choice(outcomes, p=[0.8, 0.1, 0.1]) for i in range(150)}, order)
        for order in orders
    ]
    return {"a-b": pd.concat(found)}


DOSES = {f"n{dose}": float(dose) for dose in (500, 1000, 2000, 4000, 8000, 16000)}


def curve():
    rng = np.random.default_rng(4)
    return {
        arm: rows(
            arm,
            {f"s{s}": -0.5 * (np.log2(dose) - 12) ** 2 + rng.normal(0, 0.3) for s in range(10)},
        )
        for arm, dose in DOSES.items()
    }


CASES = {
    "items": (
        {"design": "paired_difference", "outcome": "binary", "readings": AB, "region": [0.0, 0.5]},
        answers(ITEMS, a=0.8, b=0.6),
    ),
    "clusters": (
        {
            "design": "paired_difference",
            "outcome": "binary",
            "readings": AB,
            "region": [0.0, 0.5],
            "levels": ["passage", "item"],
        },
        answers(CLUSTERED, a=0.8, b=0.6),
    ),
    "gain": (
        {
            "design": "ratio_of_means",
            "readings": [
                {
                    "label": "a / b",
                    "numerator": {"arm": "a", "metric": "acc"},
                    "denominator": {"arm": "b", "metric": "acc"},
                }
            ],
            "region": [1.1, 1.7],
            "sesoi": 1.05,
        },
        answers(ITEMS, a=0.8, b=0.6),
    ),
    "scores": (
        {
            "design": "paired_difference",
            "outcome": "score",
            "readings": AB,
            "region": [0.5, 1.5],
            "prior": {"location": 1.0, "spread": 1.0},
        },
        scores(ITEMS[:100], a=8.0, b=7.0),
    ),
    "accuracy": (
        {
            "design": "proportion",
            "readings": [{"label": "a", "of": {"arm": "a", "metric": "acc"}}],
            "region": [0.7, 0.9],
            "direction": None,
        },
        answers(ITEMS, a=0.8),
    ),
    "accuracy of clusters": (
        {
            "design": "proportion",
            "readings": [{"label": "a", "of": {"arm": "a", "metric": "acc"}}],
            "region": [0.7, 0.9],
            "direction": None,
            "levels": ["passage", "item"],
        },
        answers(CLUSTERED, a=0.8),
    ),
    "win rate": (
        {"design": "win_rate", "comparison": "a-b", "region": [0.7, 0.95]},
        judgements(),
    ),
    "dose": (
        {
            "design": "dose_optimum",
            "doses": DOSES,
            "metric": "acc",
            "region": [2828.0, 5657.0],
            "direction": None,
        },
        curve(),
    ),
    "on average": (
        {"design": "tasks", "on": "average", "readings": AB, "region": [0.0, None]},
        answers(TASKS, a=0.8, b=0.5),
    ),
    "on most tasks": (
        {
            "design": "tasks",
            "on": "at_least",
            "at_least": 6,
            "readings": AB,
            "region": [0.0, None],
        },
        answers(TASKS, a=0.8, b=0.4),
    ),
    "order": (
        {
            "design": "rank_order",
            "order": "whole",
            "models": ["a", "b", "c"],
            "metric": "acc",
            "region": [0.0, None],
        },
        answers(TASKS, a=0.9, b=0.7, c=0.5),
    ),
}


def judged(test, tables):
    common = {"experiment": "e", "direction": "greater", "sesoi": 0.01}
    low, high = test["region"]
    claim = Claim.model_validate(
        {
            "id": "X-1",
            "source": "own",
            "statement": "a is better",
            "quantity": "difference",
            "unit": "unit",
            "claimed": {"at_least": low} if high is None else {"low": low, "high": high},
            "scope": {"models": ["any"]},
            "test": common | test,
            "not_tested": None,
        }
    )
    conditions = {arm: {"tier": "at-scope"} for arm in tables}
    settings = Settings(family_size=1, alpha=0.05, seed=1)
    judgement, idata = judge(claim, tables, conditions, settings)
    return judgement.model_dump(mode="json"), idata


def test_a_gain_over_no_right_answer_is_not_tested():
    found, idata = judged(CASES["gain"][0], answers(ITEMS[:40], a=0.5, b=0.0))
    assert (found["verdict"], found["reason"], idata) == ("NOT TESTED", "UNDEFINED", None)
    assert "a side has the mean 0, which gives no ratio" in found["sentence"]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_true_claim_is_verified(case):
    test, tables = CASES[case]
    found, idata = judged(test, tables)
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["schools_agree"] and found["diagnostics"]["gates_ok"]
    assert len(found["posterior"]["prior_sensitivity"]) >= 2
    assert found["multiverse"]["specifications"]
    assert all(found["plots"][key] for key in ("posterior", "ranks", "power"))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"posterior", "prior", "log_likelihood"} <= set(idata.groups())
    if case == "order":
        assert found["details"]["rank_probabilities"]["a"][0] > 0.99
