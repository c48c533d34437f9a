"""One quantity estimated at several sites from the same units: items, prompts, seeds.

    y_us = mu + a_s + b_u + e_us,  all of them normal; what a site adds does not average out over
    its units, nor what a unit adds over the sites.
    mu ~ Normal(0, location), tau ~ HalfNormal(between), sigma ~ HalfNormal(spread)

Data: mean (1,) of all values; apart (1,) summed squared deviations of the means of the k sites and
squares (1,) those of the means of the n units, from it; k, n (1,). With tau^2 = Var(a + e / n) and
sigma^2 = Var(b + e / k):
    mean ~ Normal(mu, sqrt(tau^2 / k + sigma^2 / n)), apart ~ tau^2 chi^2(k - 1),
    squares ~ sigma^2 chi^2(n - 1),
of which the first errs on the wide side, by what e adds to both. Priors as in `sites`.
"""

import numpy as np
import pymc as pm
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, half_normal, shared, variations
from kensho.stats.models.sites import SITES


def _build(data: Data, prior: Prior) -> pm.Model:
    """The model, sampling mu from the mean of all values, which removes its funnel."""
    with pm.Model() as built:
        d, h = shared(data, prior)
        tau = pm.HalfNormal("tau", h["between"])
        sigma = pm.HalfNormal("sigma", h["spread"])
        se = pm.math.sqrt(tau**2 / d["k"][0] + sigma**2 / d["n"][0])
        mu = pm.Deterministic("mu", d["mean"][0] + se * pm.Flat("offset"))
        density = pm.logp(pm.Normal.dist(0, h["location"]), mu)
        pm.Potential("mu_prior", density + pm.math.log(se))  # log se: the Jacobian
        pm.Normal("grand", mu, se, observed=d["mean"])
        pm.Gamma("of_sites", (d["k"] - 1) / 2, 1 / (2 * tau**2), observed=d["apart"])
        pm.Gamma("of_units", (d["n"] - 1) / 2, 1 / (2 * sigma**2), observed=d["squares"])
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "mu": rng.normal(0, prior["location"], n),
        "tau": half_normal(rng, prior["between"], n),
        "sigma": half_normal(rng, prior["spread"], n),
    }


def _columns(draws: Draws, data: Data) -> tuple[np.ndarray, ...]:
    """mu, the standard error of the mean of all values, tau and sigma, each (D, 1)."""
    mu, tau, sigma = (draws[name][:, None] for name in ("mu", "tau", "sigma"))
    return mu, np.sqrt(tau**2 / data["k"] + sigma**2 / data["n"]), tau, sigma


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    mu, se, tau, sigma = _columns(draws, data)
    return {
        "mean": rng.normal(mu, se),
        "apart": tau**2 * rng.chisquare(data["k"] - 1, tau.shape),
        "squares": sigma**2 * rng.chisquare(data["n"] - 1, sigma.shape),
    }


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    """One column for each of the three figures."""
    mu, se, tau, sigma = _columns(draws, data)
    spreads = [
        stats.gamma.logpdf(data[name], (data[n] - 1) / 2, scale=2 * sd**2)
        for name, n, sd in (("apart", "k", tau), ("squares", "n", sigma))
    ]
    return np.hstack([stats.norm.logpdf(data["mean"], mu, se), *spreads])


CROSSED = Model(
    name="crossed",
    priors=variations(SITES.primary, {"location": 0.5}, {"location": 2}, {"between": 0.5},
                      {"between": 2}),
    parameters=("mu", "tau", "sigma"),
    estimand=lambda draws, data: draws["mu"],
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    build=_build,
    new_unit=SITES.new_unit,
)  # fmt: skip
