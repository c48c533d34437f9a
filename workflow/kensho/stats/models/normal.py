"""Mean of unit values whatever their shape: score differences of items, prompts or clusters.

    y_i ~ Normal(mu, sigma),  mu ~ Normal(0, location), sigma ~ HalfNormal(spread)

Data: y (n,), in the score's unit. Estimand: mu, the mean, as in the t interval. Scores are
bounded, skewed and often tied; a Student-t would follow the bulk of them and leave the mean. Of
tens of units the mean is normal all the same, and no more is claimed: there is no predictive
check, since mean and spread are what the model fits.

mu is normal given sigma and integrated out; sigma is drawn from its own density, known up to a
constant, on a grid of 2,000 cells, uniformly within its cell. So no sampler is compiled, and a
million units cost what three numbers do.
"""

import numpy as np
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, half_normal, variations

_CELLS = 2000
_DEPTH = 30.0  # natural logarithms below the mode; beyond, less than 1e-12 of the mass is left


def _draw(data: Data, prior: Prior, rng: np.random.Generator, draws: int) -> Draws:
    y = np.asarray(data["y"], dtype=float)
    n, mean, squares = y.size, float(y.mean()), float(((y - y.mean()) ** 2).sum())

    def density(log_sigma: np.ndarray) -> np.ndarray:
        """Log density of log(sigma), up to a constant."""
        variance = np.exp(2 * log_sigma)
        of_mean = prior["location"] ** 2 + variance / n
        return (
            log_sigma * (2 - n)  # the Jacobian, and n - 1 deviations from the mean
            - squares / (2 * variance)
            - np.log(of_mean) / 2
            - mean**2 / (2 * of_mean)
            - variance / (2 * prior["spread"] ** 2)
        )

    smallest = np.sqrt(squares / n) if squares > 0 else 1e-9 * prior["spread"]
    low, high = np.log([smallest / 1e3, 1e3 * max(smallest, prior["spread"])])
    for _ in range(3):  # to where the mass is
        grid = np.linspace(low, high, _CELLS + 1)
        log_density = density(grid)
        kept = np.flatnonzero(log_density > log_density.max() - _DEPTH)
        low, high = grid[max(kept[0] - 1, 0)], grid[min(kept[-1] + 1, _CELLS)]
    edges = np.linspace(low, high, _CELLS + 1)
    log_mass = density((edges[:-1] + edges[1:]) / 2)
    mass = np.exp(log_mass - log_mass.max())
    cell = rng.choice(_CELLS, draws, p=mass / mass.sum())
    sigma = np.exp(edges[cell] + rng.random(draws) * (edges[1] - edges[0]))
    precision = n / sigma**2 + 1 / prior["location"] ** 2
    mu = rng.normal(n * mean / sigma**2 / precision, 1 / np.sqrt(precision))
    return {"mu": mu, "sigma": sigma}


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
    by_unit=("y",),
    draw=_draw,
    new_unit=lambda draws, rng: rng.normal(draws["mu"], draws["sigma"]),
)
