import math

import numpy as np
import pytest
from kensho.stats import power
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.scales import DIFFERENCE, DOSE, RATIO, SHARE
from scipy import stats

LOW, HIGH = math.log(1.10), math.log(1.15)


@pytest.mark.parametrize(("n", "expected"), [(10, 0.21), (20, 0.77), (40, 0.99)])
def test_containment_power_inside_and_at_the_boundary(n, expected):
    centre = (LOW + HIGH) / 2
    assert power.containment_power(n, 0.03, centre, (LOW, HIGH), 0.05) == pytest.approx(
        expected, abs=0.01
    )
    for end in (LOW, HIGH):
        assert power.containment_power(n, 0.03, end, (LOW, HIGH), 0.05) <= 0.025


@pytest.mark.parametrize(("n", "alpha"), [(2, 0.05), (3, 0.001), (12, 0.05), (3000, 0.05 / 12)])
def test_an_open_end_gives_the_noncentral_t(n, alpha):
    truth = 3 / math.sqrt(n)
    exact = stats.nct.sf(stats.t.ppf(1 - alpha / 2, n - 1), n - 1, 3)
    found = power.containment_power(n, 1.0, truth, (0.0, math.inf), alpha)
    assert found == pytest.approx(exact, rel=1e-7)
    mirrored = power.containment_power(n, 1.0, -truth, (-math.inf, 0.0), alpha)
    assert mirrored == pytest.approx(found, rel=1e-12)


def test_containment_power_is_the_share_of_simulated_intervals_inside():
    rng, n = np.random.default_rng(7), 6
    y = rng.normal(0.1, 1, (100_000, n))
    half = stats.t.ppf(0.95, n - 1) * y.std(1, ddof=1) / math.sqrt(n)
    inside = np.mean((y.mean(1) - half > -1.2) & (y.mean(1) + half < 1.0))
    found = power.containment_power(n, 1.0, 0.1, (-1.2, 1.0), 0.10)
    assert found == pytest.approx(inside, abs=4 * math.sqrt(0.25 / 100_000))


@pytest.mark.parametrize(
    "bad", [(1, 0.1, 0.0), (5, 0.0, 0.0), (5, math.nan, 0.0), (5, 1, math.nan)]
)
def test_what_has_no_power_is_an_error_not_a_nan(bad):
    with pytest.raises(ValueError, match="sd > 0"):
        power.containment_power(*bad, (-1.0, 1.0), 0.05)


# Blocks for power 0.8, 90 % interval, truth at the centre of 1/(1 + width) to 1 + width.
@pytest.mark.parametrize(
    ("sd", "m", "widths", "expected"),
    [
        (0.02, 1, (0.05, 0.10, 0.20), (4, 3, 2)),
        (0.05, 1, (0.05, 0.10, 0.20), (11, 5, 3)),
        (0.10, 1, (0.05, 0.10, 0.20), (38, 11, 5)),
        (0.20, 1, (0.05, 0.10, 0.20), (146, 40, 12)),
        (0.05, 12, (0.05, 0.10), (20, 8)),
        (0.10, 12, (0.05, 0.10), (69, 21)),
    ],
)
def test_units_to_decide_at_the_centre(sd, m, widths, expected):
    for width, n in zip(widths, expected):
        end = math.log(1 + width)
        assert power.units_to_decide(sd, 0.0, (-end, end), 0.10 / m) == n


@pytest.mark.parametrize(
    ("sd", "expected"), [(0.05, (9, 4, 3)), (0.1, (28, 9, 4)), (0.2, (106, 29, 9))]
)
def test_units_to_decide_superiority(sd, expected):
    found = [
        power.units_to_decide(sd, math.log(1 + effect), (0.0, math.inf), 0.10)
        for effect in (0.05, 0.10, 0.20)
    ]
    assert found == list(expected)


@pytest.mark.parametrize(("sd", "n"), [(0.05, 9), (0.10, 29), (0.20, 111)])
def test_units_to_decide_halfway_to_the_margin(sd, n):
    end = math.log(1.1)
    assert power.units_to_decide(sd, end / 2, (-end, end), 0.10) == n


# n = 6.18 (q - d^2) / d^2 paired items with a share q of discordant ones
@pytest.mark.parametrize(
    ("d", "q", "n"), [(0.01, 0.1, 6177), (0.02, 0.2, 3086), (0.03, 0.1, 681), (0.05, 0.2, 489)]
)
def test_units_to_decide_paired_items(d, q, n):
    found = power.units_to_decide(math.sqrt(q - d**2), d, (0.0, math.inf), 0.10)
    assert found == pytest.approx(n, abs=3)  # t has a little less power than the normal


def test_no_number_of_units_verifies_a_truth_on_the_boundary():
    assert power.units_to_decide(0.03, LOW, (LOW, HIGH), 0.05) is None


@pytest.mark.parametrize(("n", "sd", "bound"), [(2, 0.1, 0.0), (12, 0.05, 0.05), (500, 3.0, -1.0)])
def test_minimal_detectable_effect_has_just_the_power(n, sd, bound):
    effect = power.minimal_detectable_effect(n, sd, bound, 0.05)
    reached = power.containment_power(n, sd, effect, (bound, math.inf), 0.05)
    assert effect > bound and reached == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "region", "sesoi", "effect"),
    [
        (RATIO, (2.0, None), 1.05, 2.1),
        (RATIO, (None, 0.5), 1.05, 0.5 / 1.05),
        (RATIO, (1.0, 4.0), 1.05, 2.0),
        (DIFFERENCE, (0.02, None), 0.01, 0.03),
        (DIFFERENCE, (None, -0.02), 0.01, -0.03),
        (SHARE, (0.5, 0.7), 0.05, 0.6),
        (DOSE, (2000, 8000), 0.5, 4000),
    ],
)
def test_power_is_planned_at_an_effect_inside_the_region(scale, region, sesoi, effect):
    plan = power.prospective(Hypothesis(scale, region, None, sesoi), 10, 0.05, 0.05)
    assert plan["effect_assumed"] == pytest.approx(effect)
    needed, truth = plan["n_required"], float(scale.forward(effect))
    ends = scale.ends(region)
    reached = power.containment_power(needed, 0.05, truth, ends, 0.05)
    assert reached >= 0.8
    assert needed == 2 or power.containment_power(needed - 1, 0.05, truth, ends, 0.05) < 0.8
    curve = plan["curve"]
    assert curve["n"] == sorted(set(curve["n"])) and curve["n"][0] == 2 and curve["n"][-1] >= needed
    assert all(np.diff(curve["power"]) >= -1e-9)


def test_the_detectable_effect_stands_on_the_side_of_the_claim():
    def detectable(scale, region, sesoi):
        return power.prospective(Hypothesis(scale, region, None, sesoi), 10, 0.05, 0.05)[
            "minimal_detectable_effect"
        ]

    above, below = detectable(RATIO, (2.0, None), 1.05), detectable(RATIO, (None, 0.5), 1.05)
    assert above == pytest.approx(1 / below) and above > 1.05
    step = power.minimal_detectable_effect(10, 0.05, 0.0, 0.05)
    assert detectable(SHARE, (0.6, None), 0.02) == pytest.approx(0.5 + 0.02 + step)
    assert detectable(SHARE, (None, 0.4), 0.02) == pytest.approx(0.5 - 0.02 - step)
    assert detectable(DOSE, (2000, 8000), 0.5) is None


def test_a_region_without_ends_has_no_power():
    with pytest.raises(ValueError, match="without ends"):
        power.prospective(Hypothesis(RATIO, (None, None), None, 1.05), 10, 0.1, 0.05)
