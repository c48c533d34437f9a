"""Mean of unit values whatever their shape: score differences of items, prompts or clusters.

    y_i ~ Normal(mu, sigma),  mu ~ Normal(0, location), sigma ~ HalfNormal(spread)

Data: y (n,), in the score's unit. Estimand: mu, the mean, as in the t interval. Scores are
bounded, skewed and often tied; a Student-t would follow the bulk of them and leave the mean. Of
tens of units the mean is normal all the same, and no more is claimed: there is no predictive
check, since mean and spread are what the model fits.
"""

import numpy as np
import pymc as pm
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, half_normal, shared, variations


def _build(data: Data, prior: Prior) -> pm.Model:
    """The model, sampling mu as mean(y) + sigma * offset, which removes their funnel."""
    with pm.Model() as built:
        d, h = shared(data, prior)
        sigma = pm.HalfNormal("sigma", h["spread"])
        mu = pm.Deterministic("mu", d["y"].mean() + sigma * pm.Flat("offset"))
        density = pm.logp(pm.Normal.dist(0, h["location"]), mu)
        pm.Potential("mu_prior", density + pm.math.log(sigma))  # log sigma: the Jacobian
        pm.Normal("value", mu, sigma, observed=d["y"])
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "mu": rng.normal(0, prior["location"], n),
        "sigma": half_normal(rng, prior["spread"], n),
    }


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    mu, sigma = (draws[name][:, None] for name in ("mu", "sigma"))
    return {"y": rng.normal(mu, sigma, (len(mu), data["y"].size))}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    return stats.norm.logpdf(data["y"], draws["mu"][:, None], draws["sigma"][:, None])


NORMAL = Model(
    name="normal",
    priors=variations(
        {"location": 1.0, "spread": 1.0},
        {"location": 0.5},
        {"location": 2},
        {"spread": 0.5},
        {"spread": 2},
    ),
    parameters=("mu", "sigma"),
    estimand=lambda draws, data: draws["mu"],
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    build=_build,
    new_unit=lambda draws, rng: rng.normal(draws["mu"], draws["sigma"]),
)
