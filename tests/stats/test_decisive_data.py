"""Data that do not vary and decide all the same, few units, wrong scales, and many rows."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from kensho.claims.designs import Test
from kensho.claims.model import Claim
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge
from kensho.stats.units import one_scale
from pydantic import TypeAdapter
from scipy import stats

SIDES = {arm: {"arm": arm, "metric": "score"} for arm in ("a", "b")}
PAIRED = {
    "design": "paired_difference",
    "readings": [{"label": "a - b", "treatment": SIDES["a"], "control": SIDES["b"]}],
}
BINARY = {**PAIRED, "outcome": "binary"}
SCORES = {**PAIRED, "outcome": "score", "prior": {"location": 1, "spread": 1}}
RATIO = [{"label": "a / b", "numerator": SIDES["a"], "denominator": SIDES["b"]}]
SHARE = {"design": "proportion", "readings": [{"label": "a", "of": SIDES["a"]}]}
CLUSTERS = {"levels": ["passage", "item"]}


def table(arm, values, metric="score", unit="score", clusters=None):
    names = [f"q{i}" if clusters is None else f"p{i // clusters}/q{i}" for i in range(len(values))]
    frame = pd.DataFrame({"block": names, "replicate": 0, "value": np.asarray(values, dtype=float)})
    return frame.assign(experiment="e", arm=arm, metric=metric, unit=unit)


def judged(test, tables, unit="points", claimed=None, conditions=None, draws=1000):
    low, high = test["region"]
    ends = {"at_least": low, "at_most": high, "low": low, "high": high}
    keys = ["at_most"] if low is None else ["at_least"] if high is None else ["low", "high"]
    claim = Claim.model_validate(
        {
            "id": "OWN-1", "source": "own", "statement": "s", "quantity": "a against b",
            "unit": unit, "claimed": claimed or {key: ends[key] for key in keys},
            "scope": {"models": ["any"]}, "required_tier": "published",
            "test": {"experiment": "e", "sesoi": 0.01, **test}, "not_tested": None,
        }
    )  # fmt: skip
    conditions = {arm: {"tier": "published"} | (conditions or {}).get(arm, {}) for arm in tables}
    settings = Settings(family_size=1, alpha=0.05, seed=1, draws=draws)
    return judge(claim, tables, conditions, settings)[0].model_dump(mode="json")


def alike(values, **more):
    return {arm: table(arm, values, **more) for arm in ("a", "b")}


@pytest.mark.parametrize(
    ("test", "tables", "verdict"),
    [
        # equality within 3 points: 1,000 equal answers say so, 20 do not
        ({**BINARY, "region": [-0.03, 0.03]}, alike([1, 0] * 500), "VERIFIED"),
        ({**BINARY, "region": [-0.03, 0.03]}, alike([1] * 1000), "VERIFIED"),
        ({**BINARY, "region": [-0.03, 0.03]}, alike([1, 0] * 10), "INCONCLUSIVE"),
        ({**BINARY, "region": [0.05, None], "direction": "greater"}, alike([0] * 300), "FAILED"),
        (
            {**BINARY, "region": [-0.05, 0.05], **CLUSTERS},
            alike([1, 1, 0, 0] * 250, clusters=4),
            "VERIFIED",
        ),
        (
            {"design": "ratio_of_means", "readings": RATIO, "region": [0.97, 1.03], "sesoi": 1.01},
            alike([1, 1, 1, 0] * 500),
            "VERIFIED",
        ),
        # none of 307, all of 307, none of 20
        ({**SHARE, "region": [None, 0.05]}, alike([0] * 307), "VERIFIED"),
        ({**SHARE, "region": [0.95, None]}, alike([1] * 307), "VERIFIED"),
        ({**SHARE, "region": [None, 0.05]}, alike([1] * 307), "FAILED"),
        ({**SHARE, "region": [None, 0.05]}, alike([0] * 20), "INCONCLUSIVE"),
        ({**SHARE, "region": [None, 0.05], **CLUSTERS}, alike([0] * 600, clusters=6), "VERIFIED"),
    ],
)
def test_answers_that_never_differ_decide_where_there_are_enough(test, tables, verdict):
    found = judged(test, tables, unit="ratio" if "ratio" in test["design"] else "share")
    assert found["verdict"] == verdict, found["sentence"]
    low, high = found["interval"]
    assert low < found["estimate"] < high or found["estimate"] in (0, 1)
    json.dumps(found, allow_nan=False)


def test_a_prompt_always_won_decides():
    orders = [table("a", [1.0] * 60, metric=f"preference.{o}") for o in ("first", "second")]
    test = {"design": "win_rate", "comparison": "a", "region": [0.8, None], "direction": "greater"}
    found = judged(test, {"a": pd.concat(orders, ignore_index=True)}, unit="share")
    assert found["verdict"] == "VERIFIED", found["sentence"]


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({**BINARY, "region": [0.5, None]}, True),
        (
            {**PAIRED, "design": "unpaired_difference", "outcome": "binary", "region": [0.5, 1]},
            False,
        ),
        ({**SHARE, "region": [0.5, None]}, False),
    ],
)
def test_the_sentence_says_where_names_alone_pair_the_arms(test, said):
    conditions = {arm: {"names_alone": arm == "a"} for arm in "ab"}
    found = judged(test, alike([1, 0, 1]), unit="share", conditions=conditions)
    assert ("The items are paired by their names alone." in found["sentence"]) == said


@pytest.mark.parametrize("values", [[6.5] * 40, [0.1] * 40, list(range(40))])
def test_scores_that_never_differ_say_what_does_not_vary(values):
    found = judged({**SCORES, "region": [-0.5, 0.5]}, alike(values))
    assert (found["verdict"], found["reason"]) == ("NOT TESTED", "CONSTANT")
    assert "40 units and one difference between a and b in all of them" in found["sentence"]


@pytest.mark.parametrize(
    ("test", "values", "needed"),
    [
        ({**SCORES, "region": [0.5, None]}, [[6.0, 6.9], [5.0, 5.8]], 5),
        ({**BINARY, "region": [0.5, None]}, [[1, 1, 1], [0, 0, 0]], 10),
        ({"design": "paired_log_ratio", "readings": RATIO, "region": [1.1, None], "sesoi": 1.05},
         [[2.0, 2.1, 2.2], [1.0, 1.1, 1.0]], 10),
        ({"design": "paired_log_ratio", "readings": RATIO, "region": [1.1, None], "sesoi": 1.05,
          "levels": ["seed"]}, [[2.0, 2.1], [1.0, 1.1]], 3),
        ({"design": "paired_log_ratio", "readings": RATIO, "region": [1.1, None], "sesoi": 1.05,
          "levels": ["item"]}, [[2.0, 2.1, 2.2], [1.0, 1.1, 1.0]], 5),
        ({"design": "peak_memory", "readings": RATIO, "region": [1.1, None], "sesoi": 1.05},
         [[2.0, 2.1], [1.0, 1.1]], 3),
        ({**SHARE, "region": [0.5, None]}, [[1, 1], [1, 1]], 10),
    ],
)  # fmt: skip
def test_a_design_has_a_floor_whatever_is_registered(test, values, needed):
    tables = {arm: table(arm, found) for arm, found in zip("ab", values)}
    unit = (
        "ratio"
        if test["readings"] == RATIO
        else "share"
        if test["design"] == "proportion"
        else "score"
    )
    direction = None if unit == "share" else "greater"
    found = judged({**test, "direction": direction, "min_units": 2}, tables, unit=unit)
    assert (found["verdict"], found["reason"]) == ("INCONCLUSIVE", "UNITS")
    assert f"{len(values[0])} units are too few, {needed} are needed" in found["sentence"]


def scores(mean, sd=10.0, n=200, seed=0, low=0, high=100):
    return np.clip(np.random.default_rng(seed).normal(mean, sd, n), low, high)


def test_a_declared_range_ties_the_claim_to_its_scores():
    base = scores(60.0)
    gain = np.random.default_rng(1).normal(0.88, 3, base.size)
    tables = {"a": table("a", np.clip(base + gain, 0, 100)), "b": table("b", base)}
    test = {**SCORES, "prior": {"location": 5, "spread": 10}, "direction": "greater"}
    five = {**test, "region": [5, None], "range": [0, 100], "sesoi": 1}
    found = judged(five, tables, unit="percentage points")
    assert found["verdict"] == "FAILED" and 0.5 < found["estimate"] < 1.2
    shares = {arm: t.assign(value=t["value"] / 100) for arm, t in tables.items()}
    with pytest.raises(ValueError, match=r"no score is above 1.*range: \[0, 1\]"):
        judged(five, shares, unit="percentage points")
    small = {**test, "region": [0.05, None], "range": [0, 1], "sesoi": 0.01}
    with pytest.raises(
        ValueError, match=r"e/a.csv, line 2: score of 'q0' is .* outside test.range \[0, 1"
    ):
        judged(small, tables, unit="percentage points", claimed={"at_least": 5})
    found = judged(small, shares, unit="percentage points", claimed={"at_least": 5})
    assert found["verdict"] == "FAILED"


@pytest.mark.parametrize("region", [[5, None], [None, -5], [3, 4]])
def test_a_figure_that_the_scores_cannot_reach_asks_for_their_range(region):
    tables = {arm: table(arm, scores(0.5, 0.1, seed=i, high=1)) for i, arm in enumerate("ab")}
    with pytest.raises(ValueError, match=r"cannot reach the claimed region .* test.range"):
        judged({**SCORES, "region": region}, tables)


def of_tasks(a, b, items=40):
    """Right answers of two arms to the items of each task, by their number."""
    names = [f"t{t}/q{i}" for t in range(len(a)) for i in range(items)]
    return {
        arm: table(arm, [float(i < n) for n in right for i in range(items)]).assign(block=names)
        for arm, right in (("a", a), ("b", b))
    }


MOST = {"design": "tasks", "on": "at_least", "at_least": 4, "readings": PAIRED["readings"]}
ALIKE_ON_A_TASK = {
    "one task answered alike, four others won": (
        (MOST, [36, 34, 35, 37, 20, 36], [10, 12, 9, 11, 20, 12]), "VERIFIED"
    ),
    "all tasks, one answered alike": (
        ({**MOST, "on": "all", "at_least": None}, [36, 34, 35, 20], [10, 12, 9, 20]), "INCONCLUSIVE"
    ),
    "one task won on every item, three others": (
        (MOST, [36, 34, 35, 37, 40, 36], [10, 12, 30, 30, 0, 30]), "PARTIAL"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE_ON_A_TASK)
def test_tasks_that_do_not_vary_take_no_verdict_from_the_others(case):
    (test, a, b), verdict = ALIKE_ON_A_TASK[case]
    test = {**test, "region": [0.05, None], "direction": "greater", "levels": ["task", "item"]}
    found = judged(test, of_tasks(a, b), unit="share", draws=2500)
    assert found["verdict"] == verdict, found["sentence"]


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (
            {**MOST, "at_least": 1},
            "on every item of task 't1', and nothing says what the scores can",
        ),
        ({**MOST, "on": "average", "at_least": None}, "6 tasks and one difference between a and b"),
        (
            {"design": "rank_order", "models": ["a", "b"], "metric": "score", "order": "first"},
            "6 tasks and one difference between a and b on all",
        ),
    ],
)
def test_what_does_not_vary_over_tasks_is_said(test, said):
    tables = of_tasks([20] * 6, [20] * 6)  # alike, of scores without known ends
    if test.get("at_least"):
        tables = of_tasks([30] * 6, [10, 30, *[12] * 4])
    test = {**test, "prior": {"ability": 5, "spread": 2}, "levels": ["task", "item"]}
    found = judged({**test, "region": [0.5, None], "min_units": 5}, tables, unit="score")
    assert (found["verdict"], found["reason"]) == ("NOT TESTED", "CONSTANT")
    assert said in found["sentence"]


@pytest.mark.parametrize("unit", ["points", "ポイント", "pt"])
@pytest.mark.parametrize("range", [None, [0, None]])
def test_points_of_scores_that_may_be_shares_are_refused(unit, range):
    tables = {
        arm: table(arm, scores(m, 0.1, seed=1, high=1)) for arm, m in (("a", 0.6), ("b", 0.5))
    }
    equal = {**SCORES, "region": [-1, 1], "range": range}
    with pytest.raises(ValueError, match=r"more than one way; .*range: \[0, 1\].*\(5 is 0.05\)"):
        judged(equal, tables, unit=unit)


TASKS = {"design": "tasks", "on": "average", "readings": PAIRED["readings"]}
OF_SCORES = {"region": [5, None], "direction": "greater", "prior": {"location": 5, "spread": 10}}
MIXED = {
    "percentage points": ({**SCORES, **OF_SCORES, "range": [0, 100]}, 100, "percentage points"),
    "own points": ({**SCORES, **OF_SCORES}, 100, "points"),
    "a gain": (
        {"design": "ratio_of_means", "readings": RATIO, "region": [1.1, None], "sesoi": 1.01},
        *(100, "ratio"),
    ),
    "means of tasks": (
        {**TASKS, **OF_SCORES, "prior": {"ability": 50, "spread": 20}, "levels": ["task"]},
        *(100, "score"),
    ),
}


@pytest.mark.parametrize("case", MIXED)
def test_shares_beside_percentages_are_refused(case):
    test, factor, unit = MIXED[case]
    shares = scores(0.5, 0.1, n=60, high=1)
    tables = {"a": table("a", factor * shares), "b": table("b", shares)}
    with pytest.raises(ValueError, match=r"no score of b/score is above 1, those of a/score reach"):
        judged(test, tables, unit=unit)


def test_a_task_on_another_scale_than_its_arm_is_found_among_the_others():
    names = [f"t{i % 3}/q{i}" for i in range(60)]
    shares = scores(0.5, 0.1, n=60, high=1)
    percent = np.where(np.arange(60) % 3, 1, 100) * shares
    tables = {arm: table(arm, v).assign(block=names) for arm, v in (("a", percent), ("b", shares))}
    prior = {"ability": 50, "spread": 20}
    with pytest.raises(ValueError, match=r"b/score is above 1, .* \(task t0\): shares beside"):
        judged({**TASKS, **OF_SCORES, "prior": prior}, tables, unit="score")


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([[0.4, 55.0, 30.0], [0.1, 0.9, 0.2]], "chrF"),  # says what scale it is on
        ([[8.0, 9.0, 10.0], [0.0, 1.0, 1.0]], "score"),  # marks up to 10
        ([[40.0, 55.0, 30.0], [0.0, 0.0, 0.0]], "score"),  # nothing right
        ([[0.4, 55.0, 30.0], [0.1, 12.0, 1.2]], "score"),
    ],
)
def test_one_scale_is_taken_for_one(values, unit):
    test = TypeAdapter(Test).validate_python(
        {**SCORES, "experiment": "e", "region": [1, None], "sesoi": 1}
    )
    one_scale(test, {arm: table(arm, v, unit=unit) for arm, v in zip("ab", values, strict=True)})


@pytest.mark.parametrize(("unit", "of_scores"), [("chrF", "BLEU"), ("nat", "bit"), ("s", "ms")])
def test_a_claim_in_another_unit_than_its_scores_is_refused(unit, of_scores):
    tables = {arm: table(arm, scores(5, 1, seed=i), unit=of_scores) for i, arm in enumerate("ab")}
    with pytest.raises(ValueError, match=f"scores are in '{of_scores}', the claim speaks of"):
        judged({**SCORES, "region": [-1, 1]}, tables, unit=unit)


def test_the_share_of_clusters_beyond_many_is_the_t_interval_of_their_means():
    rng = np.random.default_rng(3)
    right = rng.random(12_000) < np.repeat(rng.beta(8, 2, 3000), 4)
    found = judged({**SHARE, "region": [0.75, 0.85], **CLUSTERS},
                   {"a": table("a", right, clusters=4)}, unit="share")  # fmt: skip
    assert found["verdict"] == "VERIFIED"
    means = right.reshape(-1, 4).mean(1)
    expected = stats.t.interval(0.95, means.size - 1, means.mean(), stats.sem(means))
    assert found["posterior"]["eti"] == pytest.approx(expected, abs=5e-4)


LARGE = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from test_decisive_data import SCORES, BINARY, RATIO, judged, table
kind, rows = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
if kind == "binary":
    test = {{**BINARY, "region": [0.05, None], "sesoi": 0.01}}
    values = [rng.random(rows // 2) < p for p in (0.6, 0.5)]
elif kind == "score":
    test = {{**SCORES, "region": [0.3, None], "sesoi": 0.1}}
    values = [rng.normal(m, 1, rows // 2) for m in (5.5, 5)]
else:
    test = {{"design": "paired_log_ratio", "readings": RATIO, "levels": ["sentence"],
            "region": [1.3, None], "sesoi": 1.1}}
    values = [np.exp(rng.normal(m, 0.3, rows // 2)) for m in (0.5, 0)]
tables = {{arm: table(arm, found) for arm, found in zip("ab", values)}}
units = {{"binary": "share", "score": "points", "ratio": "ratio"}}
found = judged({{**test, "direction": "greater"}}, tables, unit=units[kind])
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])  # its own
print(found["verdict"], len(found["blocks"]), found["diagnostics"]["sampled_units"], peak)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rows", [500_000, 1_000_000])
@pytest.mark.parametrize("kind", ["score", "binary", "ratio"])
def test_hundreds_of_thousands_of_rows_take_bounded_memory(kind, rows, request):
    code = LARGE.format(tests=str(request.path.parent))
    command = [sys.executable, "-W", "ignore", "-c", code, kind, str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    verdict, shown, sampled, kilobytes = done.stdout.split()
    assert verdict == "VERIFIED"
    assert int(shown) <= 5000
    assert sampled == ("None" if kind == "binary" else "5000")
    assert int(kilobytes) < 2e6
