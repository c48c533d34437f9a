"""Pairwise judgements with ties, the order effect of the judge and prompts that favour a side.

    P(win), P(tie), P(loss) in proportion to exp(eta / 2), exp(log_tie), exp(-eta / 2)
    eta_j = strength + position order_j + sd z_prompt(j)                  (Davidson 1970, JASA 65)
    strength ~ Normal(0, strength_scale), position ~ Normal(0, order_effect)
    log_tie ~ Normal(0, ties), sd ~ HalfNormal(prompt_spread), z ~ Normal(0, 1)

Data: prompt (J,) integers from 0, order (J,) +1 where A stood first and -1 where B did, outcome
(J,) 0 loss, 1 tie, 2 win of A. Estimand: P(win) + P(tie) / 2, the mean over the population of
prompts and both orders. With all orders 0 the model has no order effect.
"""

import numpy as np
import pymc as pm
from scipy.special import log_softmax

from kensho.stats.models.base import (
    Data,
    Draws,
    Model,
    Prior,
    effects,
    group_logits,
    half_normal,
    over_groups,
    shared,
    variations,
)


def _prompts(data: Data) -> int:
    return int(data["prompt"].max()) + 1


def _inputs(data: Data) -> Data:
    """The data with points (P,), a tie giving half a one, and number of judgements of prompts."""
    points = np.bincount(data["prompt"], data["outcome"] / 2)
    return {**data, "points": points, "judgements": np.bincount(data["prompt"])}


def _build(data: Data, prior: Prior) -> pm.Model:
    with pm.Model() as built:
        d, h = shared(data, prior)
        strength = pm.Normal("strength", 0, h["strength_scale"])
        position = pm.Normal("position", 0, h["order_effect"])
        log_tie = pm.Normal("log_tie", 0, h["ties"])
        sd = pm.HalfNormal("sd", h["prompt_spread"])
        prompts = group_logits("z", strength, sd, d["points"], d["judgements"])
        eta = prompts[d["prompt"]] + position * d["order"]
        total = pm.math.logaddexp(pm.math.logaddexp(eta / 2, -eta / 2), log_tie)
        side = d["outcome"] - 1
        pm.Potential("judged", side * eta / 2 + (1 - side**2) * log_tie - total)
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    return {
        "strength": rng.normal(0, prior["strength_scale"], n),
        "position": rng.normal(0, prior["order_effect"], n),
        "log_tie": rng.normal(0, prior["ties"], n),
        "sd": half_normal(rng, prior["prompt_spread"], n),
        "z": rng.standard_normal((n, _prompts(data))),
    }


def _log_shares(draws: Draws, data: Data, z: np.ndarray) -> np.ndarray:
    """Log probability of loss, tie and win: (D, J, 3)."""
    strength, position, sd, log_tie = (
        draws[name][:, None] for name in ("strength", "position", "sd", "log_tie")
    )
    eta = strength + position * data["order"] + sd * z[:, data["prompt"]]
    tie = np.broadcast_to(log_tie, eta.shape)
    return log_softmax(np.stack([-eta / 2, tie, eta / 2], axis=-1), axis=-1)


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    z = effects(draws, "z", _prompts(data), rng)
    shares = np.exp(_log_shares(draws, data, z)).cumsum(axis=-1)
    u = rng.random(shares.shape[:-1])
    return {"outcome": (u > shares[..., 0]).astype(int) + (u > shares[..., 1])}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    logs = _log_shares(draws, data, draws["z"])
    return logs[:, np.arange(logs.shape[1]), data["outcome"]]


def _win_rate(draws: Draws, data: Data) -> np.ndarray:
    """P(win) + P(tie) / 2 = 1/2 + sinh(eta/2) / (2 cosh(eta/2) + exp(log_tie))."""
    tie = np.exp(draws["log_tie"])[:, None]

    def score(eta: np.ndarray) -> np.ndarray:
        return 0.5 + np.sinh(eta / 2) / (2 * np.cosh(eta / 2) + tie)

    first, second = (
        over_groups(score, draws["strength"] + sign * draws["position"], draws["sd"])
        for sign in (1, -1)
    )
    return (first + second) / 2


def _spread_over_prompts(data: Data) -> np.ndarray:
    """Variance over prompts of their mean score."""
    member = np.eye(_prompts(data))[data["prompt"]]
    return ((data["outcome"] @ member) / member.sum(axis=0)).var(axis=-1)


BRADLEY_TERRY = Model(
    name="bradley_terry",
    priors=variations(
        {"strength_scale": 1.0, "order_effect": 0.5, "ties": 1.5, "prompt_spread": 0.5},
        {"strength_scale": 0.5},
        {"strength_scale": 2},
        {"order_effect": 2},
        {"prompt_spread": 2},
    ),
    parameters=("strength", "position", "log_tie", "sd"),
    effects=("z",),
    estimand=_win_rate,
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    statistic=_spread_over_prompts,
    build=_build,
    inputs=_inputs,
)
