import numpy as np
import pandas as pd
import pytest
from kensho.claims.designs import PairedRatio
from kensho.stats.calibration import mutants
from kensho.stats.evidence import pairs

CHEAP = [name for name in mutants.CHECKS if not name.startswith("SBC")]


@pytest.fixture(scope="module")
def table():
    return mutants.run(20, seed=3, checks=CHEAP)


def test_the_shipped_engine_passes_every_check(table):
    none = table[table["mutant"] == "none"]
    assert none["check"].tolist() == CHEAP
    assert not none["killed"].any()


def test_every_mutant_is_killed(table):
    assert table[table["mutant"] != "none"]["killed"].all()
    assert set(table["check"]) == set(CHEAP)


def test_the_table_is_the_same_for_the_same_seed(table):
    pd.testing.assert_frame_equal(table, mutants.run(20, seed=3, checks=CHEAP))


def test_every_check_has_a_mutant_that_it_must_kill():
    engines = mutants._mutants()
    assert all(engine != mutants.Engine() for engine, _ in engines.values())
    assert {check for _, check in engines.values()} == set(mutants.CHECKS)


def test_the_interval_of_the_checks_is_the_one_that_judges():
    rng = np.random.default_rng(0)
    arms = {arm: rng.lognormal(size=12) for arm in ("over", "under")}
    tables = {
        arm: pd.DataFrame(
            {"metric": "seconds", "replicate": 0, "unit": "s", "block": range(12), "value": values}
        )
        for arm, values in arms.items()
    }
    numerator, denominator = ({"arm": arm, "metric": "seconds", "block": None} for arm in arms)
    reading = {"label": "over / under", "numerator": numerator, "denominator": denominator}
    test = PairedRatio(
        design="paired_log_ratio", experiment="speed", readings=[reading], region=[1.0, None],
        sesoi=1.05, levels=["seed"],
    )  # fmt: skip
    judged = pairs.ratio(test, test.readings[0], tables, seed=0).interval(0.05)
    assert judged == pytest.approx(mutants.Engine().interval(arms["over"], arms["under"], 0.05))


def test_ratio_of_means_is_biased_only_by_skewed_noise():
    rng = np.random.default_rng(0)
    under = np.exp(rng.normal(0, 0.5, (2000, 40)))
    for sd, biased in ((0.01, False), (0.5, True)):
        fit = mutants._ratio_of_means(under * np.exp(rng.normal(0, sd, under.shape)), under, 0.05)
        assert (abs(fit.estimate.mean()) > 0.1) == biased


@pytest.mark.slow
def test_sbc_kills_what_it_can_see_but_not_another_prior_scale():
    table = mutants.run(100, seed=11, checks=["SBC location"]).set_index("mutant")
    assert not table.loc["none", "killed"]
    assert table.drop("none")["killed"].all()
    assert table.loc["half the data ignored", "seen_in"] == "log-likelihood"
    wider, _ = mutants._mutants()["prior scale 0.3 instead of 0.2"]
    assert mutants.CHECKS["SBC location"](wider, 100, 11, 2).passes
