"""Strengths of several models from pairwise judgements: Bradley-Terry with ties and order.

    P(win), P(tie), P(loss) of the first shown, in proportion to exp(eta / 2), exp(log_tie),
    exp(-eta / 2), eta = theta_first - theta_second + position      (Davidson 1970, JASA 65)

Judgements are counted in cells (first, second, outcome), outcome 0 loss, 1 tie, 2 win of the first.
Strengths are stated as win probabilities, P(win) + P(tie) / 2 averaged over both orders: what they
are worth, whatever the share of ties, and the scale of a win rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import linalg, special

from kensho.stats import intervals

_ADDED = 0.5  # weight of the comparisons that are added, see `strengths`
_STEPS = 100
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class Strengths(NamedTuple):
    """Maximum-likelihood fits: theta (..., M), position, log_tie (...), and cov (..., P, P).

    cov is that of the M - 1 contrasts `basis(M) @ theta`, of position (if it was `shown`) and of
    log_tie.
    """

    theta: np.ndarray
    position: np.ndarray
    log_tie: np.ndarray
    cov: np.ndarray
    shown: bool


def basis(models: int) -> np.ndarray:
    """Orthonormal contrasts (M - 1, M) of strengths that sum to 0."""
    return linalg.helmert(models)


def log_shares(eta: np.ndarray, log_tie: np.ndarray) -> np.ndarray:
    """Log probability of loss, tie and win: (..., 3)."""
    tie = np.broadcast_to(log_tie, np.shape(eta))
    return special.log_softmax(np.stack([-eta / 2, tie, eta / 2], axis=-1), axis=-1)


def win_probability(
    gap: np.ndarray, position: np.ndarray, log_tie: np.ndarray, sd: np.ndarray | float = 0.0
) -> np.ndarray:
    """P(win) + P(tie) / 2 of the stronger by `gap`, over both orders and a spread of the gap."""
    orders = []
    for sign in (1, -1):
        eta = (gap + sign * position)[..., None] + np.asarray(sd)[..., None] * _NODES
        orders.append(np.exp(log_shares(eta, log_tie[..., None])) @ [0, 0.5, 1] @ _WEIGHTS / 2)
    return orders[0] + orders[1]


def weakest_win(
    draws: Mapping[str, np.ndarray],
    data: Mapping[str, np.ndarray],
    better: Sequence[int],
    worse: Sequence[int],
) -> np.ndarray:
    """Draws of the smallest win probability of several pairs of models, in new prompts.

    That is the pair with the smallest difference in strength: draws and data as in
    `models.strengths`.
    """
    gap = (draws["theta"][:, better] - draws["theta"][:, worse]).min(axis=1)
    position = draws["position"] * data.get("shown", 1)
    return win_probability(gap, position, draws["log_tie"], np.sqrt(2) * draws["sd"])


def _design(models: int, shown: bool) -> np.ndarray:
    """Gradient of eta in each cell (M, M, P): contrasts, position, and none for log_tie."""
    contrasts = basis(models).T
    eta = contrasts[:, None] - contrasts[None]
    extra = [np.full((models, models, 1), 1.0)] if shown else []
    return np.concatenate([eta, *extra, np.zeros((models, models, 1))], axis=-1)


def strengths(
    counts: np.ndarray,
    shown: bool,
    prompts: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> Strengths:
    """Fit of judgements in cells, counts (..., M, M, 3), with a covariance robust to prompts.

    Args:
        shown: whether the order of showing is known; if not, it has no effect in the model.
        prompts: prompt, cell (index into the flattened counts) and weight of each judgement, of one
            data set. The covariance is the sandwich over prompts. None: each has its own prompt.

    Half a comparison won and half a one lost are added as if they were prompts: by each model
    against one of mean strength, and by the first shown of two equals; and half a tie and half a
    decision of equals. So a model that wins everything has a finite strength, and an uncertain one.

    Raises ValueError where the maximum is not found.
    """
    models = counts.shape[-2]
    design, contrasts = _design(models, shown), basis(models).T
    parameters = design.shape[-1]
    added = np.zeros((models + shown, parameters))  # what the added comparisons turn on
    added[:models, : models - 1] = contrasts
    if shown:
        added[models, models - 1] = 1
    tie = np.zeros(parameters)
    tie[-1] = 1
    beta = np.zeros((*counts.shape[:-3], parameters))
    for _ in range(_STEPS):
        score, info, *_ = _slopes(beta, counts, design, added, tie)
        step = np.linalg.solve(info, score[..., None])[..., 0]
        longest = np.abs(step).max(axis=-1, keepdims=True)
        beta = beta + step / np.maximum(1, longest / 2)
        if longest.max() < 1e-10:
            break
    else:
        raise ValueError("the strengths of the models have no maximum of their likelihood")
    _, info, each, missed = _slopes(beta, counts, design, added, tie)
    if prompts is None:
        meat = np.einsum("...abo,...abop,...aboq->...pq", counts, each, each)
        groups = counts.sum(axis=(-3, -2, -1))
    else:
        prompt, cell, weight = prompts
        flat = each.reshape(-1, each.shape[-1])[cell] * weight[:, None]
        groups = int(prompt.max()) + 1
        sums = np.stack([np.bincount(prompt, column, groups) for column in flat.T], axis=-1)
        meat = sums.T @ sums
    meat = meat * np.asarray(groups / (groups - 1))[..., None, None] + missed
    bread = np.linalg.inv(info)
    theta = beta[..., : models - 1] @ contrasts.T
    position = beta[..., models - 1] if shown else np.zeros(beta.shape[:-1])
    return Strengths(theta, position, beta[..., -1], bread @ meat @ bread, shown)


def _slopes(beta, counts, design, added, tie):
    """Score, information, scores of one judgement in each cell, and the meat of what is added."""
    eta, log_tie = np.einsum("abp,...p->...ab", design, beta), beta[..., -1, None, None]
    shares = np.exp(log_shares(eta, log_tie))
    points, tied = np.array([0, 0.5, 1]), np.array([0.0, 1, 0])
    mean, ties = shares @ points, shares[..., 1]
    # of one judgement: (points - mean) times the gradient of eta, and (tied - P(tie)) for log_tie
    each = (points - mean[..., None])[..., None] * design[:, :, None]
    each = each + (tied - ties[..., None])[..., None] * tie
    score = np.einsum("...abo,...abop->...p", counts, each)
    info = np.einsum("...ab,...abo,...abop,...aboq->...pq", counts.sum(-1), shares, each, each)
    win = special.expit(beta @ added.T)
    level = np.exp(beta[..., -1]) / (2 + np.exp(beta[..., -1]))  # P(tie) between equals
    score = score + _ADDED * ((1 - 2 * win) @ added + (1 - 2 * level)[..., None] * tie)
    spread, missed = (
        _ADDED
        * (
            np.einsum("...m,mp,mq->...pq", of_wins, added, added)
            + np.multiply.outer(of_ties, np.outer(tie, tie))
        )
        for of_wins, of_ties in (
            (2 * win * (1 - win), 2 * level * (1 - level)),
            (win**2 + (1 - win) ** 2, level**2 + (1 - level) ** 2),
        )
    )
    return score, info + spread, each, missed


def points(fit: Strengths) -> np.ndarray:
    """Mean and variance of the points (0, 1/2, 1) of each model shown first: (2, M, M)."""
    eta = fit.theta[:, None] - fit.theta + fit.position
    shares = np.exp(log_shares(eta, fit.log_tie))
    mean = shares @ [0, 0.5, 1]
    return np.array([mean, shares @ [0, 0.25, 1] - mean**2])


def gaps(fit: Strengths, pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Win probability of each pair (better, worse) on the logit scale, and its standard error."""
    contrasts = basis(fit.theta.shape[-1])
    logits, errors = [], []
    for better, worse in pairs:
        gap = fit.theta[..., better] - fit.theta[..., worse]
        gradient = np.zeros(fit.cov.shape[:-1])
        mean = 0.0
        for sign in (1, -1):
            shares = np.exp(log_shares(gap + sign * fit.position, fit.log_tie))
            points = shares @ [0, 0.5, 1]
            slope = shares @ [0, 0.25, 1] - points**2
            mean = mean + points / 2
            gradient[..., : len(contrasts)] += (
                slope[..., None] * (contrasts[:, better] - contrasts[:, worse]) / 2
            )
            if fit.shown:
                gradient[..., -2] += sign * slope / 2
            gradient[..., -1] += shares[..., 1] * (0.5 - points) / 2
        variance = np.einsum("...p,...pq,...q->...", gradient, fit.cov, gradient)
        logits.append(special.logit(mean))
        errors.append(np.sqrt(variance) / (mean * (1 - mean)))
    return np.stack(logits, axis=-1), np.stack(errors, axis=-1)


def smallest(
    logits: np.ndarray, errors: np.ndarray, dof: intervals.Values, alpha: float
) -> intervals.Fit:
    """Interval of the smallest of several win probabilities, from their logits (on the last axis).

    Intersection-union: its lower end needs no correction (see `intervals.kth_largest`).
    """
    fit = intervals.kth_largest(logits, errors, dof, logits.shape[-1], alpha)
    estimate, low, high = (special.expit(x) for x in fit[:3])
    return intervals.Fit(estimate, low, high, fit.se * estimate * (1 - estimate), fit.dof)
