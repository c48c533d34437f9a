import math

import numpy as np
import pandas as pd
import pingouin as pg
import pytest
from kensho.stats import frequentist
from scipy import stats

LOGS = np.array([0.0078, 0.0081, 0.0161, 0.0110])


def test_intervals_are_the_t_intervals_unrounded():
    for alpha in (0.05, 0.05 / 12):
        expected = stats.ttest_1samp(LOGS, 0).confidence_interval(1 - alpha)
        assert frequentist.paired(LOGS, alpha)["interval"] == pytest.approx(expected, rel=1e-12)
    # pingouin's own interval is rounded to two decimals unless an undocumented option is reset.
    found = frequentist.paired(LOGS, 0.05)
    assert found["interval"][0] != pytest.approx(pg.ttest(LOGS, 0)["CI95"].iloc[0][0])
    assert found["p_value"] == pytest.approx(stats.ttest_1samp(LOGS, 0).pvalue, rel=1e-12)


def test_swapped_arms_give_the_opposite_effect():
    one, other = frequentist.paired(LOGS, 0.05), frequentist.paired(-LOGS, 0.05)
    assert other["mean"] == -one["mean"]
    assert other["interval"] == pytest.approx([-x for x in one["interval"][::-1]])
    assert other["cohen_dz"] == pytest.approx(-one["cohen_dz"])
    assert other["p_value"] == pytest.approx(one["p_value"])


def test_effect_sizes_are_those_of_the_paired_design():
    found = frequentist.paired(LOGS, 0.05)
    dz = LOGS.mean() / LOGS.std(ddof=1)
    assert found["cohen_dz"] == pytest.approx(dz, rel=1e-12)
    # J of 3 degrees of freedom = gamma(1.5) / (sqrt(1.5) gamma(1))
    assert found["hedges_g"] == pytest.approx(dz * math.gamma(1.5) / math.sqrt(1.5), rel=1e-12)
    t = dz * 2
    assert found["eta_squared"] == pytest.approx(t**2 / (t**2 + 3), rel=1e-12)


@pytest.mark.parametrize(("t", "n"), [(3.0, 12), (-3.0, 12), (0.0, 5), (81.0, 10), (4302.0, 40)])
def test_dz_interval_inverts_the_noncentral_t(t, n):
    low, high = frequentist.dz_interval(t, n, 0.05)
    assert low < t / math.sqrt(n) < high
    assert stats.nct.cdf(t, n - 1, low * math.sqrt(n)) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(t, n - 1, high * math.sqrt(n)) == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize(
    "values", [[1.9], [1.9, 1.9], [1.9] * 5, [1.9, 1.9, 1.9, 2.0], [1.9, 1.9 + 1e-15, 1.9 - 1e-15]]
)
def test_constants_and_single_units_are_not_tested(values):
    found = frequentist.paired(values, 0.05)
    assert found["mean"] == pytest.approx(np.mean(values))
    assert {value for key, value in found.items() if key not in ("n", "mean")} == {None}


def test_no_units_are_an_error():
    with pytest.raises(ValueError, match="no unit values"):
        frequentist.paired([], 0.05)


def test_bootstrap_interval_is_seeded_and_near_the_t_interval():
    values = np.random.default_rng(1).normal(0.5, 0.05, 40)
    one, same, other = (
        frequentist.paired(values, 0.05, seed=seed)["interval_bootstrap"] for seed in (1, 1, 2)
    )
    assert one == same != other
    assert one == pytest.approx(frequentist.paired(values, 0.05)["interval"], rel=0.01)


def test_holm_keeps_the_order_and_refuses_nan():
    assert frequentist.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    with pytest.raises(ValueError, match="NaN"):
        frequentist.holm([0.01, math.nan, 0.04])


def test_bonferroni_multiplies_by_the_family_and_stops_at_one():
    assert frequentist.bonferroni(0.004, 12) == pytest.approx(0.048)
    assert frequentist.bonferroni(0.2, 12) == 1
    with pytest.raises(ValueError, match="nan"):
        frequentist.bonferroni(math.nan, 3)


def test_paired_takes_values_of_any_scale_and_both_sides():
    over, under = np.array([6.0, 7.5, 5.0, 8.5]), np.array([5.5, 6.0, 5.0, 7.0])
    found = frequentist.paired(over - under, 0.05, sides=(over, under))
    assert found["mean"] == 0.875
    assert found["t"] == pytest.approx(stats.ttest_rel(over, under).statistic, rel=1e-12)
    assert found["cohen_d_av"] == pytest.approx(
        pg.compute_effsize(over, under, paired=True, eftype="cohen"), rel=1e-12
    )
    assert frequentist.paired(over - under, 0.05)["cohen_d_av"] is None


@pytest.mark.parametrize(
    ("test", "values"),
    [
        (frequentist.paired, ([0.1, math.nan, 0.2], 0.05)),
        (frequentist.welch, ([0.1, 0.3], [0.1, math.nan], 0.05)),
        (frequentist.tost, ([0.1, math.nan, 0.2], -1, 1)),
        (frequentist.wilcoxon, ([0.1, math.nan, 0.2],)),
    ],
)
def test_a_nan_is_named_and_never_dropped(test, values):
    with pytest.raises(ValueError, match=r"unit value 2 of \d is nan"):
        test(*values)


def test_welch_takes_right_and_wrong_answers():
    over, under = np.repeat([1.0, 0.0], [30, 10]), np.repeat([1.0, 0.0], [22, 18])
    expected = stats.ttest_ind(over, under, equal_var=False)
    found = frequentist.welch(over, under, 0.05)
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert found["interval"] == pytest.approx(expected.confidence_interval(0.95))


def test_constants_have_no_test():
    same = [0.3] * 6
    assert frequentist.welch(same, [0.1, 0.2, 0.4], 0.05)["interval"] is None
    for found in (frequentist.tost(same, -1, 1), frequentist.wilcoxon([0.0] * 6)):
        assert found["p_value"] is None
    large = 1e9 + np.array([0.0, 1e-7, -1e-7, 2e-7])  # the noise of float sums
    assert frequentist.paired(large, 0.05)["t"] is None


def test_tost_takes_bounds_of_different_size():
    values = np.array([0.02, -0.01, 0.05, 0.03, 0.0])
    tests = [
        stats.ttest_1samp(values, -0.02, alternative="greater"),
        stats.ttest_1samp(values, 0.2, alternative="less"),
    ]
    found = frequentist.tost(values, -0.02, 0.2)
    assert found["p_value"] == pytest.approx(tests[0].pvalue, rel=1e-12)
    assert found["statistic"] == pytest.approx(tests[0].statistic, rel=1e-12)
    assert frequentist.tost(values, -math.inf, 0.2)["p_value"] == pytest.approx(tests[1].pvalue)
    with pytest.raises(ValueError, match="finite bound"):
        frequentist.tost(values, -math.inf, math.inf)


def test_the_interval_and_tost_agree_on_containment():
    values = np.random.default_rng(3).normal(0, 1, 20)
    low, high = frequentist.paired(values, 0.10)["interval"]
    assert frequentist.tost(values, low, 5)["p_value"] == pytest.approx(0.05)
    assert frequentist.tost(values, -5, high)["p_value"] == pytest.approx(0.05)


def test_wilcoxon_counts_the_positive_ranks_and_tells_the_zeros():
    found = frequentist.wilcoxon([0.0, 1.0, 2.0, -3.0, 4.0])
    assert (found["statistic"], found["zeros"]) == (7, 1)
    assert frequentist.wilcoxon([1.0, 2.0, 3.0])["p_value"] == 0.25  # 2 of 8 sign patterns


def test_mcnemar_is_the_binomial_of_discordant_pairs():
    assert frequentist.mcnemar(5, 1)["p_value"] == pytest.approx(14 / 64)
    assert frequentist.mcnemar(0, 0)["p_value"] == 1
    with pytest.raises(ValueError, match="counts"):
        frequentist.mcnemar(1.5, 2)


def table(scores, prompts=("plain", "chat")):
    """Scores subjects x precisions x prompts, long."""
    rows = [
        {"item": i, "precision": p, "prompt": q, "y": scores[i][j][k]}
        for i in range(len(scores))
        for j, p in enumerate(("f16", "q8", "y"))
        for k, q in enumerate(prompts)
    ]
    return pd.DataFrame(rows)


SCORES = np.random.default_rng(5).normal(5, 1, (6, 3, 2)).round(3)


def test_rows_in_any_order_under_any_name_give_the_same_answer():
    # a level named like the score column makes pingouin fail
    plain = table(SCORES)
    shuffled = plain.sample(frac=1, random_state=1).rename(columns={"y": "score"})
    shuffled["precision"] = shuffled["precision"].map({"f16": "z", "q8": "a", "y": "subject"})
    one = frequentist.rm_anova(plain, "y", ["precision", "prompt"], "item")
    two = frequentist.rm_anova(shuffled, "score", ["precision", "prompt"], "item")
    assert list(one) == ["precision", "prompt", "precision * prompt"]
    for effect in one:
        assert two[effect] == pytest.approx(one[effect], rel=1e-9)


def test_two_levels_are_the_paired_t_test():
    over, under = SCORES[:, 0, :], SCORES[:, 1, :]
    rows = table(SCORES).query("prompt == 'plain' and precision != 'y'")
    found = frequentist.rm_anova(rows, "y", "precision", "item")["precision"]
    t = frequentist.paired(over[:, 0] - under[:, 0], 0.05)
    assert found["F"] == pytest.approx(t["t"] ** 2)
    assert found["p_gg"] == found["p_value"] == pytest.approx(t["p_value"])
    assert found["np2"] == pytest.approx(t["eta_squared"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(index=3), "item 0, precision q8, prompt chat is missing"),
        (lambda t: pd.concat([t, t.iloc[[3]]]), "prompt chat stands there twice"),
        (lambda t: t.assign(y=t["y"].where(t.index != 3)), "row 4 is incomplete"),
        (lambda t: t.assign(y=t["y"].astype(object).where(t.index != 3, "high")), "row 4 is inc"),
        (lambda t: t[t["precision"] == "f16"], "'precision' needs at least two"),
        (lambda t: t.drop(columns="prompt"), "no column 'prompt'"),
    ],
)
def test_gaps_and_replicates_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        frequentist.rm_anova(change(table(SCORES)), "y", ["precision", "prompt"], "item")


def test_effects_without_error_variance_are_not_tested():
    additive = (
        np.arange(6)[:, None, None] + np.array([0.0, 0.1, 0.3])[:, None] + np.zeros((6, 3, 2))
    )
    found = frequentist.rm_anova(table(additive), "y", ["precision", "prompt"], "item")
    assert {value for row in found.values() for value in row.values()} == {None}
    plain = table(additive).query("prompt == 'plain'")
    steps = plain.assign(y=plain["y"] - plain["item"])
    assert set(frequentist.anova(steps, "y", "precision").values()) == {None}
    tied = frequentist.friedman(plain.assign(y=plain["item"] * 1.0), "y", "precision", "item")
    assert tied["p_value"] is None
