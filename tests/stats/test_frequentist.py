import math

import numpy as np
import pandas as pd
import pingouin as pg
import pytest
from kensho.stats import frequentist
from scipy import stats

LOGS = np.array([0.0078, 0.0081, 0.0161, 0.0110])
RATIOS = pd.Series(np.exp(LOGS), index=list("abcd"))


def test_intervals_are_the_t_intervals_of_the_logs_unrounded():
    found = frequentist.paired_log_ratio(RATIOS, 0.05, 12)
    assert found["estimate"] == pytest.approx(math.exp(LOGS.mean()), rel=1e-12)
    for key, confidence in (("interval", 0.95), ("interval_family", 1 - 0.05 / 12)):
        expected = stats.ttest_1samp(LOGS, 0).confidence_interval(confidence)
        assert found[key] == pytest.approx(np.exp(expected), rel=1e-12)
    # pingouin's own interval is rounded to two decimals unless an undocumented option is reset.
    assert found["interval"][0] != pytest.approx(math.exp(pg.ttest(LOGS, 0)["CI95"].iloc[0][0]))
    assert found["p_value"] == pytest.approx(stats.ttest_1samp(LOGS, 0).pvalue, rel=1e-12)


def test_bonferroni_multiplies_by_the_family_and_stops_at_one():
    p = frequentist.paired_log_ratio(RATIOS, 0.05, 1)["p_value"]
    assert frequentist.paired_log_ratio(RATIOS, 0.05, 12)["p_bonferroni"] == pytest.approx(12 * p)
    assert frequentist.paired_log_ratio(RATIOS, 0.05, 10_000)["p_bonferroni"] == 1


def test_swapped_arms_give_the_inverse_ratio_and_the_opposite_effect():
    one = frequentist.paired_log_ratio(RATIOS, 0.05, 3)
    other = frequentist.paired_log_ratio(1 / RATIOS, 0.05, 3)
    assert other["estimate"] == pytest.approx(1 / one["estimate"], rel=1e-12)
    assert other["interval_family"] == pytest.approx([1 / x for x in one["interval_family"][::-1]])
    assert other["cohen_dz"] == pytest.approx(-one["cohen_dz"])
    assert other["p_value"] == pytest.approx(one["p_value"])


def test_effect_sizes_are_those_of_the_paired_design():
    found = frequentist.paired_log_ratio(RATIOS, 0.05, 1)
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
def test_constants_and_single_blocks_are_not_tested(values):
    found = frequentist.paired_log_ratio(pd.Series(values), 0.05, 1)
    assert found["estimate"] == pytest.approx(np.exp(np.log(values).mean()))
    untested = {key: value for key, value in found.items() if key not in ("n", "estimate")}
    assert set(untested.values()) == {None}


@pytest.mark.parametrize("values", [[1.9, math.nan], [1.9, 0.0], [1.9, math.inf], []])
def test_ratios_that_are_not_positive_and_finite_are_refused(values):
    with pytest.raises(ValueError, match="positive finite"):
        frequentist.paired_log_ratio(pd.Series(values, dtype=float), 0.05, 1)


def test_bootstrap_interval_is_seeded_and_near_the_t_interval():
    ratios = pd.Series(np.exp(np.random.default_rng(1).normal(0.5, 0.05, 40)))
    one, same, other = (
        frequentist.paired_log_ratio(ratios, 0.05, 1, seed=seed)["interval_bootstrap"]
        for seed in (1, 1, 2)
    )
    assert one == same != other
    assert one == pytest.approx(frequentist.t_interval(np.log(ratios), 0.05), rel=0.01)


def test_holm_keeps_the_order_and_refuses_nan():
    assert frequentist.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    with pytest.raises(ValueError, match="NaN"):
        frequentist.holm([0.01, math.nan, 0.04])


def test_power_of_a_half_open_region_is_the_noncentral_t():
    n, sd, truth = 12, 0.1, 1.1
    exact = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, math.log(truth) / sd * math.sqrt(n))
    assert frequentist.containment_power(n, sd, truth, (1.0, None), 0.05) == pytest.approx(
        exact, abs=1e-4
    )


@pytest.mark.parametrize(("n", "power"), [(10, 0.21), (20, 0.77), (40, 0.99)])
def test_containment_power_inside_and_at_the_boundary(n, power):
    region = (1.10, 1.15)
    middle = math.sqrt(1.10 * 1.15)
    assert frequentist.containment_power(n, 0.03, middle, region, 0.05) == pytest.approx(
        power, abs=0.01
    )
    for end in region:
        assert frequentist.containment_power(n, 0.03, end, region, 0.05) <= 0.0251


# Blocks for power 0.8 by exact integration, 90 % interval, truth at the centre (notes, 2.1).
@pytest.mark.parametrize(
    ("sd", "m", "expected"),
    [
        (0.02, 1, (4, 3, 2)),
        (0.05, 1, (11, 5, 3)),
        (0.10, 1, (38, 11, 5)),
        (0.20, 1, (146, 40, 12)),
        (0.05, 12, (20, 8)),
        (0.10, 12, (69, 21)),
    ],
)
def test_units_to_decide(sd, m, expected):
    for width, n in zip((0.05, 0.10, 0.20), expected, strict=False):
        region = (1 / (1 + width), 1 + width)
        assert frequentist.units_to_decide(sd, 1.0, region, 0.10 / m) == n


def test_no_number_of_units_verifies_a_truth_on_the_boundary():
    assert frequentist.units_to_decide(0.03, 1.10, (1.10, 1.15), 0.05) is None


@pytest.mark.parametrize(
    ("region", "effect"), [((2.0, None), 2.1), ((None, 0.5), 0.5 / 1.05), ((1.0, 4.0), 2.0)]
)
def test_power_is_planned_at_an_effect_inside_the_region(region, effect):
    plan = frequentist.prospective_power(10, 0.05, region, 1.05, 0.05)
    assert plan["effect_assumed"] == pytest.approx(effect)
    reached = frequentist.containment_power(plan["n_required"], 0.05, effect, region, 0.05)
    missed = frequentist.containment_power(plan["n_required"] - 1, 0.05, effect, region, 0.05)
    assert missed < 0.8 <= reached or plan["n_required"] == 2
