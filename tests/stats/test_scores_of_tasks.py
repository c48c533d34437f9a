"""Claims over tasks from one score of each task: the task is the unit, nothing lies below it."""

import itertools

import numpy as np
import pandas as pd
import pytest
from kensho import external
from kensho.claims.model import Claim
from kensho.stats.analysis import Settings
from kensho.stats.evidence.tasks import moments
from kensho.stats.judge import judge
from kensho.validation import problems
from pydantic import ValidationError
from scipy import stats

READING = {
    "label": "a - b",
    "treatment": {"arm": "a", "metric": "m"},
    "control": {"arm": "b", "metric": "m"},
}
AVERAGE = {"design": "tasks", "on": "average", "readings": [READING]}
ORDER = {"design": "rank_order", "order": "whole", "models": ["a", "b", "c"], "metric": "m"}
TASKS = [f"task{i}" for i in range(16)]


def figure(region):
    """The claimed set that a region registers."""
    low, high = region
    if low is None or high is None:
        return {"at_most": high} if low is None else {"at_least": low}
    return {"low": low, "high": high}


def claim(**test):
    common = {"experiment": "e", "levels": ["task"], "region": [0.0, None]}
    return {
        "id": "X-1",
        "source": "own",
        "statement": "a is better",
        "quantity": "difference",
        "unit": "score",
        "claimed": figure((common | test)["region"]),
        "scope": {"models": ["any"]},
        "test": common | {"direction": "greater", "sesoi": 0.01, "min_units": 10} | test,
        "not_tested": None,
    }


def scores(scale=1.0, **means):
    """One score for each task, tasks of different difficulty."""
    rng = np.random.default_rng(3)
    difficulty = rng.uniform(-0.2, 0.2, len(TASKS))
    return {
        arm: scale * (mean + difficulty + rng.normal(0, 0.04, len(TASKS)))
        for arm, mean in means.items()
    }


def judged(record, values):
    tables = {
        arm: pd.DataFrame({"block": TASKS, "value": column}).assign(
            experiment="e", arm=arm, metric="m", replicate=0, unit="-"
        )
        for arm, column in values.items()
    }
    conditions = {arm: {"tier": "at-scope"} for arm in tables}
    return judge(
        Claim.model_validate(record),
        tables,
        conditions,
        Settings(family_size=1, alpha=0.05, seed=1),
    )[0].model_dump(mode="json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({**AVERAGE, "on": "all"}, "on: all asks how sure each task's difference is"),
        (
            {**AVERAGE, "on": "at_least", "at_least": 3},
            "on: at_least asks how sure each task's difference is, which one score of a task does "
            "not tell; give levels: [task, item] and its items, or 'on: average'",
        ),
        ({**AVERAGE, "levels": []}, "levels: expected at least 1 items"),
    ],
)
def test_one_score_of_a_task_does_not_say_how_sure_it_is(change, said):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(claim(**change))
    (line,) = problems(caught.value, "x.yaml", Claim)
    assert said in line


@pytest.mark.slow
def test_on_average_it_is_the_paired_t_test_over_tasks():
    values = scores(a=0.7, b=0.62)
    found = judged(claim(**AVERAGE), values)
    expected = stats.ttest_rel(values["a"], values["b"])
    low, high = expected.confidence_interval(0.95)
    assert found["interval"] == pytest.approx([low, high])
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert (found["verdict"], found["n_units"]) == ("VERIFIED", 16), found["sentence"]
    assert found["posterior"]["eti"] == pytest.approx([low, high], abs=0.006)
    labels = {row["label"] for row in found["multiverse"]["specifications"]}
    assert {"pairing ignored, Welch", "signed ranks, Hodges-Lehmann"} <= labels


@pytest.mark.slow
def test_the_order_rests_on_the_smallest_gap():
    values = scores(a=0.8, b=0.7, c=0.62)
    found = judged(claim(**ORDER), values)
    gaps = [values[x] - values[y] for x, y in itertools.pairwise("abc")]
    ends = [stats.ttest_1samp(gap, 0).confidence_interval(0.95).low for gap in gaps]
    assert found["estimate"] == pytest.approx(min(gap.mean() for gap in gaps))
    assert found["interval"][0] == pytest.approx(min(ends))
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["diagnostics"]["gates_ok"], found["diagnostics"]
    assert found["details"]["rank_probabilities"]["c"][2] > 0.99
    rows = {row["label"]: row for row in found["multiverse"]["specifications"]}
    assert len(rows) == 3
    ranks = rows["signed ranks, Hodges-Lehmann"]
    assert ranks["low"] < found["estimate"] < ranks["high"]


@pytest.mark.slow
def test_an_order_that_is_not_there_is_not_verified():
    found = judged(claim(**ORDER), scores(a=0.8, b=0.62, c=0.7))
    assert found["verdict"] == "FAILED", found["sentence"]


@pytest.mark.parametrize("test", [AVERAGE, ORDER], ids=["tasks", "rank_order"])
def test_scores_beyond_one_need_a_registered_prior(test):
    with pytest.raises(ValueError, match=r"scores go beyond 1, .* register 'prior: {ability:"):
        judged(claim(**test), scores(100, a=0.8, b=0.7, c=0.6))


@pytest.mark.slow
def test_the_unit_of_the_scores_changes_nothing_but_the_unit():
    prior = {"ability": 0.2, "spread": 0.1}
    shares = judged(claim(**AVERAGE), scores(a=0.7, b=0.62))
    percent = judged(
        claim(**AVERAGE, prior={key: 100 * x for key, x in prior.items()}),
        scores(100, a=0.7, b=0.62),
    )
    assert percent["interval"] == pytest.approx(100 * np.array(shares["interval"]))
    for key in ("p_region", "p_direction"):
        assert percent["posterior"][key] == pytest.approx(shares["posterior"][key], abs=0.02)


def test_a_score_without_items_has_no_error_of_its_own():
    found = moments([np.array([[0.5, 0.6]]), np.array([[0.5, 0.6], [0.7, 0.9]])])
    assert found["cov"][0].tolist() == [[0, 0], [0, 0]]
    assert found["cov"][1] == pytest.approx(np.array([[0.01, 0.015], [0.015, 0.0225]]))


def observed(tmp_path, text, **table):
    (tmp_path / "scores.csv").write_text(text)
    brought = {"path": str(tmp_path / "scores.csv"), "format": "csv", "score": "m", **table}
    record = claim(**AVERAGE, external=[brought])
    return external.observe("e", external.experiments([Claim.model_validate(record)])["e"])


def test_a_table_of_tasks_needs_no_column_of_items(tmp_path):
    found = observed(tmp_path, "arm,task,m\na,t1,1\na,t2,2\nb,t1,3\nb,t2,4\n")
    assert list(found["a"][0]["block"]) == ["t1", "t2"]
    assert list(found["b"][0]["value"]) == [3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arm,m\na,1\nb,3\n", "line 1: no column 'task'"),
        ("arm,task,m\na,t1,1\na,t1,2\nb,t1,3\n", "line 3: item 't1' of 'a' stands there twice"),
        ("arm,task,m\na,t1,1\nb,t2,3\n", "line 2: item 't1' of 'a' has no m in 'b'"),
    ],
)
def test_tables_that_hold_no_score_of_each_task_are_refused(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        observed(tmp_path, text)
