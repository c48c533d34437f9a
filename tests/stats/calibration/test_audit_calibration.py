import pytest
from kensho.stats.calibration import audit


@pytest.fixture(scope="module")
def few():
    return audit.run(60, seed=3)


def test_no_consistent_figure_is_called_impossible_and_certain_errors_are_found(few):
    assert few["holds"].all(), few[~few["holds"]].to_string()
    assert set(few["check"]) == set(audit.KINDS) and (few["certain"] > 0).all()


def test_power_grows_with_decimals_and_falls_with_items(few):
    power = few.set_index(["check", "n", "decimals"])["power"]
    of = power["granularity"]
    assert of[60, 2] < of[60, 3] and of[448, 3] < of[448, 4] and of[792, 3] < of[448, 3]


def test_a_check_that_cries_wolf_and_one_that_sleeps_do_not_hold(monkeypatch):
    from kensho.audit.printed import Finding, Word

    for word in (Word.IMPOSSIBLE, Word.CONSISTENT):
        monkeypatch.setattr(audit.granularity, "reachable", lambda *_, w=word: Finding(w, ""))
        found = audit.run(20, seed=3).set_index("check").loc["granularity", "holds"]
        assert not found.any()


def test_aggregates_cover_and_err_as_seldom_as_they_should():
    found = audit.acceptance(2000, seed=1)
    assert found["holds"].all(), found[~found["holds"]].to_string()
    decided = found[found["check"] == "order decided, aggregates"].set_index("subject")["value"]
    assert decided["0.9 and 0.8 of 500 items, tied 0"] > 0.9
    assert decided["0.5 and 0.5 of 500 items, tied 0"] < 0.05
