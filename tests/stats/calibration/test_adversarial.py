import numpy as np
import pytest
from kensho.stats import intervals
from kensho.stats.calibration import adversarial


@pytest.fixture(scope="module")
def table():
    return adversarial.run(1000, seed=0)


def test_bad_data_seldom_verify_what_is_not_true(table):
    assert table["holds"].all(), table[~table["holds"]].to_string()
    assert len(table) == 2 * len(adversarial.CASES) + len(adversarial.FAULTS)


def test_most_cases_leave_room_for_a_wrong_verdict(table):
    simulated = table[table["truth"] != "inside"]
    assert (simulated.groupby("case")["wrong_verified"].max() > 0).all()


def test_autocorrelated_blocks_are_withheld(table):
    found = table.set_index(["case", "truth"])["gated"]
    assert found["AR(1) 0.6 between 40 blocks", "below"] > 0.9
    assert found["process effects", "below"] < 0.1


def test_unusable_tables_get_no_verdict(table):
    withheld = table.set_index("case")["gated"]
    assert (withheld[list(adversarial.FAULTS)] == 1).all()
    sound = adversarial._blocks(12, 0.01)(np.random.default_rng(0))
    assert not adversarial._withheld(sound)


@pytest.mark.parametrize("units", [10, 40])
def test_independent_units_are_called_autocorrelated_at_the_nominal_rate(units):
    values = np.random.default_rng(1).normal(2, 3, (20_000, units))
    assert intervals.autocorrelated(values).mean() == pytest.approx(0.05, abs=0.006)


def test_autocorrelation_is_about_order_not_size():
    values = np.sin(np.arange(30) / 5)
    assert intervals.autocorrelated(values)
    assert intervals.autocorrelated(1000 * values - 7)
    assert not intervals.autocorrelated(np.random.default_rng(0).permutation(values))
    assert not intervals.autocorrelated(np.tile([1.0, -1.0], 15))
    assert not intervals.autocorrelated(np.ones(10))
