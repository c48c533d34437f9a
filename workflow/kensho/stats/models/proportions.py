"""Clustered binary items: the accuracy of one system, and the difference of two on the same items.

`proportion`: correct_c ~ Binomial(items_c, expit(a + sd z_c)), z_c ~ Normal(0, 1)
    a ~ Normal(0, location), sd ~ HalfNormal(spread)
    Data: correct (G,), items (G,). Estimand: mean accuracy over the population of clusters.

`pairs`: only the discordant items tell A from B, so they alone are modelled.
    wins_c + losses_c ~ Binomial(items_c, expit(a + sd_a z_c))    A or B right, not both
    wins_c ~ Binomial(wins_c + losses_c, expit(d + sd_d u_c))     of these, A right
    a ~ Normal(0, discordance), sd_a ~ HalfNormal(discordance_spread)
    d ~ Normal(0, difference), sd_d ~ HalfNormal(difference_spread), z_c, u_c ~ Normal(0, 1)
    Data: wins, losses, items (G,). Estimand: mean accuracy difference A - B over the population of
    clusters, E[q] (2 E[w] - 1) with q and w the two shares above.
"""

import numpy as np
import pymc as pm
from scipy import stats
from scipy.special import expit

from kensho.stats.models.base import (
    Data,
    Draws,
    Model,
    Prior,
    effects,
    group_logits,
    half_normal,
    mean_share,
    shared,
    variations,
)


def _share(draws: Draws, mean: str, sd: str, effect: np.ndarray) -> np.ndarray:
    return expit(draws[mean][:, None] + draws[sd][:, None] * effect)


def _build_proportion(data: Data, prior: Prior) -> pm.Model:
    with pm.Model() as built:
        d, h = shared(data, prior)
        a = pm.Normal("a", 0, h["location"])
        sd = pm.HalfNormal("sd", h["spread"])
        logits = group_logits("z", a, sd, d["correct"], d["items"])
        pm.Binomial("n_correct", d["items"], logit_p=logits, observed=d["correct"])
    return built


def _proportion_prior(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "a": rng.normal(0, prior["location"], n),
        "sd": half_normal(rng, prior["spread"], n),
        "z": rng.standard_normal((n, len(data["items"]))),
    }


def _replicate_proportion(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    z = effects(draws, "z", len(data["items"]), rng)
    return {"correct": rng.binomial(data["items"], _share(draws, "a", "sd", z))}


def _proportion_log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    share = _share(draws, "a", "sd", draws["z"])
    return stats.binom.logpmf(data["correct"], data["items"], share)


def _farthest(values: np.ndarray) -> np.ndarray:
    return np.abs(values - values.mean(axis=-1, keepdims=True)).max(axis=-1)


def _farthest_share(data: Data) -> np.ndarray:
    """Largest distance of a cluster's accuracy from the mean of clusters."""
    return _farthest(data["correct"] / data["items"])


def _farthest_difference(data: Data) -> np.ndarray:
    """Largest distance of a cluster's accuracy difference from the mean of clusters."""
    return _farthest((data["wins"] - data["losses"]) / data["items"])


PROPORTION = Model(
    name="proportion",
    priors=variations(
        {"location": 1.5, "spread": 1.0},
        {"location": 0.5},
        {"location": 2},
        {"spread": 0.5},
        {"spread": 2},
    ),
    parameters=("a", "sd"),
    effects=("z",),
    estimand=lambda draws, data: mean_share(draws["a"], draws["sd"]),
    prior_draws=_proportion_prior,
    replicate=_replicate_proportion,
    log_likelihood=_proportion_log_likelihood,
    statistic=_farthest_share,
    build=_build_proportion,
)


def _build_pairs(data: Data, prior: Prior) -> pm.Model:
    with pm.Model() as built:
        d, h = shared(data, prior)
        a = pm.Normal("a", 0, h["discordance"])
        sd_a = pm.HalfNormal("sd_a", h["discordance_spread"])
        difference = pm.Normal("d", 0, h["difference"])
        sd_d = pm.HalfNormal("sd_d", h["difference_spread"])
        discordant = d["wins"] + d["losses"]
        differing = group_logits("z", a, sd_a, discordant, d["items"])
        won = group_logits("u", difference, sd_d, d["wins"], discordant)
        pm.Binomial("n_discordant", d["items"], logit_p=differing, observed=discordant)
        pm.Binomial("n_wins", discordant, logit_p=won, observed=d["wins"])
    return built


def _pairs_prior(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    groups = len(data["items"])
    return {
        "a": rng.normal(0, prior["discordance"], n),
        "sd_a": half_normal(rng, prior["discordance_spread"], n),
        "d": rng.normal(0, prior["difference"], n),
        "sd_d": half_normal(rng, prior["difference_spread"], n),
        "z": rng.standard_normal((n, groups)),
        "u": rng.standard_normal((n, groups)),
    }


def _mean_difference(draws: Draws, data: Data) -> np.ndarray:
    won = mean_share(draws["d"], draws["sd_d"])
    return mean_share(draws["a"], draws["sd_a"]) * (2 * won - 1)


def _replicate_pairs(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    groups = len(data["items"])
    z, u = (effects(draws, name, groups, rng) for name in ("z", "u"))
    discordant = rng.binomial(data["items"], _share(draws, "a", "sd_a", z))
    wins = rng.binomial(discordant, _share(draws, "d", "sd_d", u))
    return {"wins": wins, "losses": discordant - wins}


def _pairs_log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    q, w = _share(draws, "a", "sd_a", draws["z"]), _share(draws, "d", "sd_d", draws["u"])
    discordant = data["wins"] + data["losses"]
    return stats.binom.logpmf(discordant, data["items"], q) + stats.binom.logpmf(
        data["wins"], discordant, w
    )


PAIRS = Model(
    name="pairs",
    priors=variations(
        {
            "discordance": 1.5,
            "discordance_spread": 1.0,
            "difference": 1.0,
            "difference_spread": 0.5,
        },
        {"discordance": 0.5},
        {"difference": 0.5},
        {"difference": 2},
        {"discordance_spread": 2, "difference_spread": 2},
    ),
    parameters=("a", "sd_a", "d", "sd_d"),
    effects=("z", "u"),
    estimand=_mean_difference,
    prior_draws=_pairs_prior,
    replicate=_replicate_pairs,
    log_likelihood=_pairs_log_likelihood,
    statistic=_farthest_difference,
    build=_build_pairs,
)
