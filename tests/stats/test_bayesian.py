import dataclasses
import math

import arviz as az
import numpy as np
import pytest
from kensho.stats import bayesian, sampling
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.models import MODELS
from kensho.stats.scales import BY_NAME, DIFFERENCE, DOSE, RATIO, SHARE
from scipy import special, stats

REGION = (1.7, 2.0)
THREE = {"y": np.array([0.58, 0.61, 0.66])}
PRIMARY = {"location": 1.0, "spread": 0.2}
CLAIM = (RATIO, REGION, "greater", 1.05)


def posterior(model, data, *claim, prior=None, seed=4, **options):
    claimed = Hypothesis(*claim)
    return bayesian.posterior(MODELS[model], data, claimed, prior, seed=seed, **options)


def exact_location(y, location, spread, grid=80):
    """Grid of mu and its posterior mass, by integrating the documented model over sigma and nu."""
    mu = np.linspace(y.mean() - 0.6, y.mean() + 0.6, 401)
    log_sigma = np.linspace(np.log(1e-4), np.log(6 * spread), grid)
    nu = 1 + stats.gamma(2, scale=10).ppf((np.arange(20) + 0.5) / 20)  # equal prior mass
    sigma = np.exp(log_sigma)[:, None]
    prior = stats.halfnorm(scale=spread).logpdf(sigma) + log_sigma[:, None]
    total = np.zeros(mu.size)
    for each in nu:
        likelihood = sum(stats.t.logpdf(x, each, mu[None, :], sigma) for x in y)
        total += np.exp(prior + likelihood).sum(axis=0)
    mass = total * stats.norm(0, location).pdf(mu)
    return mu, mass / mass.sum()


@pytest.fixture(scope="module")
def fitted():
    return posterior("location", THREE, *CLAIM)


def test_posterior_of_three_blocks_is_that_of_the_documented_model(fitted):
    summary, diagnostics, _ = fitted
    assert diagnostics["gates_ok"], diagnostics
    found = {"primary": summary} | {row["prior"]: row for row in summary["prior_sensitivity"]}
    priors = MODELS["location"].priors
    assert list(found) == list(priors)
    for prior, hyper in priors.items():
        mu, mass = exact_location(THREE["y"], **hyper)
        inside = mass[(mu >= np.log(REGION[0])) & (mu <= np.log(REGION[1]))].sum()
        assert found[prior]["p_region"] == pytest.approx(inside, abs=0.035), prior
        median = np.exp(np.interp(0.5, np.cumsum(mass), mu))
        assert found[prior]["estimate"] == pytest.approx(median, rel=0.005), prior
    mu, mass = exact_location(THREE["y"], **priors["primary"])
    eti = np.exp(np.interp([0.025, 0.975], np.cumsum(mass), mu))
    assert summary["eti"] == pytest.approx(eti, rel=0.03)
    assert summary["prior"] == PRIMARY


def test_a_rerun_is_identical_and_another_seed_is_not(fitted):
    # in between the compiled model serves other data
    other = posterior("location", THREE, *CLAIM, seed=5)[0]
    assert other["eti"] != fitted[0]["eti"]
    assert other["p_region"] == pytest.approx(fitted[0]["p_region"], abs=0.05)
    sampling.sample(
        MODELS["location"], {"y": np.ones(3) + THREE["y"]}, sampling.Sampling(10), seed=1
    )
    assert posterior("location", THREE, *CLAIM)[:2] == fitted[:2]


def test_a_registered_prior_takes_the_place_of_the_primary_one():
    strong, wins = {"concentration": 100.0}, {"counts": np.array([30, 20, 10])}
    summary = posterior("dirichlet_wins", wins, SHARE, (0.5, None), None, 0.05, prior=strong)[0]
    assert summary["prior"] == strong
    assert summary["estimate"] == pytest.approx((130 + 120 / 2) / 360, abs=0.003)
    others = {row["prior"]: row["estimate"] for row in summary["prior_sensitivity"]}
    assert others["concentration x 2"] == pytest.approx((230 + 220 / 2) / 660, abs=0.003)


def test_netcdf_keeps_every_group(fitted, tmp_path):
    path = tmp_path / "posterior.nc"
    fitted[2].to_netcdf(str(path))
    read = az.from_netcdf(str(path))
    assert set(read.groups()) == {
        "posterior",
        "posterior_predictive",
        "prior",
        "sample_stats",
        "observed_data",
        "log_likelihood",
    }
    assert read.observed_data["y"].to_numpy() == pytest.approx(THREE["y"])
    assert read.posterior_predictive["y"].shape == (4, 500, 3)
    ratio = read.posterior["estimand"].to_numpy()
    assert ratio == pytest.approx(np.exp(read.posterior["mu"].to_numpy()))
    assert np.median(ratio) == pytest.approx(fitted[0]["estimate"])
    assert np.median(np.log(read.prior["estimand"])) == pytest.approx(0, abs=0.05)
    mu, sigma, nu = (read.posterior[n].to_numpy()[:, ::5] for n in ("mu", "sigma", "nu"))
    expected = stats.t.logpdf(THREE["y"][1], nu, mu, sigma)
    assert read.log_likelihood["location"].to_numpy()[..., 1] == pytest.approx(expected)


def test_with_many_units_the_posterior_is_the_t_interval():
    y = np.random.default_rng(2).normal(0.6, 0.03, 60)
    summary, diagnostics, _ = posterior("location", {"y": y}, *CLAIM, seed=1)
    assert diagnostics["gates_ok"], diagnostics
    expected = np.exp(stats.ttest_1samp(y, 0).confidence_interval(0.95))
    assert summary["eti"] == pytest.approx(expected, rel=0.003)
    assert (summary["p_direction"], summary["p_rope"]) == (1.0, 0.0)
    # a new unit scatters by 0.03 about 0.6: some 98 % of them between log 1.7 and log 2.0
    inside = np.diff(stats.norm(0.6, 0.03).cdf(np.log(REGION)))[0]
    assert summary["p_new_unit"] == pytest.approx(inside, abs=0.03)


def test_predictive_check_fails_for_two_clusters():
    y = np.array([0.5, 0.7] * 20) + np.random.default_rng(1).normal(0, 1e-3, 40)
    _, diagnostics, _ = posterior("location", {"y": y}, *CLAIM, seed=1)
    assert diagnostics["all_priors_converged"]
    assert diagnostics["ppc_p"] > 0.99
    assert not diagnostics["gates_ok"]


def test_too_few_draws_pass_no_gate():
    _, diagnostics, _ = posterior("location", THREE, *CLAIM, draws=100)
    assert diagnostics["target_accept"] == 0.99  # it tried again
    assert 0.01 < diagnostics["ppc_p"] < 0.99
    assert not diagnostics["gates_ok"]


def test_counts_without_clusters_are_drawn_exactly():
    data = {"correct": np.array([70]), "items": np.array([100])}
    summary, diagnostics, record = posterior(
        "beta_binomial", data, SHARE, (0.6, 0.8), "greater", 0.05
    )
    exact = stats.beta(71, 31)
    assert summary["eti"] == pytest.approx(exact.ppf([0.025, 0.975]), abs=0.004)
    assert summary["p_region"] == pytest.approx(np.diff(exact.cdf([0.6, 0.8]))[0], abs=0.005)
    assert summary["p_above"] == pytest.approx(exact.sf(0.8), abs=0.004)
    assert summary["p_rope"] == pytest.approx(exact.cdf(0.55), abs=0.004)
    by_prior = {row["prior"]: row["p_region"] for row in summary["prior_sensitivity"]}
    jeffreys = np.diff(stats.beta(70.5, 30.5).cdf([0.6, 0.8]))[0]
    assert by_prior["concentration x 0.5"] == pytest.approx(jeffreys, abs=0.005)
    assert (diagnostics["sampler"], diagnostics["ppc_p"]) == ("exact draws", None)
    assert diagnostics["gates_ok"]
    assert summary["p_new_unit"] is None
    assert "sample_stats" not in record.groups()


def test_discordant_pairs_and_wins_have_dirichlet_moments():
    pairs = {"counts": np.array([50, 20, 10, 20])}
    summary = posterior("dirichlet_pairs", pairs, DIFFERENCE, (0, None), "greater", 0.01)[0]
    a = np.array([50.5, 20.5, 10.5, 20.5])
    total, difference = a.sum(), 10 / a.sum()
    sd = np.sqrt(((a[1] + a[2]) / total - difference**2) / (total + 1))
    assert summary["estimate"] == pytest.approx(difference, abs=0.003)
    assert np.diff(summary["eti"])[0] == pytest.approx(2 * 1.96 * sd, rel=0.03)
    wins = {"counts": np.array([30, 20, 10])}
    summary = posterior("dirichlet_wins", wins, SHARE, (0.5, None), "greater", 0.05)[0]
    assert summary["estimate"] == pytest.approx((30.5 + 20.5 / 2) / 61.5, abs=0.003)


def test_another_estimand_of_the_same_model():
    pairs = {"counts": np.array([50, 20, 10, 20])}
    model = MODELS["dirichlet_pairs"].with_estimand(lambda draws, data: draws["p"][:, 0])
    claimed = Hypothesis(SHARE, (None, None), None, 0.05)
    summary = bayesian.posterior(model, pairs, claimed, seed=4)[0]
    assert summary["estimate"] == pytest.approx(50.5 / 102, abs=0.003)
    assert summary["p_direction"] is None


def test_probabilities_of_a_known_normal():
    values = stats.norm(0.12, 0.02).ppf((np.arange(20_000) + 0.5) / 20_000)
    claim = (tuple(np.exp([0.10, 0.15])), "greater", np.exp(0.10))
    found = bayesian.summarise(values, Hypothesis(RATIO, *claim))
    assert found["p_region"] == pytest.approx(0.7745, abs=1e-3)  # full, not clipped to the HDI
    assert found["p_below"] == pytest.approx(stats.norm.cdf(-1), abs=1e-3)
    assert found["p_above"] == pytest.approx(stats.norm.sf(1.5), abs=1e-3)
    assert found["p_direction"] == pytest.approx(stats.norm.sf(-1), abs=1e-3)
    assert found["p_rope"] == pytest.approx(stats.norm.cdf(-1), abs=1e-3)
    assert found["eti"] == pytest.approx(np.exp(0.12 + 0.02 * np.array([-1.96, 1.96])), rel=1e-4)
    low, high = found["hdi"]  # 95 %, not ArviZ's 94 %
    inside = (np.exp(values) >= low) & (np.exp(values) <= high)
    assert np.mean(inside) == pytest.approx(0.95, abs=1e-3)
    less = bayesian.summarise(-values, Hypothesis(RATIO, (None, 1.0), "less", np.exp(0.10)))
    assert less["p_direction"] == pytest.approx(found["p_direction"])
    additive = bayesian.summarise(values, Hypothesis(DIFFERENCE, (0, None), "greater", 0.10))
    assert additive["p_direction"] == pytest.approx(stats.norm.sf(-1), abs=1e-3)
    assert additive["p_rope"] == pytest.approx(stats.norm.cdf(-1), abs=1e-3)


def test_where_the_estimand_is_undefined_it_lies_in_no_region():
    values = np.where(np.arange(1000) % 4 == 0, np.nan, 12.0)
    found = bayesian.summarise(values, Hypothesis(DOSE, (2828, 5657), None, 0.0))
    assert found["p_region"] == 0.75
    assert found["p_below"] == found["p_above"] == 0
    assert found["estimate"] == pytest.approx(4096)
    assert found["p_rope"] is found["p_direction"] is None
    nowhere = bayesian.summarise(np.full(10, np.nan), Hypothesis(DOSE, (2828, 5657), None, 0.0))
    assert nowhere["p_region"] == 0
    assert math.isnan(nowhere["estimate"])


GOOD = {
    "rhat": 1.003,
    "ess_bulk": 1500.0,
    "ess_tail": 500.0,
    "ess_estimand": 2400.0,
    "divergences": 0,
    "bfmi": 0.9,
    "chains_differ": True,
}


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("rhat", 1.02),
        ("ess_bulk", 399),
        ("ess_tail", 399),
        ("ess_estimand", 1999),
        ("divergences", 1),
        ("bfmi", 0.29),
    ],
)
def test_each_gate_fails_alone_and_on_nan(key, bad):
    assert bayesian.converged(GOOD)
    assert not bayesian.converged(GOOD | {key: bad})
    assert not bayesian.converged(GOOD | {key: math.nan})


def state(mu, diverging=False, estimand=None):
    rng = np.random.default_rng(0)
    trace = az.from_dict(
        posterior={"mu": mu, "theta": rng.random((*mu.shape, 2))},
        sample_stats={
            "diverging": np.full(mu.shape, diverging),
            "energy": rng.normal(size=mu.shape),
        },
    )
    values = mu.ravel() if estimand is None else estimand
    return bayesian.sampler_state(trace, ("mu", "theta"), values)


def test_sampler_state_sees_chains_that_only_look_good():
    good = np.random.default_rng(1).normal(size=(4, 1000))
    assert state(good)["converged"]
    same = state(np.repeat(good[:1], 4, axis=0))
    assert same["rhat"] < 1.01
    assert not same["converged"]
    assert not state(np.where(good > 3, np.nan, good))["converged"]
    assert not state(good + np.arange(4)[:, None])["converged"]
    assert not state(good, diverging=True)["converged"]
    sticky = np.repeat(good[:, :100], 10, axis=1).ravel()
    assert state(good, estimand=sticky)["ess_estimand"] < 2000
    half = np.where(good.ravel() > 0, good.ravel(), np.nan)
    assert state(good, estimand=half)["converged"]


def test_loo_difference_is_that_of_exact_leave_one_out():
    """Normal mean with known variance: leaving one out has a closed form."""
    rng = np.random.default_rng(1)
    y = rng.normal(0.4, 1, 40)

    def trace(prior_sd):
        def mean_and_sd(values):
            precision = 1 / prior_sd**2 + len(values)
            return values.sum() / precision, 1 / np.sqrt(precision)

        draws = rng.normal(*mean_and_sd(y), (4, 2000))
        logs = stats.norm.logpdf(y, draws[..., None], 1)
        left_out = [mean_and_sd(np.delete(y, i)) for i in range(40)]
        exact = [stats.norm.logpdf(x, m, np.hypot(1, s)) for x, (m, s) in zip(y, left_out)]
        return az.from_dict({"mu": draws}, log_likelihood={"y": logs}), np.array(exact)

    (wide, exact_wide), (null, exact_null) = trace(10.0), trace(0.01)
    found = bayesian.loo_difference(wide, null)
    exact = exact_wide - exact_null
    assert found["elpd_difference"] == pytest.approx(exact.sum(), abs=0.05)
    assert found["se"] == pytest.approx(np.sqrt(40) * exact.std(ddof=1), rel=0.03)
    assert found["pareto_k"] < 0.7


# Each of the following compiles a model of its own.


@pytest.mark.slow
@pytest.mark.skipif(sampling.nutpie is None, reason="nutpie is not installed")
def test_pymc_own_sampler_gives_the_same_posterior(fitted, monkeypatch):
    monkeypatch.setattr(sampling, "nutpie", None)
    model = dataclasses.replace(MODELS["location"], priors={"primary": PRIMARY})
    summary, diagnostics, _ = bayesian.posterior(model, THREE, Hypothesis(*CLAIM), seed=4)
    assert "PyMC" in diagnostics["sampler"]
    assert summary["p_region"] == pytest.approx(fitted[0]["p_region"], abs=0.04)
    assert summary["estimate"] == pytest.approx(fitted[0]["estimate"], rel=0.005)


def exact_share(k, n, location, spread):
    """Posterior mean and sd of the population share, by summing over a grid of a, sd and z."""
    a, sd = np.linspace(-4, 4, 161), (np.arange(150) + 0.5) / 25
    z = np.linspace(-6, 6, 241)
    logit = a[:, None, None] + sd[:, None] * z
    total = stats.norm(0, location).logpdf(a)[:, None] + stats.halfnorm(scale=spread).logpdf(sd)
    weight = stats.norm.pdf(z) * (z[1] - z[0])
    for right, items in zip(k, n, strict=True):
        density = stats.binom.pmf(right, items, special.expit(logit)) @ weight
        total = total + np.log(np.maximum(density, 1e-300))
    mass = np.exp(total - total.max())
    mass /= mass.sum()
    share = special.expit(logit) @ weight
    mean = (mass * share).sum()
    return mean, np.sqrt((mass * (share - mean) ** 2).sum())


def moments(model, data, draws=2500):
    trace = sampling.sample(MODELS[model], data, sampling.Sampling(draws), seed=2)
    values = MODELS[model].estimand(sampling.flat(trace), data)
    assert bayesian.sampler_state(trace, MODELS[model].parameters, values)["converged"]
    return values.mean(), values.std()


@pytest.mark.slow
@pytest.mark.parametrize("items", [8, 400])
def test_clustered_shares_have_the_posterior_of_a_grid(items):
    n = np.full(6, items)
    k = (items * np.array([0.5, 0.75, 0.25, 0.875, 1, 0.625])).astype(int)
    mean, sd = exact_share(k, n, 1.5, 1.0)
    found = moments("proportion", {"correct": k, "items": n})
    assert found == pytest.approx((mean, sd), abs=0.05 * sd)
    wins = (k * np.array([0.5, 0.75, 1, 0.5, 0.25, 0])).astype(int)
    won, won_sd = exact_share(wins, k, 1.0, 0.5)
    found = moments("pairs", {"wins": wins, "losses": k - wins, "items": n})
    centre, spread = 2 * won - 1, 2 * won_sd  # the two shares are independent
    expected = (
        mean * centre,
        np.sqrt((mean * spread) ** 2 + (centre * sd) ** 2 + (sd * spread) ** 2),
    )
    assert found == pytest.approx(expected, abs=0.05 * expected[1])


@pytest.mark.slow
def test_ranking_with_little_spread_is_generalised_least_squares():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 3, 3)) * 0.02
    cov = root @ np.swapaxes(root, 1, 2) + 1e-4 * np.eye(3)
    data = {"mean": rng.normal(0.6, 0.05, (6, 3)), "cov": cov}
    prior = {"ability": 5.0, "spread": 1e-6}
    trace = sampling.sample(MODELS["ranking"], data, sampling.Sampling(2500), prior, seed=1)
    # one task after another has its own difficulty; the first model's ability is set to nil
    design = np.zeros((18, 8))
    for t in range(6):
        design[3 * t : 3 * t + 3, t] = 1
        design[[3 * t + 1, 3 * t + 2], [6, 7]] = 1
    inverse = np.zeros((18, 18))
    for t in range(6):
        inverse[3 * t : 3 * t + 3, 3 * t : 3 * t + 3] = np.linalg.inv(cov[t])
    covariance = np.linalg.inv(design.T @ inverse @ design)
    estimate = covariance @ design.T @ inverse @ data["mean"].ravel()
    theta = sampling.flat(trace)["theta"]
    against_first = theta[:, 1:] - theta[:, :1]
    sd = np.sqrt(np.diag(covariance)[6:])
    assert against_first.mean(axis=0) == pytest.approx(estimate[6:], abs=0.05 * sd.min())
    assert against_first.std(axis=0) == pytest.approx(sd, rel=0.05)


@pytest.mark.slow
def test_a_rising_dose_curve_has_its_optimum_at_the_end():
    """Between a peak at one end and a trough at the other no sampler would move."""
    rng = np.random.default_rng(4)
    x, seed = np.tile(np.arange(10.0, 16), 5), np.repeat(np.arange(5), 6)
    data = {"x": x, "seed": seed, "y": 50 - 0.1 * (x - 15.5) ** 2 + rng.normal(0, 0.5, 30)}
    summary, diagnostics, _ = posterior("dose", data, DOSE, (2828, 5657), None, None)
    assert diagnostics["gates_ok"], diagnostics
    assert summary["p_region"] < 0.01
    assert summary["estimate"] > 2**14


@pytest.mark.slow
def test_loo_prefers_the_model_that_made_the_data():
    rng = np.random.default_rng(5)
    model = MODELS["bradley_terry"]
    data = {"prompt": np.repeat(np.arange(40), 2), "order": np.tile([1, -1], 40)}
    draw = {"strength": 0.2, "position": 1.5, "log_tie": 0.0, "sd": 0.3}
    draw = {name: np.array([value]) for name, value in draw.items()}
    data = model.simulate(draw, data | {"outcome": np.zeros(80, dtype=int)}, rng)
    claimed = Hypothesis(SHARE, (0.4, 0.6), None, 0.05)
    with_order, without = (
        bayesian.posterior(model, data | {"order": order}, claimed, seed=1)[2]
        for order in (data["order"], np.zeros(80, dtype=int))
    )
    found = bayesian.loo_difference(with_order, without)
    assert found["elpd_difference"] > 2 * found["se"] > 0


def test_every_scale_has_summaries():
    for scale in BY_NAME.values():
        found = bayesian.summarise(
            np.linspace(0.1, 0.2, 100), Hypothesis(scale, (1.0, None), None, 1.05)
        )
        assert found["p_below"] + found["p_region"] + found["p_above"] == pytest.approx(1)
