"""One quantity estimated at several sites, each with an effect of its own.

    y_ij ~ Normal(theta_j, sigma_j),  theta_j ~ Normal(mu, tau)
    mu ~ Normal(0, location), sigma_j ~ HalfNormal(spread), tau ~ HalfNormal(between)

Data: mean (k,) of each site's units, squares (k,) their summed squared deviations, n (k,) units.
With theta_j integrated out these are all that the values say of the parameters:
    mean_j ~ Normal(mu, sqrt(tau^2 + sigma_j^2 / n_j)), squares_j ~ sigma_j^2 chi^2(n_j - 1).
Estimand: mu. A new unit is a new site. As in `normal` nothing is checked.

The half-normal prior of the heterogeneity is that recommended for few studies (Friede et al. 2017,
Res. Synth. Methods 8:79; Roever et al. 2021, Res. Synth. Methods 12:448, scale 0.5 for log ratios
and standardised differences).
"""

import numpy as np
import pymc as pm
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, half_normal, shared, variations


def _build(data: Data, prior: Prior) -> pm.Model:
    """The model, sampling mu from where the sites' weighted mean lies, which removes its funnel."""
    with pm.Model() as built:
        d, h = shared(data, prior)
        tau = pm.HalfNormal("tau", h["between"])
        sigma = pm.HalfNormal("sigma", h["spread"], shape=np.shape(data["n"]))
        variance = tau**2 + sigma**2 / d["n"]
        se = 1 / pm.math.sqrt((1 / variance).sum())
        mu = pm.Deterministic("mu", (d["mean"] / variance).sum() * se**2 + se * pm.Flat("offset"))
        density = pm.logp(pm.Normal.dist(0, h["location"]), mu)
        pm.Potential("mu_prior", density + pm.math.log(se))  # log se: the Jacobian
        pm.Normal("apart", mu, pm.math.sqrt(variance), observed=d["mean"])
        pm.Gamma("within", (d["n"] - 1) / 2, 1 / (2 * sigma**2), observed=d["squares"])
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "mu": rng.normal(0, prior["location"], n),
        "tau": half_normal(rng, prior["between"], n),
        "sigma": np.abs(rng.normal(0, prior["spread"], (n, data["n"].size))),
    }


def _sd(draws: Draws, data: Data) -> np.ndarray:
    """Of the sites' means around mu: (D, k)."""
    return np.hypot(draws["tau"][:, None], draws["sigma"] / np.sqrt(data["n"]))


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    mean = rng.normal(draws["mu"][:, None], _sd(draws, data))
    squares = draws["sigma"] ** 2 * rng.chisquare(data["n"] - 1, draws["sigma"].shape)
    return {"mean": mean, "squares": squares}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    """One column for the mean and one for the squares of each site."""
    apart = stats.norm.logpdf(data["mean"], draws["mu"][:, None], _sd(draws, data))
    shape, scale = (data["n"] - 1) / 2, 2 * draws["sigma"] ** 2
    return np.hstack([apart, stats.gamma.logpdf(data["squares"], shape, scale=scale)])


SITES = Model(
    name="sites",
    priors=variations(
        {"location": 1.0, "spread": 1.0, "between": 0.5},
        {"location": 0.5},
        {"location": 2},
        {"between": 0.5},
        {"between": 2},
    ),
    parameters=("mu", "tau", "sigma"),
    estimand=lambda draws, data: draws["mu"],
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    build=_build,
    new_unit=lambda draws, rng: rng.normal(draws["mu"], draws["tau"]),
)
