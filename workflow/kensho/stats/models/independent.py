"""Two arms with items of their own: the difference of their means, and of their accuracies.

`two_samples`: x_i ~ Normal(m + mu, sigma_0), y_j ~ Normal(m, sigma_1), m anywhere
    mu ~ Normal(0, location), sigma_0 and sigma_1 ~ HalfNormal(spread)
    Data: difference (1,) of the means, squares (2,) sums of squared deviations from each arm's own
    mean, n (2,) units. With a flat prior the common level m drops out, and these are all that the
    values say of mu and the spreads:
    difference ~ Normal(mu, sqrt(sigma_0^2 / n_0 + sigma_1^2 / n_1)),
    squares_k ~ sigma_k^2 chi^2(n_k - 1).
    Estimand: mu. As in `normal` mean and spread are what is fitted, so nothing is checked.

`two_proportions`: correct_k ~ Binomial(items_k, p_k), p_k ~ Beta(concentration, concentration)
    Data: correct, items (2,). Estimand: p_0 - p_1, drawn exactly. Saturated: nothing to check.
"""

import numpy as np
import pymc as pm
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, shared, variations


def _build(data: Data, prior: Prior) -> pm.Model:
    """The model, sampling mu as difference + se * offset, which removes their funnel."""
    with pm.Model() as built:
        d, h = shared(data, prior)
        sigma = pm.HalfNormal("sigma", h["spread"], shape=2)
        se = pm.math.sqrt((sigma**2 / d["n"]).sum())
        mu = pm.Deterministic("mu", d["difference"][0] + se * pm.Flat("offset"))
        density = pm.logp(pm.Normal.dist(0, h["location"]), mu)
        pm.Potential("mu_prior", density + pm.math.log(se))  # log se: the Jacobian
        pm.Normal("apart", mu, se, observed=d["difference"])
        pm.Gamma("within", (d["n"] - 1) / 2, 1 / (2 * sigma**2), observed=d["squares"])
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "mu": rng.normal(0, prior["location"], n),
        "sigma": np.abs(rng.normal(0, prior["spread"], (n, 2))),
    }


def _se(draws: Draws, data: Data) -> np.ndarray:
    return np.sqrt((draws["sigma"] ** 2 / data["n"]).sum(axis=1))


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    difference = rng.normal(draws["mu"], _se(draws, data))
    squares = draws["sigma"] ** 2 * rng.chisquare(data["n"] - 1, draws["sigma"].shape)
    return {"difference": difference[:, None], "squares": squares}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    """One column for the difference and one for the squares of each arm."""
    apart = stats.norm.logpdf(data["difference"], draws["mu"][:, None], _se(draws, data)[:, None])
    shape, scale = (data["n"] - 1) / 2, 2 * draws["sigma"] ** 2
    return np.hstack([apart, stats.gamma.logpdf(data["squares"], shape, scale=scale)])


TWO_SAMPLES = Model(
    name="two_samples",
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
)


def _beta(added: np.ndarray, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    """Draws of p: (n, 2); `added` are the right and wrong answers (2, 2) of both arms."""
    right, wrong = added + prior["concentration"]
    return {"p": rng.beta(right, wrong, (n, 2))}


TWO_PROPORTIONS = Model(
    name="two_proportions",
    priors=variations({"concentration": 1.0}, {"concentration": 0.5}, {"concentration": 2}),
    parameters=("p",),
    estimand=lambda draws, data: draws["p"][:, 0] - draws["p"][:, 1],
    prior_draws=lambda data, prior, rng, n: _beta(np.zeros((2, 2)), prior, rng, n),
    replicate=lambda draws, data, rng: {"correct": rng.binomial(data["items"], draws["p"])},
    log_likelihood=lambda draws, data: stats.binom.logpmf(
        data["correct"], data["items"], draws["p"]
    ),
    draw=lambda data, prior, rng, n: _beta(
        np.array([data["correct"], data["items"] - data["correct"]]), prior, rng, n
    ),
)
