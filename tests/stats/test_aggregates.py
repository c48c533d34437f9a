"""What two means allow, against the items that they are of."""

import itertools

import numpy as np
import pandas as pd
import pytest
from kensho.audit.table import Spec
from kensho.claims.model import Claim, Tier
from kensho.stats import aggregates, intervals, judge
from kensho.stats.analysis import Settings

SIDES = {arm: {"arm": arm, "metric": "score"} for arm in ("tuned", "base")}
NAMED = {"treatment": SIDES["tuned"], "control": SIDES["base"]}


def rounded(share, decimals):
    half = 0.5 * 10**-decimals
    value = round(share, decimals)
    return value - half, value + half


@pytest.mark.parametrize("decimals", [1, 2, 3])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_limits_hold_the_interval_of_every_pairing(decimals, alpha):
    items = 12
    for a, b in itertools.product(range(items + 1), repeat=2):
        wide, narrow = aggregates.difference(
            rounded(a / items, decimals), rounded(b / items, decimals), items, alpha
        )
        for both in range(max(0, a + b - items), min(a, b) + 1):
            fit = intervals.paired_proportions(a - both, b - both, items, alpha)
            assert wide.low <= fit.low + 1e-12 and fit.high <= wide.high + 1e-12
            if decimals == 3:  # the printed figures move the narrowest a little
                assert narrow.high - narrow.low <= fit.high - fit.low + 0.002


def test_scores_between_the_ends_spread_no_more_than_right_and_wrong_ones():
    rng = np.random.default_rng(0)
    for _ in range(200):
        x, y = rng.beta(*rng.uniform(0.1, 2, 2), (2, 40))
        y = y if rng.random() < 0.5 else np.clip(x + 0.1, 0, 1)
        sides = [(side.mean(), side.mean()) for side in (x, y)]
        wide, narrow = aggregates.difference(*sides, 40, 0.05, graded=True)
        assert (x - y).std() <= wide.se * np.sqrt(42) + 1e-12
        assert narrow.low == narrow.high == pytest.approx(x.mean() - y.mean())


def test_the_best_of_many_is_wider():
    alone, best = (
        aggregates.difference((0.6, 0.6), (0.5, 0.5), 200, 0.05, best_of=k).widest for k in (1, 20)
    )
    assert best.low < alone.low and best.high > alone.high


def test_the_limits_of_several_tasks_hold_every_pairing_and_all_roundings_at_once():
    draw = np.random.default_rng(1)
    for _ in range(60):
        sizes, fits, means = (8, 12, 20), [], []
        for n in sizes:
            a, b = (int(k) for k in draw.integers(0, n + 1, 2))
            both = int(draw.integers(max(0, a + b - n), min(a, b) + 1))
            fits.append(intervals.paired_proportions(a - both, b - both, n, 0.05))
            means.append(aggregates.Means(rounded(a / n, 1), rounded(b / n, 1), n))
        wide, _ = aggregates.mean_difference(means, 0.05)
        own = intervals.combined(fits, [1 / 3] * 3)
        assert wide.low <= own.low + 1e-9 and own.high <= wide.high + 1e-9
    alone = [aggregates.mean_difference([one], 0.05).widest for one in means]
    assert wide.high - wide.low < np.mean([one.high - one.low for one in alone])


def claim(region, **change):
    test = {
        "design": "published_aggregate",
        "experiment": "own",
        "readings": [{"label": "all", **NAMED}],
        "outcome": "binary",
        "items": 500,
        "range": [0, 1],
        "region": region,
        "direction": "greater",
        "sesoi": 0.01,
        **change,
    }
    return Claim.model_validate(
        {
            "id": "OWN-1",
            "source": "own",
            "statement": "tuning helps",
            "quantity": "accuracy, tuned - base",
            "unit": "percentage points",
            "claimed": {"at_least": region[0] * 100 / test["range"][1]},
            "scope": {"models": ["any"]},
            "required_tier": "published",
            "test": test,
            "not_tested": None,
        }
    )


def judged(tuned, base, region=(0.05, None), **change):
    tables, conditions = {}, {}
    for arm, value in (("tuned", tuned), ("base", base)):
        row = {"experiment": "own", "arm": arm, "block": "gpqa", "replicate": 0}
        tables[arm] = pd.DataFrame([row | {"metric": "score", "value": value, "unit": "score"}])
        conditions[arm] = {"tier": Tier.PUBLISHED, "registered": {}}
    settings = Settings(family_size=1, alpha=0.05, seed=0)
    judgement, posterior = judge.judge(claim(list(region), **change), tables, conditions, settings)
    assert posterior is None
    return judgement


@pytest.mark.parametrize(
    ("tuned", "base", "least", "verdict", "words"),
    [
        (0.9, 0.3, 0.05, "VERIFIED", "holds"),
        (0.3, 0.9, 0.05, "FAILED", "excluded"),
        (0.62, 0.58, 0.01, "INCONCLUSIVE", "items, paired, could decide"),
        (0.56, 0.51, 0.05, "INCONCLUSIVE", "No pairing of so many items"),
    ],
)
def test_verdicts_of_two_means(tuned, base, least, verdict, words):
    found = judged(tuned, base, (least, None))
    assert (found.verdict, found.tier, found.n_units) == (verdict, "published", 500)
    assert words in found.sentence
    low, high = found.details.fewest_discordant
    assert found.interval_family[0] < low and high < found.interval_family[1]


def test_an_undecided_claim_says_how_many_items_would_decide():
    found = judged(0.70, 0.62, sesoi=0.05)
    assert found.verdict == "INCONCLUSIVE" and found.power.n_required > 500
    assert f"{found.power.n_required} units would show it" in found.sentence


def test_what_rounding_leaves_open_asks_for_decimals():
    coarse, fine = (judged(0.7, 0.6, items=100_000, decimals=n) for n in (1, 3))
    assert (coarse.verdict, fine.verdict) == ("INCONCLUSIVE", "VERIFIED")
    assert "More decimals of both figures could decide it." in coarse.sentence


def test_points_of_a_hundred_and_decimals():
    shares = judged(0.9, 0.3, decimals=2)
    points = judged(90.0, 30.0, (5, None), range=[0, 100], sesoi=1)
    assert points.interval_family[0] == pytest.approx(100 * shares.interval_family[0])
    told = judged(90.0, 30.0, (5, None), range=[0, 100], sesoi=1, decimals=1)
    assert told.interval_family[0] > points.interval_family[0]  # 90 may have been 89.5


def test_a_picked_difference_is_held_to_more():
    assert judged(0.66, 0.44, (0.11, None)).verdict == "VERIFIED"
    assert judged(0.66, 0.44, (0.11, None), best_of=40).verdict != "VERIFIED"


def of_tasks(tuned, base):
    rows = {"tuned": tuned, "base": base}
    return {
        arm: pd.DataFrame(
            {"experiment": "own", "arm": arm, "block": ["x", "y"], "replicate": 0,
             "metric": "score", "value": values, "unit": "score"}
        )
        for arm, values in rows.items()
    }  # fmt: skip


def test_several_tasks_are_judged_by_their_mean():
    tables = of_tasks([0.60, 0.95], [0.50, 0.65])
    conditions = {arm: {"tier": Tier.PUBLISHED, "registered": {}} for arm in SIDES}
    settings = Settings(family_size=1, alpha=0.05, seed=0)
    found, _ = judge.judge(
        claim([0.05, None], items={"x": 300, "y": 200}, decimals=2), tables, conditions, settings
    )
    assert found.estimate == pytest.approx(0.2) and found.n_units == 500
    assert found.verdict == "VERIFIED"
    with pytest.raises(ValueError, match="task 'y' stands in only one of its tables and `items`"):
        judge.judge(claim([0.05, None], items={"x": 300}), tables, conditions, settings)


def test_several_figures_of_an_arm_are_no_aggregate():
    tables = {
        arm: pd.DataFrame(
            {"experiment": "own", "arm": arm, "block": ["x", "y"], "replicate": 0,
             "metric": "score", "value": 0.5, "unit": "score"}
        )
        for arm in SIDES
    }  # fmt: skip
    conditions = {arm: {"tier": Tier.PUBLISHED, "registered": {}} for arm in SIDES}
    with pytest.raises(ValueError, match="task 'y' stands in only one"):
        judge.judge(claim([0.05, None]), tables, conditions, Settings(family_size=1, alpha=0.05,
                                                                     seed=0))  # fmt: skip


def test_places_of_a_board_that_nothing_published_separates():
    spec = Spec.model_validate(
        {"title": "b", "table": "b.csv", "rows": "model", "checks": [],
         "ties": [{"score": "acc", "items": 1000}]}
    )  # fmt: skip
    table = pd.DataFrame({"model": list("abcd"), "acc": ["0.90", "0.89", "0.30", "-"]}, dtype=str)
    found = aggregates.places(spec, table, 0.05).set_index("row")
    assert found[["best_place", "worst_place"]].to_numpy().tolist() == [[1, 2], [1, 2], [3, 3]]
    assert found["separated"].unique() == pytest.approx([2 / 3])


def test_places_are_those_of_every_pair_on_boards_of_mixed_decimals():
    draw = np.random.default_rng(2)
    for items in (50, 400):
        scores = [f"{x:.{draw.choice([1, 2, 3])}f}" for x in draw.random(40)]
        spec = Spec.model_validate(
            {"title": "b", "table": "b.csv", "rows": "model", "checks": [],
             "ties": [{"score": "acc", "items": items}]}
        )  # fmt: skip
        table = pd.DataFrame({"model": [str(k) for k in range(40)], "acc": scores}, dtype=str)
        found = aggregates.places(spec, table, 0.05)
        ends = [
            rounded(float(text), len(text.removeprefix("0.").removeprefix("1."))) for text in scores
        ]
        beats = np.array(
            [[aggregates.difference(a, b, items, 0.05 / 780).widest.low > 0 for b in ends]
             for a in ends]
        )  # fmt: skip
        assert 0 < beats.sum() < 780
        assert (found["best_place"] == 1 + beats.sum(axis=0)).all()
        assert (found["worst_place"] == 40 - beats.sum(axis=1)).all()
        assert found["separated"].unique() == pytest.approx([beats.sum() / 780])
