import numpy as np
import pandas as pd
import pytest
from kensho.stats.calibration import coverage, sbc
from kensho.stats.models import MODELS

EXACT = ("beta_binomial", "dirichlet_pairs", "dirichlet_wins")


@pytest.mark.parametrize("name", MODELS)
def test_the_true_value_is_in_the_middle_or_at_the_lower_end_of_the_region(name):
    model, setting = MODELS[name], coverage.SETTINGS[name]
    draw = {key: np.array([value]) for key, value in setting.parameters.items()}
    truth = float(model.estimand(draw, {})[0])
    centre, lower = (setting.scale.ends(coverage.region(model, t)) for t in ("centre", "lower"))
    assert sum(centre) / 2 == pytest.approx(truth)
    assert lower[0] == pytest.approx(truth)
    assert np.diff(lower) == pytest.approx(np.diff(centre))


@pytest.mark.parametrize("name", EXACT)
def test_exact_posteriors_cover_and_agree_with_the_closed_form(name):
    tables = [
        coverage.run(MODELS[name], truth, sbc.Simulation(100, seed=2, processes=1))
        for truth in ("centre", "lower")
    ]
    found = coverage.summarise(pd.concat(tables)).set_index("truth")
    assert found["holds"].all()
    assert (found["agreement"] >= 0.9).all()
    assert found.loc["centre", "verified"] > 0.75
    assert found.loc["lower", "verified"] < 0.08
    assert found.loc["lower", "failed"] < 0.08


def test_a_row_says_what_its_interval_covers():
    table = coverage.run(MODELS["beta_binomial"], "centre", sbc.Simulation(40, 0, processes=1))
    assert ((table["low"] <= 0.75) & (table["high"] >= 0.75)).equals(table["covered"])
    assert set(table["verdict"]) <= {"VERIFIED", "INCONCLUSIVE", "FAILED", "PARTIAL"}
    assert table["p_region"].corr(table["p_closed"]) > 0.9


def test_the_band_of_the_coverage_widens_with_fewer_replications():
    def table(n, covered):
        return pd.DataFrame(
            {
                "model": "m",
                "truth": "centre",
                "covered": np.arange(n) < covered * n,
                "covered_closed": True,
                "verdict": "VERIFIED",
                "verdict_closed": "VERIFIED",
            }
        )

    for n, covered, holds in ((500, 0.93, True), (500, 0.91, False), (500, 0.99, False),
                              (100, 0.89, True), (100, 0.87, False)):  # fmt: skip
        assert coverage.summarise(table(n, covered))["holds"].item() == holds


@pytest.mark.slow
def test_location_covers_and_agrees_with_the_closed_form():
    table = coverage.run(MODELS["location"], "centre", sbc.Simulation(100, seed=3))
    found = coverage.summarise(table).iloc[0]
    assert found["holds"]
    assert found["agreement"] >= 0.9
