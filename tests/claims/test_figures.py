"""A claimed figure on the scale of its test: what is converted, and what is refused with a mend."""

import pytest
from kensho.claims.model import Claim
from kensho.validation import problems
from pydantic import ValidationError

SIDES = {arm: {"arm": arm, "metric": "score"} for arm in ("tuned", "base")}
DIFFERENCE = {
    "design": "paired_difference",
    "outcome": "score",
    "prior": {"location": 5, "spread": 20},
    "readings": [{"label": "all", "treatment": SIDES["tuned"], "control": SIDES["base"]}],
}
RATIO = {
    "design": "ratio_of_means",
    "readings": [{"label": "all", "numerator": SIDES["tuned"], "denominator": SIDES["base"]}],
}
SHARE = {"design": "proportion", "readings": [{"label": "all", "of": SIDES["tuned"]}]}
BINARY = {**DIFFERENCE, "outcome": "binary", "prior": None}
UNPAIRED = {**BINARY, "design": "unpaired_difference"}
SHARES = {"range": [0, 1]}
TASKS = {"design": "tasks", "on": "average", "readings": DIFFERENCE["readings"]}
ORDER = {"design": "rank_order", "models": ["tuned", "base"], "metric": "score", "order": "first"}
MEAN = {**SHARE, "design": "mean_score", "prior": {"location": 100, "spread": 20}}


def record(test, unit, claimed, region, **more):
    ratio = "ratio" in test["design"]
    registered = {"experiment": "own", "region": region, "sesoi": 1.01 if ratio else 0.01}
    return {
        "id": "OWN-1",
        "source": "own",
        "statement": "tuning helps",
        "quantity": "score",
        "unit": unit,
        "claimed": claimed,
        "scope": {"models": ["any"]},
        "test": {**registered, **test, **more},
        "not_tested": None,
    }


@pytest.mark.parametrize(
    ("test", "unit", "claimed", "region", "more"),
    [
        (DIFFERENCE, "percentage points", {"at_least": 5}, [5, None], {"range": [0, 100]}),
        (DIFFERENCE, "percentage points", {"at_least": 5}, [0.05, None], {"range": [0, 1]}),
        (DIFFERENCE, "points", {"value": 0.5}, [0.4, 0.6], {"range": [0, 10]}),
        (DIFFERENCE, "points", {"value": 0.5}, [0.4, 0.6], {}),
        (DIFFERENCE, "nat", {"at_most": 0.01}, [None, 0.01], {"range": [0, None]}),
        (BINARY, "percentage points", {"at_least": 5}, [0.05, None], {}),
        (MEAN, "percentage points", {"at_least": 60}, [0.6, None], SHARES),
        (SHARE, "share", {"at_least": 1}, [1, None], {}),
        (RATIO, "percent gain", {"low": 10, "high": 15}, [1.10, 1.15], {}),
        (RATIO, "percent less", {"low": 10, "high": 20}, [0.8, 0.9], {}),
        (RATIO, "percent less", {"at_least": 30}, [None, 0.7], {}),
        (RATIO, "gain", {"at_most": 0.25}, [1.0, 1.25], {}),
        (SHARE, "percent", {"at_most": 5}, [None, 0.05], {}),
    ],
)
def test_the_region_of_the_claimed_figure_is_taken(test, unit, claimed, region, more):
    given = record(test, unit, claimed, region, **more)
    assert Claim.model_validate(given).test.region == region


@pytest.mark.parametrize(
    ("test", "unit", "claimed", "region", "more", "mend"),
    [
        # a scale that nobody declared, and the two wrong ends of a declared one
        (DIFFERENCE, "percentage points", {"at_least": 5}, [0.05, None], {}, "needs test.range"),
        (DIFFERENCE, "percentage points", {"at_least": 5}, [5, None], {}, "needs test.range"),
        (DIFFERENCE, "percentage points", {"at_least": 5}, [0.05, None], {"range": [0, 100]},
         "does not hold the claimed set {'at_least': 5.0}"),
        (DIFFERENCE, "percentage points", {"at_least": 5}, [5, None], {"range": [0, 1]},
         "region: 5 is no difference of scores from 0 to 1"),
        (DIFFERENCE, "percentage points", {"at_least": 5}, [0.5, None], {"range": [0, 10]},
         "write unit: points"),
        # words for percent that can be read in two ways
        (DIFFERENCE, "percent", {"at_least": 5}, [5, None], {}, "write 'percentage points'"),
        (DIFFERENCE, "%", {"at_least": 5}, [0.05, None], {}, "write 'percentage points'"),
        (DIFFERENCE, "パーセント", {"at_least": 5}, [5, None], {}, "write 'percentage points'"),
        (DIFFERENCE, "percent gain", {"at_least": 5}, [1.05, None], {}, "a design of a ratio"),
        (BINARY, "percent", {"at_least": 5}, [0.05, None], {}, "write 'percentage points'"),
        (SHARE, "share", {"low": 0, "high": 1}, [0, 1], {}, "would hold for any share"),
        (MEAN, "points", {"at_most": 100}, [None, 100], {"range": [0, 100]}, "would hold for any"),
        (BINARY, "share", {"low": -1, "high": 1}, [-1, 1], {}, "would hold for any difference"),
        (BINARY, "正解率", {"at_least": 1}, [1, None], {}, "but the farthest"),
        (DIFFERENCE, "points", {"at_least": 10}, [10, None], {"range": [0, 10]}, "farthest"),
        (BINARY, "share", {"at_least": 0.05}, [0.05, None], {"sesoi": 1}, "sesoi: must be smaller"),
        # points of shares
        (BINARY, "points", {"at_least": 5}, [0.05, None], {}, "(5 is 0.05)"),
        (BINARY, "points", {"low": -1, "high": 1}, [-1, 1], {}, "5 percentage points are 0.05"),
        (UNPAIRED, "ポイント", {"at_least": 1}, [1, None], {}, "5 percentage points are 0.05"),
        (UNPAIRED, "点", {"at_least": 5}, [0.05, None], {}, "write 'percentage points'"),
        (DIFFERENCE, "pt", {"at_least": 0.5}, [0.5, None], SHARES, "write 'percentage points'"),
        (TASKS, "Points", {"at_least": 0.5}, [0.5, None], {}, "write 'percentage points'"),
        (ORDER, "accuracy points", {"at_least": 0.5}, [0.5, None], {}, "'percentage points'"),
        (MEAN, "ﾎﾟｲﾝﾄ", {"at_least": 0.5}, [0.5, None], SHARES, "write 'percentage points'"),
        (DIFFERENCE, "points", {"at_least": 0.1}, [0.1, None], {"range": [-1, 1]}, "'score'"),
        (RATIO, "percent", {"low": 10, "high": 20}, [0.8, 0.9], {}, "'percent less'"),
        (RATIO, "percent less", {"at_least": 30}, [0.7, None], {}, "does not hold"),
        (SHARE, "percentage points", {"at_most": 5}, [None, 0.05], {}, "'percent' or 'share'"),
        # ranges that cannot be
        (DIFFERENCE, "points", {"value": 0.5}, [0.4, 0.6], {"range": [1, 0]}, "not below high"),
        (RATIO, "ratio", {"value": 2}, [1.8, 2.2], {"range": [0, 1]}, "range is for scores"),
        (BINARY, "share", {"at_least": 0.05}, [0.05, None], {"range": [0, 1]}, "leave it out"),
    ],
)  # fmt: skip
def test_another_reading_is_refused_with_the_mend(test, unit, claimed, region, more, mend):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(record(test, unit, claimed, region, **more))
    (line,) = problems(caught.value, "own.yaml", Claim, under="OWN-1")
    assert mend in line


@pytest.mark.parametrize(
    ("unit", "claimed", "region", "value", "gain"),
    [
        ("percent gain", {"value": 118}, [2.1, 2.3], 2.18, True),
        ("percent less", {"value": 20}, [0.75, 0.85], 0.8, True),
        ("ratio", {"value": 2}, [1.8, 2.2], 2, False),
        ("percent gain", {"low": 10, "high": 15}, [1.1, 1.15], None, True),
    ],
)
def test_a_point_claim_has_its_value_on_the_scale_of_the_test(unit, claimed, region, value, gain):
    claim = Claim.model_validate(record(RATIO, unit, claimed, region))
    assert claim.claimed_value() == (value if value is None else pytest.approx(value))
    assert claim.speaks_of_gain == gain


@pytest.mark.parametrize(
    ("test", "sides"),
    [
        (DIFFERENCE, ("treatment", "control")),
        (UNPAIRED, ("treatment", "control")),
        (TASKS, ("treatment", "control")),
        (RATIO, ("numerator", "denominator")),
    ],
    ids=lambda value: value.get("design") if isinstance(value, dict) else "",
)
def test_an_arm_is_not_compared_with_itself(test, sides):
    test = {**test, "readings": [{"label": "x", **dict.fromkeys(sides, SIDES["base"])}]}
    region = [1.1, None] if test["design"] == "ratio_of_means" else [0.05, None]
    with pytest.raises(ValidationError, match="both sides are base/score: one must be another"):
        Claim.model_validate(record(test, "score", {"at_least": region[0]}, region))


TIMES = {**RATIO, "design": "paired_log_ratio"}


@pytest.mark.parametrize(
    "levels", [["run"], ["trial"], ["process"], ["repetition", "item"], ["回"]]
)
def test_the_units_of_times_say_whether_they_ran_in_order(levels):
    given = record(TIMES, "ratio", {"at_least": 1.1}, [1.1, None], levels=levels)
    with pytest.raises(ValidationError, match=f"levels: expected block .*, found '{levels[0]}'"):
        Claim.model_validate(given)


@pytest.mark.parametrize(
    ("levels", "in_order", "floor"),
    [
        (["block"], True, 10),
        (["block", "item"], True, 10),  # each run goes through the items
        (["seed"], False, 3),
        (["seed", "item"], False, 3),
        (["item"], False, 5),
        (["passage", "sentence"], False, 5),
    ],
)
def test_repeated_runs_are_in_order_whatever_they_go_through(levels, in_order, floor):
    given = record(TIMES, "ratio", {"at_least": 1.1}, [1.1, None], levels=levels, min_units=2)
    test = Claim.model_validate(given).test
    assert (test.in_order, test.needed_units) == (in_order, floor)
