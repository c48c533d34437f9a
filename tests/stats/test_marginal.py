"""The closed form of a formula's contrast against the paired t and statsmodels."""

import numpy as np
import pytest
from kensho.stats import intervals, marginal
from kensho.stats.scales import DIFFERENCE, RATIO
from scipy import stats
from statsmodels import api as sm

PAIRS = marginal.Rows(np.tile([True, False], 12), np.ones((24, 1)), np.repeat(np.arange(12), 2))


def scores(rows, seed, effect=0.5):
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 1, rows.units)[rows.unit]
    return 5 + level + effect * rows.treated + rng.normal(size=rows.unit.size)


def clusters(seed, units=14):
    """Rows of unequal clusters, arms by lot."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rng.integers(2, 15, units))
    return marginal.Rows(rng.random(unit.size) < 0.5, np.ones((unit.size, 1)), unit)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.05, 0.004])
def test_of_balanced_pairs_it_is_the_paired_t(seed, alpha):
    y = scores(PAIRS, seed)
    fit = marginal.fit(marginal.contributions(y, PAIRS, DIFFERENCE), PAIRS.dof, alpha)
    expected = stats.ttest_rel(y[::2], y[1::2]).confidence_interval(1 - alpha)
    assert (fit.low, fit.high) == pytest.approx(tuple(expected), rel=1e-12)
    assert fit.dof == 11


@pytest.mark.parametrize("seed", range(3))
def test_a_ratio_of_balanced_pairs_is_that_of_means(seed):
    y = scores(PAIRS, seed)
    found = marginal.contributions(y, PAIRS, RATIO)
    z = intervals.linearised(y[::2], y[1::2])
    assert found.mean() == pytest.approx(z.mean(), rel=1e-12)
    assert found.std(ddof=1) == pytest.approx(z.std(ddof=1), rel=1e-12)


@pytest.mark.parametrize("family", [sm.families.Gaussian(), sm.families.Binomial()])
@pytest.mark.parametrize("seed", range(3))
def test_of_unequal_clusters_it_is_the_bias_reduced_gee(seed, family):
    """Mancl & DeRouen's errors are those of the jackknife but for the factor (G - 1) / G."""
    rows = clusters(seed)
    y = scores(rows, seed)
    if isinstance(family, sm.families.Binomial):
        y = (y > 5).astype(float)
    found = marginal.contributions(y, rows, DIFFERENCE)
    x = np.column_stack([np.ones(y.size), rows.treated])
    gee = sm.GEE(y, x, groups=rows.unit, cov_struct=sm.cov_struct.Independence()).fit(
        cov_type="bias_reduced"
    )
    assert found.mean() == pytest.approx(gee.params[1], abs=1e-10)
    se = gee.bse[1] * np.sqrt((rows.units - 1) / rows.units)
    assert marginal.fit(found, rows.dof, 0.05).se == pytest.approx(se, rel=0.01)


def test_each_unit_is_left_out_in_turn():
    rows = clusters(5)
    y = scores(rows, 5)
    every, without = marginal.means(y[None], rows)
    for unit in range(rows.units):
        kept = rows.unit != unit
        for place, arm in enumerate(rows.arms):
            assert without[place, 0, unit] == pytest.approx(y[kept & arm].mean(), rel=1e-12)
    assert every[:, 0] == pytest.approx([y[arm].mean() for arm in rows.arms])


@pytest.mark.parametrize("seed", range(3))
def test_strata_are_averaged_as_they_were_observed(seed):
    """Two thirds of all rows lie in the second stratum, but few of the treatment's."""
    rng = np.random.default_rng(seed)
    second = np.arange(300) % 3 > 0
    treated = rng.random(300) < np.where(second, 0.2, 0.8)
    rows = marginal.Rows(treated, np.column_stack([np.ones(300), second]), np.arange(300) // 4)
    y = rng.normal(size=300) + 3 * second + treated * (1 + second)
    means = [[y[treated & s].mean() - y[~treated & s].mean()] for s in (~second, second)]
    expected = np.average(np.ravel(means), weights=[1, 2])
    assert marginal.contributions(y, rows, DIFFERENCE).mean() == pytest.approx(expected, rel=1e-10)


def test_many_data_sets_at_once_are_each_as_alone():
    rows = clusters(1)
    y = np.stack([scores(rows, seed) for seed in range(4)])
    together = marginal.contributions(y, rows, RATIO)
    for alone, found in zip(y, together, strict=True):
        assert marginal.contributions(alone, rows, RATIO) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("few", [2, 3, 5])
def test_units_of_one_arm_only_count_for_that_arm(few):
    treated = np.arange(40) < few
    rows = marginal.Rows(treated, np.ones((40, 1)), np.arange(40))
    y = np.random.default_rng(few).normal(size=40)
    fit = marginal.fit(marginal.contributions(y, rows, DIFFERENCE), rows.dof, 0.05)
    assert (rows.replication, fit.dof) == (few, few - 1)
    assert fit.estimate == pytest.approx(y[treated].mean() - y[~treated].mean())


@pytest.mark.parametrize("alone", ["stratum of one unit", "replicate of one unit", "arm's only"])
def test_an_effect_that_hangs_on_one_unit_is_refused(alone):
    treated = np.tile([True, False], 20)
    special = np.zeros(40)
    special[{"stratum of one unit": [0, 1], "replicate of one unit": [4, 5]}.get(alone, [6])] = 1
    rows = marginal.Rows(treated, np.column_stack([np.ones(40), special]), np.arange(40) // 2)
    with pytest.raises(ValueError, match="leave that effect out, or observe more units"):
        marginal.contributions(np.arange(40.0), rows, DIFFERENCE)


@pytest.mark.parametrize("y", [np.zeros(24), PAIRS.treated * 0.0 - 1, (~PAIRS.treated) * 1.0])
def test_no_ratio_without_means_above_zero(y):
    assert not np.isfinite(marginal.contributions(y.astype(float), PAIRS, RATIO)).all()
