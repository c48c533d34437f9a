"""Evidence of each design on small data sets whose answer can be had another way."""

import numpy as np
import pandas as pd
import pytest
from kensho.claims.designs import Test
from kensho.stats.evidence import Undefined, gather
from pydantic import TypeAdapter
from scipy import stats

POINTS = {"location": 1.0, "spread": 1.0}
DOSES = {f"n{dose}": float(dose) for dose in (500, 1000, 2000, 4000, 8000, 16000)}


def registered(design, **given):
    common = {"experiment": "e", "region": [0.0, 0.5], "direction": "greater", "sesoi": 0.01}
    return TypeAdapter(Test).validate_python({"design": design, **common, **given})


def contrast():
    sides = ({"arm": arm, "metric": "acc"} for arm in ("a", "b"))
    return {"label": "a - b", **dict(zip(("treatment", "control"), sides, strict=True))}


def table(arm, values, metric="acc"):
    """One row for each block and replicate of {block: value or list of values}."""
    rows = [
        {"block": block, "replicate": i, "metric": metric, "value": float(value)}
        for block, cell in values.items()
        for i, value in enumerate(np.atleast_1d(cell))
    ]
    return pd.DataFrame(rows).assign(experiment="e", arm=arm, unit="share")


def answers(seed, share, names):
    rng = np.random.default_rng(seed)
    return {name: rng.random() < share for name in names}


def evidence(test, tables):
    return gather(test, getattr(test, "readings", [None])[0], tables, seed=0)


def test_accuracy_difference_of_independent_items_counts_the_discordant():
    a = {"q1": 1, "q2": 1, "q3": 0, "q4": 1, "q5": 0}
    b = {"q1": 1, "q2": 0, "q3": 1, "q4": 0, "q5": 0}
    test = registered("paired_difference", readings=[contrast()], outcome="binary")
    found = evidence(test, {"a": table("a", a), "b": table("b", b)})
    assert found.data["counts"].tolist() == [1, 2, 1, 1]  # both, only a, only b, neither
    assert found.interval(0.05).estimate == pytest.approx(0.2)
    assert found.frequentist["p_value"] == stats.binomtest(2, 3).pvalue


def test_accuracy_difference_in_clusters_rests_on_the_clusters():
    names = [f"p{i % 12}/q{i}" for i in range(120)]
    a, b = answers(1, 0.8, names), answers(2, 0.6, names)
    test = registered(
        "paired_difference", readings=[contrast()], outcome="binary", levels=["passage", "item"]
    )
    found = evidence(test, {"a": table("a", a), "b": table("b", b)})
    means = pd.Series({n: a[n] - 1.0 * b[n] for n in names}).groupby(lambda n: n.split("/")[0])
    expected = stats.ttest_1samp(means.mean(), 0).confidence_interval(0.95)
    assert found.interval(0.05)[1:3] == pytest.approx((expected.low, expected.high))
    assert found.n == 12 and found.data["items"].tolist() == [10] * 12
    assert found.data["wins"].sum() - found.data["losses"].sum() == sum(a.values()) - sum(
        b.values()
    )


def gain(sides):
    reading = {
        "label": "a / b",
        "numerator": {"arm": "a", "metric": "acc"},
        "denominator": {"arm": "b", "metric": "acc"},
    }
    test = registered("ratio_of_means", readings=[reading], region=[1.1, 1.15], sesoi=1.05)
    return evidence(test, {arm: table(arm, cells) for arm, cells in sides.items()})


def test_a_gain_of_accuracy_is_the_ratio_of_the_shares_over_all_seeds():
    a = {"q1": [1, 1], "q2": [1, 0], "q3": [0, 0], "q4": [1, 1]}  # two training seeds
    b = {"q1": 1, "q2": 0, "q3": 0, "q4": 1}
    found = gain({"a": a, "b": b})
    fit = found.interval(0.05)
    assert np.exp(fit.estimate) == pytest.approx((2.5 / 4) / (2 / 4))
    x, y = np.array([1, 0.5, 0, 1]), np.array([1, 0, 0, 1])
    residuals = (x - 1.25 * y) / 0.625  # delta method by hand
    assert fit.se == pytest.approx(residuals.std(ddof=1) / 2)
    assert (found.n, found.model) == (4, "normal")


def test_a_side_without_right_answers_gives_no_ratio():
    with pytest.raises(ValueError, match="'a / b': a side has the mean 0"):
        gain({"a": {"q1": 1, "q2": 0}, "b": {"q1": 0, "q2": 0}})


def test_half_answers_are_no_binary_outcome():
    test = registered("paired_difference", readings=[contrast()], outcome="binary")
    cells = {"q1": [0, 1], "q2": [1, 1]}
    with pytest.raises(ValueError, match=r"block 'q1' holds 0.5"):
        evidence(test, {"a": table("a", cells), "b": table("b", cells)})


def test_scores_average_their_replicates():
    a = {f"q{i}": [i, i + 2.0] for i in range(6)}
    b = {f"q{i}": i * 0.9 for i in range(6)}
    test = registered("paired_difference", readings=[contrast()], outcome="score", prior=POINTS)
    found = evidence(test, {"a": table("a", a), "b": table("b", b)})
    assert found.units.to_dict() == pytest.approx({f"q{i}": 1 + 0.1 * i for i in range(6)})
    assert found.shown["variance"]["within_units"] == pytest.approx(2.0)


def test_proportion_is_wilson_over_items_and_t_over_clusters():
    names = [f"p{i % 8}/q{i}" for i in range(80)]
    right = answers(3, 0.7, names)
    reading = {"label": "accuracy", "of": {"arm": "a", "metric": "acc"}}
    given = {"readings": [reading], "direction": None}
    tables = {"a": table("a", right)}
    alone = evidence(registered("proportion", **given), tables)
    wilson = stats.binomtest(sum(right.values()), 80).proportion_ci(0.95, "wilson")
    assert alone.interval(0.05)[1:3] == pytest.approx((wilson.low, wilson.high))
    clustered = evidence(registered("proportion", **given, levels=["passage", "item"]), tables)
    assert (clustered.n, alone.n) == (8, 80)
    assert clustered.data["correct"].sum() == sum(right.values())


def preferences(first, second):
    return pd.concat(
        [table("a-b", first, "preference.first"), table("a-b", second, "preference.second")]
    )


def test_win_rate_averages_both_orders_over_prompts():
    first = {"p1": 1, "p2": 1, "p3": 0.5, "p4": 0}
    second = {"p1": 1, "p2": 0, "p3": 0.5, "p4": 0}
    test = registered("win_rate", comparison="a-b", region=[0.5, 0.9])
    found = evidence(test, {"a-b": preferences(first, second)})
    assert found.units.to_dict() == {"p1": 1.0, "p2": 0.5, "p3": 0.5, "p4": 0.0}
    assert found.interval(0.05).estimate == 0.5
    rows = list(zip(found.data["prompt"], found.data["order"], found.data["outcome"], strict=True))
    assert (1, 1, 2) in rows and (1, -1, 0) in rows and len(rows) == 8
    assert found.shown["order_effect"] == pytest.approx(0.25)


NUMBERS = [f"p{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (1, 0, "whatever was shown first won 100%"),
        (0, 1, "whatever was shown second won 100%"),
    ],
)
def test_a_judge_that_sees_only_places_gives_no_win_rate(first, second, why):
    test = registered("win_rate", comparison="a-b", region=[0.5, 0.9])
    cells = dict.fromkeys(NUMBERS, first), dict.fromkeys(NUMBERS, second)
    with pytest.raises(Undefined, match=f"^e/a-b.csv: {why}"):
        evidence(test, {"a-b": preferences(*cells)})
    random = registered("win_rate", comparison="a-b", region=[0.5, 0.9], orders="random")
    with pytest.raises(Undefined, match=f"^e/a-b.csv: {why}"):
        drawn = dict(zip([f"q{n}" for n in range(20)], cells[1].values(), strict=True))
        evidence(random, {"a-b": preferences(cells[0], drawn)})


@pytest.mark.parametrize("orders", ["both", "random"])
def test_nothing_but_ties_is_no_win_rate(orders):
    test = registered("win_rate", comparison="a-b", region=[0.5, 0.9], orders=orders)
    others = NUMBERS if orders == "both" else [f"q{n}" for n in range(20)]
    tied = preferences(dict.fromkeys(NUMBERS, 0.5), dict.fromkeys(others, 0.5))
    found = evidence(test, {"a-b": tied})
    assert found.interval is None
    assert found.constant == "e/a-b.csv: all 40 judgements of the claim's models are ties"


def test_a_system_that_always_wins_is_no_matter_of_place():
    test = registered("win_rate", comparison="a-b", region=[0.5, 0.9])
    always = dict.fromkeys(NUMBERS, 1)
    assert evidence(test, {"a-b": preferences(always, always)}).units.mean() == 1


def test_a_prompt_judged_in_one_order_is_named():
    test = registered("win_rate", comparison="a-b", region=[0.5, 0.9])
    with pytest.raises(ValueError, match=r"e/a-b.csv: prompt 'p2' was judged in only one order"):
        evidence(test, {"a-b": preferences({"p1": 1, "p2": 1}, {"p1": 1})})
    with pytest.raises(ValueError, match="prompt 'p1' holds 3, a preference is"):
        evidence(test, {"a-b": preferences({"p1": 3}, {"p1": 1})})


def curve(c=0.5, noise=0.2):
    rng = np.random.default_rng(5)
    return {
        arm: table(
            arm,
            {
                f"seed-{s}": 10 - c * (np.log2(dose) - 12) ** 2 + rng.normal(0, noise)
                for s in range(5)
            },
        )
        for arm, dose in DOSES.items()
    }


def dose_test(**given):
    common = {"doses": DOSES, "metric": "acc", "region": [2828.0, 5657.0], "direction": None}
    return registered("dose_optimum", **common, **given)


def test_dose_optimum_is_found_in_doses():
    found = evidence(dose_test(), curve())
    fit = found.interval(0.05)
    assert 2 ** float(fit.low) < 4096 < 2 ** float(fit.high)
    assert found.frequentist["p_value"] < 1e-6 and found.frequentist["eta_squared"] > 0.5
    assert found.shown["grid_argmax"]["n4000"] == 5


def test_a_peak_that_gains_too_little_is_undefined():
    found = evidence(dose_test(), curve())
    scores = np.concatenate([rows["value"] for rows in curve().values()])
    draws = {"peak": np.array([12.0, 12.0, 9.0]), "c": np.array([0.5, -0.5, 0.5]) / scores.std()}
    peaks = found.estimand(draws, found.data)
    assert peaks[0] == 12 and np.isnan(peaks[1])
    flat = evidence(dose_test(sesoi=5.0), curve())  # from 12 to the nearer end: 0.5 * 1.97^2
    assert np.isnan(flat.estimand(draws, flat.data)).all()


def tasks(shares, count=6, items=40):
    names = [f"t{k}/q{i}" for k in range(count) for i in range(items)]
    return {arm: table(arm, answers(i, p, names)) for i, (arm, p) in enumerate(shares.items())}


def test_on_average_the_tasks_are_the_units():
    tables = tasks({"a": 0.8, "b": 0.5})
    test = registered("tasks", on="average", readings=[contrast()], region=[0.0, None])
    found = evidence(test, tables)
    means = {
        arm: rows.groupby(rows["block"].str.split("/").str[0])["value"].mean()
        for arm, rows in tables.items()
    }
    expected = stats.ttest_rel(means["a"], means["b"])
    assert found.frequentist["p_value"] == pytest.approx(expected.pvalue)
    assert found.n == 6 and found.data["mean"].shape == (6, 2)


def test_on_all_tasks_the_weakest_decides():
    tables = tasks({"a": 0.8, "b": 0.5})
    reading = {"readings": [contrast()], "region": [0.0, None]}
    every = evidence(registered("tasks", on="all", **reading), tables)
    some = evidence(registered("tasks", on="at_least", at_least=2, **reading), tables)
    assert every.interval(0.05).estimate == every.units.min()
    assert some.interval(0.05).estimate == every.units.sort_values().iloc[-2]
    assert every.n == 40
    effects = np.array([[0.5, 0.2, 0.6, 0.9, 0.8, 0.7]])
    draws = {"task_effects": np.stack([effects, np.zeros_like(effects)], axis=-1)}
    assert every.estimand(draws, {}).tolist() == [0.2]
    assert some.estimand(draws, {}).tolist() == [0.8]
    with pytest.raises(ValueError, match="at least 7 tasks, found 6"):
        evidence(registered("tasks", on="at_least", at_least=7, **reading), tables)


def test_the_smallest_gap_decides_an_order():
    tables = tasks({"a": 0.9, "b": 0.6, "c": 0.5}, count=10)
    given = {"models": ["a", "b", "c"], "metric": "acc", "region": [0.0, None]}
    whole = evidence(registered("rank_order", order="whole", **given), tables)
    first = evidence(registered("rank_order", order="first", **given), tables)
    assert whole.interval(0.05).estimate == pytest.approx(whole.units.mean())
    assert whole.interval(0.05).estimate < first.interval(0.05).estimate
    draws = {"theta": np.array([[0.3, 0.1, -0.4], [0.0, 0.2, -0.2]])}
    assert whole.estimand(draws, {}).tolist() == pytest.approx([0.2, -0.2])
    assert first.estimand(draws, {}).tolist() == pytest.approx([0.2, -0.2])
    assert whole.shown["average_rank"]["a"] == 1.0
    assert whole.frequentist["p_value"] < 1e-3


def test_a_task_with_one_item_is_named():
    tables = {arm: table(arm, {"t1/q1": 1, "t2/q1": 1, "t2/q2": 0}) for arm in ("a", "b")}
    test = registered("tasks", on="average", readings=[contrast()], region=[0.0, None])
    with pytest.raises(ValueError, match="task 't1' has 1 item; at least 2"):
        evidence(test, tables)


def test_constant_scores_have_no_interval():
    cells = {f"q{i}": 1 for i in range(20)}
    test = registered("paired_difference", readings=[contrast()], outcome="score", prior=POINTS)
    found = evidence(test, {"a": table("a", cells), "b": table("b", cells)})
    assert found.interval is None
    assert found.constant == "e: 20 units and one difference between a and b in all of them"
