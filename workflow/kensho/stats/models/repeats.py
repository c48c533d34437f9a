"""Items answered several times: the mean share of right answers (pass@1).

    right_i of answers_i ~ BetaBinomial with mean p and intraclass correlation rho:
    p_i ~ Beta(p k, (1 - p) k), right_i ~ Binomial(answers_i, p_i), k = (1 - rho) / rho
    p ~ Beta(concentration, concentration), rho ~ Beta(likeness, likeness)

Data: answers (G,) distinct numbers of answers, units (G, K + 1) how many items (or clusters) with
so many answers had 0 to K of them right. rho is 1 where an item is always or never right, 0 where
items do not differ. Estimand: p. Of many items it is mean and spread that the data tell, and both
are fitted: there is no predictive check.
"""

import numpy as np
import pymc as pm
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, shared, variations


def _cells(data: Data) -> Data:
    """The cells that can occur: right and of (C,) answers, and how many units are there."""
    row, right = np.nonzero(np.arange(data["units"].shape[1]) <= data["answers"][:, None])
    return {"right": right, "of": data["answers"][row], "units": data["units"][row, right]}


def _build(data: Data, prior: Prior) -> pm.Model:
    with pm.Model() as built:
        d, h = shared(data, prior)
        mean = pm.Beta("mean", h["concentration"], h["concentration"])
        rho = pm.Beta("rho", h["likeness"], h["likeness"])
        size = (1 - rho) / rho
        cell = pm.BetaBinomial.dist(n=d["of"], alpha=mean * size, beta=(1 - mean) * size)
        pm.Potential("answered", d["units"] * pm.logp(cell, d["right"]))
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "mean": rng.beta(prior["concentration"], prior["concentration"], n),
        "rho": rng.beta(prior["likeness"], prior["likeness"], n),
    }


def _log_shares(draws: Draws, right: np.ndarray, of: np.ndarray) -> np.ndarray:
    mean, rho = (draws[name][:, None] for name in ("mean", "rho"))
    size = (1 - rho) / rho
    return stats.betabinom.logpmf(right, of, mean * size, (1 - mean) * size)


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    units = np.zeros((len(draws["mean"]), *data["units"].shape), dtype=int)
    for row, answers in enumerate(data["answers"]):
        shares = np.exp(_log_shares(draws, np.arange(answers + 1), answers))
        shares /= shares.sum(axis=1, keepdims=True)
        units[:, row, : answers + 1] = rng.multinomial(data["units"][row].sum(), shares)
    return {"units": units}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    """One column for each cell that holds units."""
    cells = _cells(data)
    held = cells["units"] > 0
    shares = _log_shares(draws, cells["right"][held], cells["of"][held])
    return cells["units"][held] * shares


REPEATS = Model(
    name="repeats",
    priors=variations(
        {"concentration": 1.0, "likeness": 1.0},
        {"concentration": 0.5},
        {"concentration": 2},
        {"likeness": 0.5},
        {"likeness": 2},
    ),
    parameters=("mean", "rho"),
    estimand=lambda draws, data: draws["mean"],
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    build=_build,
    inputs=_cells,
)
