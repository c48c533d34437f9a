from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kensho.stats.calibration import sbc
from kensho.stats.models import MODELS

EXACT = ("beta_binomial", "dirichlet_pairs", "dirichlet_wins")


def ranks_of(posterior_sd, bias, replications, sets, seed=0):
    """Ranks of standard normal truths among draws of a posterior that may be off."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((sets, replications, 1))
    draws = bias + posterior_sd * rng.standard_normal((sets, replications, sbc.THINNED))
    table = pd.DataFrame((draws < truth).sum(-1)).stack().rename("rank").reset_index()
    return table.rename(columns={"level_0": "quantity"}).assign(model="normal")


def rejected(ranks):
    table = sbc.uniformity(ranks)
    return {p: (table[p] < 0.01).mean() for p in ("ks_p", "chi2_p", "z2_p")}


def test_right_ranks_are_rejected_as_often_as_the_level_says():
    ranks = ranks_of(1, 0, 200, sets=200)
    assert all(share <= 0.035 for share in rejected(ranks).values())
    assert sbc.uniformity(ranks)["passes"].all()


@pytest.mark.parametrize(
    "posterior_sd, bias, power",
    [(0.8, 0, {"ks_p": 0.17, "chi2_p": 0.56, "z2_p": 0.97}), (1, 0.3, {"ks_p": 0.88})],
)
def test_power_of_200_ranks_is_as_measured(posterior_sd, bias, power):
    found = rejected(ranks_of(posterior_sd, bias, 200, sets=150))
    assert {p: found[p] for p in power} == pytest.approx(power, abs=0.12)


def test_more_quantities_ask_for_smaller_p_values():
    few, many = (sbc.uniformity(ranks_of(1, 0, 50, sets=n)) for n in (2, 20))
    assert few["limit"].unique() == pytest.approx(0.01 / 4)
    assert many["limit"].unique() == pytest.approx(0.01 / 40)


def test_equal_draws_leave_the_rank_to_chance():
    rng = np.random.default_rng(0)
    found = [sbc.rank(1, np.array([0, 1, 1, 2]), rng) for _ in range(3000)]
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == [1, 2, 3]
    assert counts == pytest.approx(1000, abs=100)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_ranked_by_its_parameters_estimand_likelihood_and_region(name):
    model, design, rng = MODELS[name], sbc.DESIGNS[name], np.random.default_rng(0)
    truth = model.prior_draws(design.data, model.primary, rng, 200)
    found = sbc.quantities(model, truth, design.data, design.region)
    assert set(found) > {"estimand", "log-likelihood", "in region"}
    assert all(values.shape == (200,) for values in found.values())
    assert not any(np.isnan(values.astype(float)).any() for values in found.values())
    assert 0.2 < found["in region"].mean() < 0.8  # else nothing is asked


def test_a_convex_dose_curve_ranks_below_every_optimum_and_lies_in_no_region():
    model, design = MODELS["dose"], sbc.DESIGNS["dose"]
    draws = model.prior_draws(design.data, model.primary, np.random.default_rng(1), 50)
    found = sbc.quantities(model, draws, design.data, (-np.inf, np.inf))
    convex = draws["c"] <= 0
    assert 10 < convex.sum() < 40
    assert (found["estimand"][convex] == -np.inf).all()
    assert (found["in region"] == ~convex).all()


@pytest.mark.parametrize("name", EXACT)
def test_exact_posteriors_pass(name):
    ranks = sbc.run(MODELS[name], sbc.Simulation(80, seed=1, processes=1))
    assert sbc.uniformity(ranks)["passes"].all()
    assert sbc.reliability(ranks)["holds"].all()
    assert abs(sbc.brier(ranks)["z"].item()) < 3.3


def test_only_the_likelihood_sees_that_the_data_were_not_used():
    def from_the_prior(model, data, seed, draws, tune):
        rng = np.random.default_rng(seed)
        return model.prior_draws(data, model.primary, rng, draws), 0

    ranks = sbc.run(
        MODELS["dirichlet_wins"], sbc.Simulation(60, seed=1, processes=1), fit=from_the_prior
    )
    table = sbc.uniformity(ranks).set_index("quantity")
    assert table.drop("log-likelihood")["passes"].all()
    assert not table.loc["log-likelihood", "passes"]


def test_a_prior_that_is_not_the_one_of_the_truth_is_seen():
    wrong = replace(MODELS["beta_binomial"], priors={"primary": {"concentration": 20.0}})

    def fit(model, *rest):
        return sbc.fit(wrong, *rest)

    ranks = sbc.run(MODELS["beta_binomial"], sbc.Simulation(60, seed=1, processes=1), fit=fit)
    assert not sbc.uniformity(ranks)["passes"].all()


def test_ranks_do_not_depend_on_the_number_of_processes():
    one, two = (
        sbc.run(MODELS["dirichlet_wins"], sbc.Simulation(6, seed=4, processes=n)) for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)
    other = sbc.run(MODELS["dirichlet_wins"], sbc.Simulation(6, seed=5, processes=1))
    assert not one["rank"].equals(other["rank"])


def test_draws_that_cannot_be_thinned_evenly_are_refused():
    with pytest.raises(ValueError, match="1000 is not a multiple of 99"):
        sbc.run(MODELS["dirichlet_wins"], sbc.Simulation(1, seed=0, draws=1000))


def cases(p, seed=0, n=4000):
    """Events with probability uniform on (0, 1), announced as p(probability)."""
    rng = np.random.default_rng(seed)
    true = rng.random(n)
    return pd.DataFrame(
        {
            "model": "m",
            "replication": np.arange(n),
            "p_region": p(true),
            "in_region": rng.random(n) < true,
        }
    )


def test_probabilities_that_come_true_are_reliable_and_overconfident_ones_are_not():
    right, over = cases(lambda p: p), cases(lambda p: np.clip(1.5 * p - 0.25, 0, 1))
    assert sbc.reliability(right)["holds"].all()
    table = sbc.reliability(over).set_index("bin")
    assert not table.loc[[0.0, 0.9], "holds"].any()
    assert table["n"].sum() == 4000


def test_brier_score_is_that_of_its_formula_and_shows_overconfidence():
    right = sbc.brier(cases(lambda p: p)).iloc[0]
    assert right["implied"] == pytest.approx(1 / 6, abs=0.01)  # integral of p (1 - p)
    assert abs(right["z"]) < 3.3
    assert sbc.brier(cases(lambda p: np.clip(1.5 * p - 0.25, 0, 1)))["z"].item() > 10


@pytest.mark.slow
def test_location_passes():
    ranks = sbc.run(MODELS["location"], sbc.Simulation(100, seed=1))
    assert sbc.uniformity(ranks)["passes"].all()
    assert sbc.reliability(ranks)["holds"].all()
