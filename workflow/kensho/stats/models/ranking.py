"""Models ranked over tasks, each task a draw from a population of tasks.

    mean_t = difficulty_t + theta + e_t + noise_t,  e_t ~ Normal(0, tau^2 I), noise_t ~ N(0, cov_t)
    theta ~ ZeroSumNormal(ability), tau ~ HalfNormal(spread)

Data: mean (T, M) score of M models on T tasks, cov (T, M, M) covariance of these means over the
task's items, which all models share, or (T, M, T, M) where tasks share clusters, so that their
errors go together. The difficulty of a task leaves with the mean over models: what remains are
M - 1 orthonormal contrasts of each task, turned to the eigenvectors of their covariance, so that
they are independent normals with variance tau^2 + variance_ti; the turn leaves the effects of
tasks, which are alike in all directions, as they are. These are integrated out and drawn exactly
afterwards.

Estimand: theta_0 - theta_1. Draws of `task_effects` (D, T, M) are the ability of each model on each
task, theta + e_t, both without their mean over models.
"""

import numpy as np
import pymc as pm
from scipy import linalg, stats

from kensho.stats.models.base import Data, Draws, Model, Prior, half_normal, shared, variations


def _turn(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (T, M - 1) of independent contrasts, and the turn (T, M - 1, T, M) to them.

    Where tasks share clusters, a contrast is one of all tasks together.
    """
    tasks, models = cov.shape[:2]
    helmert = linalg.helmert(models)
    if cov.ndim == 3:
        variance, vectors = np.linalg.eigh(helmert @ cov @ helmert.T)
        turn = np.einsum("ts,tji,jm->tism", np.eye(tasks), vectors, helmert)
    else:
        every = np.kron(np.eye(tasks), helmert)
        joint = cov.reshape(tasks * models, -1)
        variance, vectors = np.linalg.eigh(every @ joint @ every.T)
        turn = vectors.T @ every
    shape = tasks, models - 1
    return np.maximum(variance, 0).reshape(shape), turn.reshape(*shape, tasks, models)


def _inputs(data: Data) -> Data:
    """Contrasts: axes (T, M - 1, M), value (T, M - 1) and variance (T, M - 1)."""
    variance, turn = _turn(data["cov"])
    value = np.einsum("tism,sm->ti", turn, data["mean"])
    return {"axes": turn.sum(axis=2), "value": value, "variance": variance}


def _build(data: Data, prior: Prior) -> pm.Model:
    with pm.Model() as built:
        d, h = shared(data, prior)
        theta = pm.ZeroSumNormal("theta", sigma=h["ability"], shape=data["axes"].shape[-1])
        tau = pm.HalfNormal("tau", h["spread"])
        sd = pm.math.sqrt(tau**2 + d["variance"])
        pm.Normal("contrast", pm.math.dot(d["axes"], theta), sd, observed=d["value"])
    return built


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    tasks, models = data["mean"].shape
    theta = _centred(rng.normal(0, prior["ability"], (n, models)))
    tau = half_normal(rng, prior["spread"], n)
    effects = tau[:, None, None] * _centred(rng.standard_normal((n, tasks, models)))
    return {"theta": theta, "tau": tau, "task_effects": theta[:, None] + effects}


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-1, keepdims=True)


def _moments(draws: Draws, contrasts: Data) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the contrasts: (D, T, M - 1)."""
    mean = np.einsum("tim,dm->dti", contrasts["axes"], draws["theta"])
    return mean, np.sqrt(draws["tau"][:, None, None] ** 2 + contrasts["variance"])


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    contrasts, (_, turn) = _inputs(data), _turn(data["cov"])
    mean, sd = _moments(draws, contrasts)
    if "task_effects" in draws:
        mean = np.einsum("tism,dsm->dti", turn, draws["task_effects"])
        sd = np.sqrt(contrasts["variance"])
    value = rng.normal(mean, sd)
    difficulty = data["mean"].mean(axis=1, keepdims=True)
    return {"mean": difficulty + np.einsum("tism,dti->dsm", turn, value)}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    """One column for each task, or for as many contrasts where tasks share clusters."""
    contrasts = _inputs(data)
    return stats.norm.logpdf(contrasts["value"], *_moments(draws, contrasts)).sum(axis=-1)


def _task_effects(draws: Draws, data: Data, prior: Prior, rng: np.random.Generator) -> Draws:
    contrasts, (_, turn) = _inputs(data), _turn(data["cov"])
    mean, sd = _moments(draws, contrasts)
    weight = (draws["tau"][:, None, None] / sd) ** 2
    drawn = rng.normal(
        mean + weight * (contrasts["value"] - mean), np.sqrt(weight * contrasts["variance"])
    )
    return {"task_effects": np.einsum("tism,dti->dsm", turn, drawn)}


def _farthest_task(data: Data) -> np.ndarray:
    """Largest distance of a task's differences between models from the mean over tasks."""
    mean = _centred(data["mean"])
    return np.linalg.norm(mean - mean.mean(axis=-2, keepdims=True), axis=-1).max(axis=-1)


def _gap(draws: Draws) -> np.ndarray:
    return draws["theta"][:, 0] - draws["theta"][:, 1]


RANKING = Model(
    name="ranking",
    priors=variations(
        {"ability": 0.2, "spread": 0.1},
        {"ability": 0.5},
        {"ability": 2},
        {"spread": 0.5},
        {"spread": 2},
    ),
    parameters=("theta", "tau"),
    estimand=lambda draws, data: _gap(draws),
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    statistic=_farthest_task,
    build=_build,
    complete=_task_effects,
    new_unit=lambda draws, rng: _gap(draws) + rng.normal(0, np.sqrt(2) * draws["tau"]),
    inputs=_inputs,
)
