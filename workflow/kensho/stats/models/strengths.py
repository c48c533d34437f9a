"""Several models ranked by pairwise judgements with ties, the order effect and answers that differ.

    P(win), P(tie), P(loss) of the first shown, in proportion to exp(eta / 2), exp(log_tie),
    exp(-eta / 2)                                                    (Davidson 1970, JASA 65)
    eta = theta_first - theta_second + position shown + sd (z_first - z_second)
    theta ~ ZeroSumNormal(strength), position ~ Normal(0, order_effect)
    log_tie ~ Normal(0, ties), sd ~ HalfNormal(answer_spread), z ~ Normal(0, 1)

z are how much better than usual a model answered a prompt. Of a prompt with one judgement they are
integrated over, so that such judgements need only be counted.

Data: alone (M, M, 3) counts of judgements that are alone on their prompt, by first, second and
outcome (0 loss, 1 tie, 2 win of the first); of the others first, second, outcome and the answers
answer_first, answer_second (K,) integers from 0, answers () how many there are (0 if there are no
others); shown () 1 where the order of showing is known, else 0; perhaps fitted (2, M, M), mean and
variance of the points of the first shown at the maximum of the likelihood, around which the
predictive check is made: won by nearly all, the scores of pairs do not add up as strengths do.
Estimand: win probability of model 0 against model 1, P(win) + P(tie) / 2 over prompts and orders.
"""

import numpy as np
import pymc as pm
from scipy.special import logsumexp

from kensho.stats.davidson import log_shares, weakest_win
from kensho.stats.models.base import (
    Data,
    Draws,
    Model,
    Prior,
    effects,
    half_normal,
    shared,
    variations,
)

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _inputs(data: Data) -> Data:
    """The cells of `alone` that hold judgements as lists, and the other judgements."""
    first, second, outcome = np.nonzero(data["alone"])
    cells = {"cell_first": first, "cell_second": second, "cell_outcome": outcome}
    rest = ("first", "second", "outcome", "answer_first", "answer_second", "shown")
    others = {name: np.asarray(data[name]) for name in rest}
    held = data["alone"][first, second, outcome]
    return {
        **cells,
        "held": held,
        **others,
        "models": np.array(len(data["alone"])),
        "z": data["answers"],
    }


def _build(data: Data, prior: Prior) -> pm.Model:
    models, answers = int(data["models"]), int(data["z"])
    with pm.Model() as built:
        d, h = shared({k: v for k, v in data.items() if k not in ("models", "z")}, prior)
        theta = pm.ZeroSumNormal("theta", sigma=h["strength"], shape=models)
        position = pm.Normal("position", 0, h["order_effect"])
        log_tie = pm.Normal("log_tie", 0, h["ties"])
        sd = pm.HalfNormal("sd", h["answer_spread"])

        def judged(eta, outcome):
            half = pm.math.abs(eta) / 2
            total = half + pm.math.log(1 + pm.math.exp(-2 * half) + pm.math.exp(log_tie - half))
            side = outcome - 1
            return side * eta / 2 + (1 - side**2) * log_tie - total

        eta = theta[d["cell_first"]] - theta[d["cell_second"]] + position * d["shown"]
        spread = eta[:, None] + np.sqrt(2) * sd * _NODES
        cells = pm.math.log(
            pm.math.dot(pm.math.exp(judged(spread, d["cell_outcome"][:, None])), _WEIGHTS)
        )
        pm.Potential("alone", d["held"] * cells)
        if answers:
            z = pm.Normal("z", shape=answers)
            eta = theta[d["first"]] - theta[d["second"]] + position * d["shown"]
            eta = eta + sd * (z[d["answer_first"]] - z[d["answer_second"]])
            pm.Potential("together", judged(eta, d["outcome"]))
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    theta = rng.normal(0, prior["strength"], (n, len(data["alone"])))
    return {
        "theta": theta - theta.mean(axis=1, keepdims=True),
        "position": rng.normal(0, prior["order_effect"], n),
        "log_tie": rng.normal(0, prior["ties"], n),
        "sd": half_normal(rng, prior["answer_spread"], n),
        "z": rng.standard_normal((n, int(data["answers"]))),
    }


def _alone(draws: Draws, data: Data, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Log probability of the outcomes of judgements alone on their prompt: (D, cells, 3)."""
    position, sd, log_tie = (draws[name][:, None] for name in ("position", "sd", "log_tie"))
    theta = draws["theta"]
    eta = theta[:, first] - theta[:, second] + position * data["shown"]
    logs = [
        log_shares(eta + np.sqrt(2) * sd * node, log_tie) + np.log(weight)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True)
    ]
    return logsumexp(logs, axis=0)


def _together(draws: Draws, data: Data, z: np.ndarray) -> np.ndarray:
    """The same of the others: (D, K, 3)."""
    position, sd, log_tie = (draws[name][:, None] for name in ("position", "sd", "log_tie"))
    theta = draws["theta"]
    eta = theta[:, data["first"]] - theta[:, data["second"]] + position * data["shown"]
    eta = eta + sd * (z[:, data["answer_first"]] - z[:, data["answer_second"]])
    return log_shares(eta, log_tie)


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    number = data["alone"].sum(axis=-1)
    first, second = np.nonzero(number)
    shares = np.exp(_alone(draws, data, first, second))
    alone = np.zeros((len(draws["sd"]), *data["alone"].shape), dtype=int)
    alone[:, first, second] = rng.multinomial(number[first, second], shares)
    if not data["first"].size:
        return {"alone": alone}
    z = effects(draws, "z", int(data["answers"]), rng)
    below = np.exp(_together(draws, data, z)).cumsum(axis=-1)
    u = rng.random(below.shape[:-1])
    outcome = (u > below[..., 0]).astype(int) + (u > below[..., 1])
    return {"alone": alone, "outcome": outcome}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    """A column for each cell that holds judgements alone on their prompt, and each other one."""
    first, second, outcome = np.nonzero(data["alone"])
    cells = _alone(draws, data, first, second)[:, np.arange(first.size), outcome]
    if not data["first"].size:
        return data["alone"][first, second, outcome] * cells
    together = _together(draws, data, draws["z"])
    each = np.take_along_axis(together, data["outcome"][None, :, None], axis=-1)[..., 0]
    return np.hstack([data["alone"][first, second, outcome] * cells, each])


def _circularity(data: Data) -> np.ndarray:
    """Spread of the pairs' scores that no difference of the models' strengths accounts for."""
    alone, models = data["alone"], data["alone"].shape[-2]
    points = alone @ [0, 0.5, 1]
    number = alone.sum(axis=-1).reshape(-1, models, models)[0]  # the same in every replicate
    if data["first"].size:
        cell = data["first"] * models + data["second"]
        order = np.argsort(cell, kind="stable")
        held, start, count = np.unique(cell[order], return_index=True, return_counts=True)
        at = np.unravel_index(held, number.shape)
        points[..., at[0], at[1]] += np.add.reduceat(data["outcome"][..., order], start, -1) / 2
        number = number + np.bincount(held, count, number.size).reshape(number.shape)
    mean, variance = data.get("fitted", (0.5, 1.0))
    missed, spread = points - number * mean, number * variance
    missed, spread = missed - np.swapaxes(missed, -1, -2), spread + spread.T
    i, j = np.nonzero(np.triu(spread, 1))
    weight = np.sqrt(spread[i, j])
    sides = weight[:, None] * (np.eye(models)[i] - np.eye(models)[j])
    left = np.eye(i.size) - sides @ np.linalg.pinv(sides)
    circular = np.round(((missed[..., i, j] / weight @ left) ** 2).sum(axis=-1), 12)
    # around a fit it is chi squared, and less than its mean is no fault: it counts as that
    return np.maximum(circular, left.trace().round() if "fitted" in data else 0)


STRENGTHS = Model(
    name="strengths",
    priors=variations(
        {"strength": 1.0, "order_effect": 0.5, "ties": 1.5, "answer_spread": 0.5},
        {"strength": 0.5},
        {"strength": 2},
        {"order_effect": 2},
        {"answer_spread": 2},
    ),
    parameters=("theta", "position", "log_tie", "sd"),
    effects=("z",),
    estimand=lambda draws, data: weakest_win(draws, data, [0], [1]),
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    statistic=_circularity,
    build=_build,
    inputs=_inputs,
)
