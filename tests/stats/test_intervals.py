import numpy as np
import pytest
from kensho.stats import intervals
from scipy import optimize, stats

RNG = np.random.default_rng(3)


def test_mean_is_the_one_sample_t_interval_for_many_data_sets_at_once():
    values = RNG.normal(2, 3, (5, 4, 12))
    fit = intervals.mean(values, 0.1)
    expected = stats.ttest_1samp(values, 0, axis=-1).confidence_interval(0.9)
    np.testing.assert_allclose(fit.low, expected.low)
    np.testing.assert_allclose(fit.high, expected.high)
    assert fit.dof == 11


@pytest.mark.parametrize(("correct", "items"), [(0, 10), (7, 10), (291, 300), (300, 300)])
def test_proportion_is_wilsons_interval(correct, items):
    expected = stats.binomtest(correct, items).proportion_ci(0.95, "wilson")
    fit = intervals.proportion(correct, items, 0.05)
    assert fit[1:3] == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert fit.estimate == correct / items


def test_paired_proportions_follow_the_formula_and_stay_in_range():
    # 12 and 5 of 100 discordant: (13 - 6) / 102 -+ 1.96 sqrt((19 - 49/102) / 102^2)
    fit = intervals.paired_proportions(12, 5, 100, 0.05)
    half = stats.norm.ppf(0.975) * np.sqrt((19 / 102 - (7 / 102) ** 2) / 102)
    assert fit[:3] == pytest.approx((0.07, 7 / 102 - half, 7 / 102 + half))
    assert intervals.paired_proportions(3, 0, 3, 0.05).high == 1
    equal = intervals.paired_proportions(0, 0, 50, 0.05)
    assert equal.low == pytest.approx(-equal.high)


def curve(seeds, peak=12.0, c=0.5, noise=0.3, seed=0):
    x = np.log2([500, 1000, 2000, 4000, 8000, 16000])
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 1, (seeds, 1)) - c * (x - peak) ** 2 + rng.normal(0, noise, (seeds, x.size))
    return x, y


def test_peak_is_the_set_of_slopes_that_cannot_be_told_from_zero():
    x, y = curve(5)
    fit = intervals.peak(x, y, 0.05)
    # the same by least squares with seed dummies: t of the slope at each candidate dose
    n = y.size
    design = np.column_stack([np.repeat(np.eye(5), 6, axis=0), np.tile(x, 5), np.tile(x**2, 5)])
    beta, residual = np.linalg.lstsq(design, y.ravel(), rcond=None)[:2]
    covariance = residual[0] / (n - 7) * np.linalg.inv(design.T @ design)

    def t(dose):
        gradient = np.r_[np.zeros(5), 1, 2 * dose]
        return gradient @ beta / np.sqrt(gradient @ covariance @ gradient)

    limit = stats.t.ppf(0.975, n - 7)
    low = optimize.brentq(lambda d: t(d) - limit, 8, fit.estimate)
    high = optimize.brentq(lambda d: t(d) + limit, fit.estimate, 16)
    assert (fit.low, fit.high) == pytest.approx((low, high), abs=1e-8)
    assert fit.estimate == pytest.approx(-beta[5] / (2 * beta[6]))
    assert fit.dof == n - 7


def test_peak_of_a_flat_or_an_upward_curve_is_unbounded():
    for c, noise in ((0.0, 1.0), (-0.5, 0.1)):
        fit = intervals.peak(*curve(3, c=c, noise=noise), 0.05)
        assert (fit.low, fit.high) == (-np.inf, np.inf)


def test_peak_takes_many_data_sets_and_ignores_seed_effects():
    x, y = curve(4)
    shifted = y + np.array([[10.0], [-3.0], [0.0], [5.0]])
    both = intervals.peak(x, np.stack([y, shifted]), 0.05)
    assert both.low[0] == pytest.approx(both.low[1])
    assert both.high[0] == pytest.approx(intervals.peak(x, y, 0.05).high)


def test_kth_largest_of_all_is_the_intersection_union_test():
    estimate, se = np.array([1.0, 3.0, 2.0]), np.array([0.1, 0.2, 0.3])
    fit = intervals.kth_largest(estimate, se, 20, 3, 0.05)
    lows = estimate - stats.t.ppf(0.975, 20) * se
    assert (fit.estimate, fit.low) == (1.0, lows.min())
    assert fit.high == pytest.approx((estimate + stats.t.ppf(1 - 0.05 / 6, 20) * se).min())
    largest = intervals.kth_largest(estimate, se, 20, 1, 0.05)
    assert largest.estimate == 3.0 and largest.se == 0.2


@pytest.mark.parametrize("k", [1, 4, 6])
def test_kth_largest_errs_at_most_alpha_over_2_at_each_end(k):
    truth = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
    values = np.random.default_rng(k).normal(truth, 1, (4000, 25, 6)).swapaxes(1, 2)
    fit = intervals.mean(values, 0.1)
    found = intervals.kth_largest(fit.estimate, fit.se, fit.dof, k, 0.1)
    true = np.sort(truth)[6 - k]
    band = 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / 4000)
    assert (found.low > true).mean() <= band
    assert (found.high < true).mean() <= band


@pytest.mark.parametrize("items", [40, 200])
def test_intervals_of_a_gain_of_accuracy_cover_it(items):
    rng = np.random.default_rng(1)
    right = rng.random((4000, items)) < 0.35
    kept, gained = rng.random((2, 4000, 3, items))  # by three training seeds
    after = np.where(right[:, None], kept < 0.85, gained < 0.1).mean(1)
    truth = np.log((0.35 * 0.85 + 0.65 * 0.1) / 0.35)
    fit = intervals.mean(intervals.linearised(after, right), 0.05)
    assert np.mean((fit.low <= truth) & (truth <= fit.high)) == pytest.approx(0.95, abs=0.015)
