import pytest
from kensho.stats.calibration import gains


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
