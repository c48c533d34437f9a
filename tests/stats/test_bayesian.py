import math

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
from kensho.stats import bayesian
from scipy import stats

REGION = (1.7, 2.0)


def series(values):
    return pd.Series(values, index=[f"seed{i}" for i in range(len(values))])


THREE = series([0.58, 0.61, 0.66])


def exact_posterior(y, mu_sd, sigma_scale, grid=80):
    """Grid of mu and its posterior mass, by integrating the documented model over sigma and nu."""
    mu = np.linspace(y.mean() - 0.6, y.mean() + 0.6, 401)
    log_sigma = np.linspace(np.log(1e-4), np.log(6 * sigma_scale), grid)
    nu = 1 + stats.gamma(2, scale=10).ppf((np.arange(20) + 0.5) / 20)  # equal prior mass
    sigma = np.exp(log_sigma)[:, None]
    prior = stats.halfnorm(scale=sigma_scale).logpdf(sigma) + log_sigma[:, None]
    total = np.zeros(mu.size)
    for each in nu:
        likelihood = sum(stats.t.logpdf(x, each, mu[None, :], sigma) for x in y)
        total += np.exp(prior + likelihood).sum(axis=0)
    mass = total * stats.norm(0, mu_sd).pdf(mu)
    return mu, mass / mass.sum()


@pytest.fixture(scope="module")
def fitted():
    return bayesian.posterior(THREE, REGION, "greater", 1.05, seed=4)


def test_posterior_of_three_blocks_is_that_of_the_documented_model(fitted):
    summary, diagnostics, _ = fitted
    assert diagnostics["gates_ok"], diagnostics
    found = {"primary": summary} | {row["prior"]: row for row in summary["prior_sensitivity"]}
    assert set(found) == set(bayesian.PRIORS)
    for prior, (mu_sd, sigma_scale) in bayesian.PRIORS.items():
        mu, mass = exact_posterior(THREE.to_numpy(), mu_sd, sigma_scale)
        inside = mass[(mu >= np.log(REGION[0])) & (mu <= np.log(REGION[1]))].sum()
        assert found[prior]["p_region"] == pytest.approx(inside, abs=0.035), prior
        median = np.exp(np.interp(0.5, np.cumsum(mass), mu))
        assert found[prior]["estimate"] == pytest.approx(median, rel=0.005), prior
    mu, mass = exact_posterior(THREE.to_numpy(), *bayesian.PRIORS["primary"])
    eti = np.exp(np.interp([0.025, 0.975], np.cumsum(mass), mu))
    assert summary["eti"] == pytest.approx(eti, rel=0.03)


def test_priors_are_the_registered_ones(fitted):
    assert list(bayesian.PRIORS.values()) == [
        (1.0, 0.2), (0.5, 0.2), (2.0, 0.2), (1.0, 0.1), (1.0, 0.5)
    ]  # fmt: skip
    built = bayesian.model(THREE.to_numpy(), 1.0, 0.2)
    sigma, nu = pm.draw([built["sigma"], built["nu"]], draws=4000, random_seed=1)
    shown = fitted[2].prior
    registered = {
        "mu": stats.norm(0, 1),
        "sigma": stats.halfnorm(scale=0.2),
        "nu": stats.gamma(2, loc=1, scale=10),
    }
    for name, values in (("sigma", sigma), ("nu", nu)):
        assert stats.kstest(values, registered[name].cdf).pvalue > 1e-3, name
    for name, prior in registered.items():
        assert stats.kstest(shown[name].to_numpy().ravel(), prior.cdf).pvalue > 1e-3, name


def test_a_rerun_is_identical_and_another_seed_is_not(fitted):
    again = bayesian.posterior(THREE, REGION, "greater", 1.05, seed=4)
    assert again[:2] == fitted[:2]
    other = bayesian.posterior(THREE, REGION, "greater", 1.05, seed=5)[0]
    assert other["eti"] != fitted[0]["eti"]
    assert other["p_region"] == pytest.approx(fitted[0]["p_region"], abs=0.05)


def test_netcdf_keeps_every_group(fitted, tmp_path):
    path = tmp_path / "posterior.nc"
    fitted[2].to_netcdf(str(path))
    read = az.from_netcdf(str(path))
    groups = {"posterior", "posterior_predictive", "prior", "sample_stats", "observed_data"}
    assert set(read.groups()) == groups
    assert read.observed_data["log_ratio"].to_numpy() == pytest.approx(THREE.to_numpy())
    assert list(read.observed_data["block"].to_numpy()) == list(THREE.index)
    assert read.posterior_predictive["log_ratio"].shape == (4, 2500, 3)
    ratio = np.exp(read.posterior["mu"].to_numpy())
    assert np.median(ratio) == pytest.approx(fitted[0]["estimate"])


def test_with_many_blocks_the_posterior_is_the_t_interval():
    y = series(np.random.default_rng(2).normal(0.6, 0.03, 60))
    summary, diagnostics, _ = bayesian.posterior(y, REGION, "greater", 1.05, seed=1)
    assert diagnostics["gates_ok"], diagnostics
    expected = np.exp(stats.ttest_1samp(y, 0).confidence_interval(0.95))
    assert summary["eti"] == pytest.approx(expected, rel=0.003)
    assert summary["p_direction"] == 1.0
    assert summary["p_rope"] == 0.0


def test_predictive_check_fails_for_two_clusters():
    y = series([0.5, 0.7] * 20 + np.random.default_rng(1).normal(0, 1e-3, 40))
    _, diagnostics, _ = bayesian.posterior(y, REGION, "greater", 1.05, seed=1)
    assert diagnostics["all_priors_converged"]
    assert diagnostics["ppc_p"] > 0.99
    assert not diagnostics["gates_ok"]


def test_probabilities_of_a_known_normal():
    draws = np.exp(stats.norm(0.12, 0.02).ppf((np.arange(20_000) + 0.5) / 20_000))
    found = bayesian.summarise(draws, tuple(np.exp([0.10, 0.15])), "greater", np.exp(0.10))
    assert found["p_region"] == pytest.approx(stats.norm.cdf(1.5) - stats.norm.cdf(-1), abs=1e-4)
    assert found["p_direction"] == pytest.approx(stats.norm.sf(-1), abs=1e-3)
    assert found["p_rope"] == pytest.approx(stats.norm.cdf(-1), abs=1e-3)
    assert found["eti"] == pytest.approx(np.exp(0.12 + 0.02 * np.array([-1.96, 1.96])), rel=1e-4)
    low, high = found["hdi"]  # 95 %, not ArviZ's 94 %
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.95, abs=1e-3)
    less = bayesian.summarise(1 / draws, (None, 1.0), "less", np.exp(0.10))
    assert less["p_direction"] == pytest.approx(found["p_direction"])
    assert bayesian.summarise(draws, (1.0, None), None, 1.05)["p_direction"] is None


def chains(mu):
    rng = np.random.default_rng(0)
    shape = mu.shape
    return az.from_dict(
        posterior={"mu": mu, "sigma": rng.random(shape), "nu": rng.random(shape)},
        sample_stats={"diverging": np.zeros(shape, bool), "energy": rng.normal(size=shape)},
    )


GOOD = {
    "rhat": 1.003,
    "ess_bulk": 1500.0,
    "ess_tail": 2400.0,
    "divergences": 0,
    "bfmi": 0.9,
    "chains_differ": True,
}


@pytest.mark.parametrize(
    ("key", "bad"),
    [("rhat", 1.02), ("ess_bulk", 399), ("ess_tail", 1999), ("divergences", 1), ("bfmi", 0.29)],
)
def test_each_gate_fails_alone_and_on_nan(key, bad):
    assert bayesian.converged(GOOD)
    assert not bayesian.converged(GOOD | {key: bad})
    assert not bayesian.converged(GOOD | {key: math.nan})


def test_sampler_state_sees_chains_that_only_look_good():
    good = np.random.default_rng(1).normal(size=(4, 1000))
    assert bayesian.sampler_state(chains(good))["converged"]
    same = bayesian.sampler_state(chains(np.repeat(good[:1], 4, axis=0)))
    assert same["rhat"] < 1.01
    assert not same["converged"]
    assert not bayesian.sampler_state(chains(np.where(good > 3, np.nan, good)))["converged"]
    assert not bayesian.sampler_state(chains(good + np.arange(4)[:, None]))["converged"]
    diverging = chains(good)
    diverging.sample_stats["diverging"][0, 0] = True
    assert not bayesian.sampler_state(diverging)["converged"]


@pytest.mark.skipif(bayesian.nutpie is None, reason="nutpie is not installed")
def test_pymc_own_sampler_gives_the_same_posterior(fitted, monkeypatch):
    monkeypatch.setattr(bayesian, "nutpie", None)
    monkeypatch.setattr(bayesian, "PRIORS", {"primary": bayesian.PRIORS["primary"]})
    summary, diagnostics, _ = bayesian.posterior(THREE, REGION, "greater", 1.05, seed=4)
    assert "PyMC" in diagnostics["sampler"]
    assert summary["p_region"] == pytest.approx(fitted[0]["p_region"], abs=0.04)
    assert summary["estimate"] == pytest.approx(fitted[0]["estimate"], rel=0.005)
