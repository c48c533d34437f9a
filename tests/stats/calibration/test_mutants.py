import numpy as np
import pandas as pd
import pytest
from kensho.stats.calibration import mutants

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
    assert mutants.survivors(table) == []


def test_the_table_is_the_same_for_the_same_seed(table):
    pd.testing.assert_frame_equal(table, mutants.run(20, seed=3, checks=CHEAP))


def test_survivors_are_mutants_that_live_and_a_shipped_engine_that_does_not():
    rows = [("none", True), ("a", False), ("b", False), ("b", True)]
    assert mutants.survivors(pd.DataFrame(rows, columns=["mutant", "killed"])) == ["none", "a"]


def test_every_mutant_differs_from_the_shipped_engine_in_a_part_that_its_check_looks_at():
    engines = mutants._mutants()
    shipped = engines.pop("none")[0]
    assert all(engine != shipped and checks for engine, checks in engines.values())
    assert {check for _, checks in engines.values() for check in checks} == set(mutants.CHECKS)


def test_ratio_of_means_is_biased_only_by_skewed_noise():
    rng = np.random.default_rng(0)
    under = np.exp(rng.normal(0, 0.5, (2000, 40)))
    for sd, biased in ((0.01, False), (0.5, True)):
        fit = mutants._ratio_of_means(under * np.exp(rng.normal(0, sd, under.shape)), under, 0.05)
        assert (abs(fit.estimate.mean()) > 0.1) == biased


@pytest.mark.slow
def test_sbc_kills_what_it_can_see_and_no_more():
    table = mutants.run(100, seed=11, checks=["SBC location"]).set_index("mutant")
    unseen = ["none", "prior scale 0.3 instead of 0.2"]
    assert not table.loc[unseen, "killed"].any()
    assert table.drop(unseen)["killed"].all()
    assert table.loc["half the data ignored", "seen_in"] == "log-likelihood"
