import numpy as np
import pytest
from kensho.stats import marginal
from kensho.stats.calibration import formula, sbc


def test_the_closed_form_keeps_its_level():
    lines = formula.closed_form(3000, seed=3)
    assert set(lines["check"]) == {"coverage", "VERIFIED at an end", "excluded at an end"}
    assert len(lines) == 3 * len(formula.cases()) and lines["holds"].all(), lines


@pytest.mark.parametrize(
    "case, fault",
    [
        ("numbers, 10 unequal clusters", "clusters counted alike"),
        ("right or wrong, 20 unequal clusters", "items counted as units"),
        ("points, 20 unequal clusters", "items counted as units"),
    ],
)
def test_the_limits_see_a_fault(monkeypatch, case, fault):
    chosen = [one for one in formula.cases() if one.name == case]
    monkeypatch.setattr(formula, "cases", lambda: chosen)
    if fault == "clusters counted alike":
        alike = property(lambda rows: rows.replication - 1)
        monkeypatch.setattr(marginal.Rows, "dof", alike)
    else:
        (one,) = chosen
        rows = marginal.Rows(one.rows.treated, one.rows.columns, np.arange(one.rows.unit.size) // 2)
        right = marginal.contributions
        monkeypatch.setattr(marginal, "contributions", lambda y, _, scale: right(y, rows, scale))
    assert not formula.closed_form(20_000, seed=3)["holds"].all()


@pytest.mark.parametrize("case", formula.cases(), ids=lambda case: case.name)
def test_the_truth_of_a_case_is_its_contrast(case):
    y = case.scores(case.rows, 400, np.random.default_rng(0))
    found = marginal.contributions(y, case.rows, case.scale).mean(axis=1)
    assert found.mean() == pytest.approx(case.truth, abs=4 * found.std() / 20 + 0.003)


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", formula.LIKELIHOODS)
def test_the_models_return_their_posterior(likelihood):
    ranks = formula.ranks(likelihood, 40, seed=5, processes=2)
    tested = sbc.uniformity(ranks)
    assert {"estimand", "log-likelihood", "in region", "arm[0]"} <= set(tested["quantity"])
    assert tested["passes"].all(), tested
