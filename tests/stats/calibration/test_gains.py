from pathlib import Path

import pytest
from kensho.claims import registry
from kensho.stats.calibration import gains

CLAIMS = registry.load(Path(__file__).parents[3] / "config/claims")


def test_the_level_is_that_of_the_registered_family():
    claim = next(claim for claim in CLAIMS if claim.id == "F-4.eda")
    assert registry.family_size(CLAIMS, claim.test.family) == gains.FAMILY


def test_a_planted_gain_is_found_and_none_where_there_is_none():
    lines = gains.acceptance(2000, seed=1)
    assert lines["holds"].all()


def test_too_few_seeds_do_not_find_it(monkeypatch):
    monkeypatch.setattr(gains, "SEEDS", 5)
    found, _ = gains.acceptance(2000, seed=1)["holds"]
    assert not found


@pytest.mark.parametrize("ratio", [1.0, 1.1])
def test_simulated_accuracies_have_the_ratio_that_is_planted(ratio):
    import numpy as np

    logs = gains.simulated(ratio, (400, 50), np.random.default_rng(1))
    assert np.exp(logs.mean()) == pytest.approx(ratio, abs=0.005)
