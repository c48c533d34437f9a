from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("name", ["KeiCO", "JNLI", "likelihood"])
def test_too_few_seeds_do_not_find_it(name, monkeypatch):
    fewer = gains.STUDIES[name]._replace(seeds=2 if name == "likelihood" else 5)
    monkeypatch.setattr(gains, "STUDIES", {name: fewer})
    found, _ = gains.acceptance(2000, seed=1)["holds"]
    assert not found


@pytest.mark.parametrize("ratio", [1.0, 1.1])
@pytest.mark.parametrize("name", gains.STUDIES)
def test_what_is_simulated_has_the_ratio_that_is_planted(name, ratio):
    logs = gains.STUDIES[name].simulated(ratio, 20_000, np.random.default_rng(1))
    assert logs.shape == (20_000, gains.STUDIES[name].seeds)
    assert np.exp(logs.mean()) == pytest.approx(ratio, abs=0.005)
