import math

import pytest
from kensho.stats.scales import BY_NAME, DIFFERENCE, DOSE, RATIO, SHARE


def test_values_return_from_the_working_scale():
    for scale in BY_NAME.values():
        assert scale.back(scale.forward(0.7)) == pytest.approx(0.7)


def test_ends_of_a_region():
    assert RATIO.ends([0.5, None]) == (math.log(0.5), math.inf)
    assert DIFFERENCE.ends([None, 0.1]) == (-math.inf, 0.1)
    assert DOSE.ends([2000, 4000])[1] - DOSE.ends([2000, 4000])[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("scale", "direction", "sesoi", "region"),
    [
        (RATIO, "greater", 1.25, (1.25, None)),
        (RATIO, "less", 1.25, (None, 0.8)),
        (DIFFERENCE, "less", 0.02, (None, -0.02)),
        (SHARE, "greater", 0.05, (0.55, None)),
        (SHARE, None, 0.05, (math.inf, -math.inf)),
        (DOSE, None, 0.1, (math.inf, -math.inf)),
    ],
)
def test_effects_that_matter(scale, direction, sesoi, region):
    assert scale.beyond(direction, sesoi) == region


def test_effects_are_halved_as_ratios_and_as_distances_from_the_null():
    assert RATIO.effect(0.2) == 0.2
    assert SHARE.effect(0.87) == pytest.approx(0.37)
    assert DIFFERENCE.effect(-0.28) == -0.28
