"""The model of a formula: bambi builds it for PyMC, and this module knows what it built.

    eta = X beta + sum over groups and their terms of x sd z_group,  z ~ Normal(0, 1)
    gaussian:       y ~ Normal(eta, sigma), in units of the scores' standard deviation, mean 0
    bernoulli:      y ~ Bernoulli(expit(eta))
    beta_binomial:  y of trials ~ BetaBinomial with mean expit(eta) and alpha + beta = kappa
    ordinal:        P(y <= k) = expit(threshold_k - eta), no intercept
    intercept ~ Normal(0, level), other beta ~ Normal(0, effect), sd ~ HalfNormal(spread)
    sigma ~ HalfNormal(noise), kappa ~ HalfNormal(precision)
    thresholds ~ Normal(0, level), conditioned on their order

Estimand: difference or log ratio of the average predictions of the score for the two arms, over
the observed rows, each as if of the one arm and of the other (g-computation), and over the
population of groups: group effects are integrated out, not taken as fitted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats
from scipy.special import expit

from kensho.claims.formula import ARM, RESPONSE, Formula
from kensho.stats.models import bambi_model
from kensho.stats.models.bambi_model import OWN, TRIALS, Columns
from kensho.stats.models.base import (
    Data,
    Draws,
    Model,
    Prior,
    half_normal,
    variations,
)

_SPREADS = ({"effect": 0.5}, {"effect": 2}, {"spread": 0.5}, {"spread": 2})
PRIMARY = {
    "gaussian": {"level": 1.0, "effect": 1.0, "spread": 1.0, "noise": 1.0},
    "bernoulli": {"level": 1.5, "effect": 1.5, "spread": 2.0},
    "beta_binomial": {"level": 1.5, "effect": 1.5, "spread": 2.0, "precision": 20.0},
    "ordinal": {"level": 3.0, "effect": 1.5, "spread": 2.0},
}
_OF_LOGITS = 16.0  # 1 / p (1 - p) of items that are rather hard or easy


def columns(formula: Formula, frame: pd.DataFrame) -> tuple[Columns, Callable]:
    """The matrices of a frame, and a function that gives those of it with all rows in one arm."""
    from formulae import design_matrices

    made = design_matrices(formula.text, frame)

    def within(term, data: pd.DataFrame) -> np.ndarray:
        x = np.asarray(term.expr.eval_new_data(data), dtype=float)
        return x.reshape(len(data), -1)

    def of(data: pd.DataFrame) -> Columns:
        common = made.common.evaluate_new_data(data)
        fixed = {name: common[name].astype(float) for name in made.common.terms}
        fixed.pop("Intercept", None)
        groups = {
            term.name: (within(term, data), term.factor.data.argmax(1), term.factor.data.shape[1])
            for term in (made.group.terms.values() if made.group else ())
        }
        return Columns(fixed, groups)

    return of(frame), lambda arm: of(
        frame.assign(**{ARM: pd.Categorical([arm] * len(frame), frame[ARM].cat.categories, True)})
    )


def model(
    formula: Formula, likelihood: str, frame: pd.DataFrame, kind: str, unit: np.ndarray
) -> Model:
    """The model of one table, compiled for its rows; data are y (rows,) alone.

    Args:
        frame: one row for each score: `score`, `arm` (ordered categorical: control, treatment),
            the formula's other columns as categoricals, and `trials` of a beta-binomial count.
        kind: "difference" or "ratio"; unit: (rows,) code of the unit of replication.

    y is the score, of ordinal ones the rank of its level from 0. The predictive check looks at what
    decides: how much the arms' difference varies over units.
    """
    design, in_arm = columns(formula, frame)
    control, treatment = frame[ARM].cat.categories
    trials = frame[TRIALS].to_numpy() if likelihood == "beta_binomial" else None
    levels = np.unique(frame[RESPONSE].to_numpy(float)) if likelihood == "ordinal" else None
    patterns = {arm: _patterns(in_arm(arm)) for arm in (treatment, control)}
    intercept = () if likelihood == "ordinal" else ("Intercept",)
    own = {"gaussian": ["sigma"], "beta_binomial": ["kappa"], "ordinal": ["threshold"]}
    offsets = tuple(f"{name}_offset" for name in design.groups)

    def prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
        drawn = {name: rng.normal(0, prior["level"], n) for name in intercept}
        for name, x in design.fixed.items():
            drawn[name] = rng.normal(0, prior["effect"], (n, x.shape[1]))
        for name, (x, _, count) in design.groups.items():
            several = () if name.startswith("1|") else (x.shape[1],)
            drawn[f"{name}_sigma"] = np.abs(rng.normal(0, prior["spread"], (n, *several)))
            drawn[f"{name}_offset"] = rng.standard_normal((n, count, *several))
        if likelihood in OWN:
            name, scale = OWN[likelihood]
            drawn[name] = half_normal(rng, prior[scale], n)
        if levels is not None:
            drawn["threshold"] = np.sort(rng.normal(0, prior["level"], (n, levels.size - 1)))
        return drawn

    def eta(draws: Draws, rng: np.random.Generator | None = None) -> np.ndarray:
        """Linear predictor (D, rows), with new groups for effects that the draws lack."""
        size = len(next(iter(draws.values())))
        predictor = np.zeros((size, len(frame)))
        for name in intercept:
            predictor += draws[name][:, None]
        for name, x in design.fixed.items():
            predictor += draws[name] @ x.T
        for name, (x, group, count) in design.groups.items():
            z = draws.get(f"{name}_offset")
            if z is None:
                if rng is None:
                    raise ValueError(f"the draws lack the effects {name}_offset")
                z = rng.standard_normal((size, count, x.shape[1]))
            z = z.reshape(size, count, -1)
            sd = draws[f"{name}_sigma"].reshape(size, -1)
            for j in range(x.shape[1]):
                predictor += sd[:, [j]] * z[:, group, j] * x[:, j]
        return predictor

    def replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
        mean = eta(draws, rng)
        if likelihood == "gaussian":
            return {"y": rng.normal(mean, draws["sigma"][:, None])}
        if levels is not None:
            u = rng.random(mean.shape)
            below = (expit(draws["threshold"][:, k, None] - mean) for k in range(levels.size - 1))
            return {"y": sum((u > share).astype(int) for share in below)}
        share = expit(mean)
        if trials is None:
            return {"y": rng.binomial(1, share)}
        kappa = draws["kappa"][:, None]
        return {"y": rng.binomial(trials, rng.beta(*_beta(share, kappa)))}

    def log_likelihood(draws: Draws, data: Data) -> np.ndarray:
        mean, y = eta(draws), np.asarray(data["y"])
        if likelihood == "gaussian":
            return stats.norm.logpdf(y, mean, draws["sigma"][:, None])
        if likelihood == "ordinal":
            ends = np.pad(draws["threshold"], ((0, 0), (1, 1)), constant_values=np.inf)
            ends[:, 0] = -np.inf
            share = expit(ends[:, y + 1] - mean) - expit(ends[:, y] - mean)
            return np.log(np.maximum(share, np.finfo(float).tiny))
        if likelihood == "bernoulli":
            return -np.logaddexp(0, np.where(y == 1, -mean, mean))
        return stats.betabinom.logpmf(y, trials, *_beta(expit(mean), draws["kappa"][:, None]))

    def average(draws: Draws, data: Data, arm: str) -> np.ndarray:
        """Mean score (D,) of all rows in an arm, over the population of groups."""
        total = np.zeros(())
        for at, share in patterns[arm]:
            location, variance = _at(*at, draws, intercept)
            if likelihood == "gaussian":
                mean = data.get("centre", 0.0) + data.get("unit", 1.0) * location
            elif levels is None:
                mean = _mean_share(location, np.sqrt(variance))
            else:  # the top level, less each step by the share of scores below it
                sd, steps = np.sqrt(variance), enumerate(np.diff(levels))
                below = (
                    step * _mean_share(draws["threshold"][:, k] - location, sd) for k, step in steps
                )
                mean = levels[-1] - sum(below)
            total = total + share * mean
        return total

    def estimand(draws: Draws, data: Data) -> np.ndarray:
        treated, untreated = (average(draws, data, arm) for arm in (treatment, control))
        if kind == "difference":
            return treated - untreated
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                np.minimum(treated, untreated) > 0, np.log(treated) - np.log(untreated), np.nan
            )

    differences = _by_unit(unit, (frame[ARM] == treatment).to_numpy())

    def statistic(data: Data) -> np.ndarray:
        """Variance over units of the difference between the arms."""
        y = np.asarray(data["y"])
        return differences(y if trials is None else y / trials).var(axis=-1)

    def row_variance(data: Data) -> np.ndarray:
        """About what one row says of the linear predictor: a pivot of the sampler, no estimate."""
        if likelihood != "gaussian":
            return np.array(_OF_LOGITS / (1 if trials is None else trials.mean()))
        y = np.asarray(data["y"], dtype=float)
        for name, (_, group, _) in design.groups.items():
            if name.startswith("1|"):
                size = np.maximum(np.bincount(group), 1)
                y = y - (np.bincount(group, y) / size)[group]
        return np.array(max(y.var(), 1e-4))

    def build(data: Data, prior: Prior) -> pm.Model:
        return bambi_model.build(formula, likelihood, frame, design, data, prior)

    spreads = tuple(f"{name}_sigma" for name in design.groups)
    return Model(
        name=f"formula_{likelihood}",
        priors=variations(PRIMARY[likelihood], *_SPREADS),
        parameters=(*intercept, *design.fixed, *spreads, *own.get(likelihood, [])),
        effects=offsets,
        estimand=estimand,
        prior_draws=prior_draws,
        replicate=replicate,
        log_likelihood=log_likelihood,
        statistic=statistic,
        build=build,
        prepare=_standardised if likelihood == "gaussian" else lambda data: data,
        inputs=lambda data: {"y": data["y"], "row_variance": row_variance(data)},
    )


_Z = np.linspace(-8, 8, 81)
_WEIGHTS = stats.norm.pdf(_Z) / stats.norm.pdf(_Z).sum()


def _mean_share(location: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Mean of expit(location + sd z) over a standard normal z, by the trapezoidal rule.

    Items can differ by ten logits and more; there Gauss-Hermite nodes are too few (with 40 of them
    the error is 0.004 at sd = 8, here it is below 0.00001).
    """
    return expit(location[:, None] + sd[:, None] * _Z) @ _WEIGHTS


def _beta(share: np.ndarray, kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    least = 1e-12  # both above 0 where the share rounds to 0 or 1
    return np.maximum(share * kappa, least), np.maximum((1 - share) * kappa, least)


def _standardised(data: Data) -> Data:
    y = np.asarray(data["y"], dtype=float)
    return {**data, "y": (y - y.mean()) / y.std(), "centre": y.mean(), "unit": y.std()}


Blocks = dict[str, np.ndarray]  # columns of one row, by the names of their draws


def _patterns(design: Columns) -> list[tuple[tuple[Blocks, Blocks], float]]:
    """Distinct rows of the matrices (fixed, groups) with their shares of all rows."""
    fixed, spreads = design.fixed, {f"{k}_sigma": x for k, (x, *_) in design.groups.items()}
    every = [*fixed.values(), *spreads.values()]
    rows, counts = np.unique(np.hstack(every), axis=0, return_counts=True)
    patterns = []
    for row, count in zip(rows, counts, strict=True):
        parts = np.split(row, np.cumsum([x.shape[1] for x in every])[:-1])
        at = (
            dict(zip(fixed, parts, strict=False)),
            dict(zip(spreads, parts[len(fixed) :], strict=True)),
        )
        patterns.append((at, count / len(every[0])))
    return patterns


def _at(
    fixed: Blocks, spreads: Blocks, draws: Draws, intercept: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (D,) over groups of the linear predictor of one row."""
    size = len(next(iter(draws.values())))
    location = sum((draws[name] for name in intercept), np.zeros(size))
    for name, x in fixed.items():
        location = location + draws[name] @ x
    terms = (draws[name].reshape(size, -1) * x for name, x in spreads.items())
    return location, sum(((term**2).sum(axis=1) for term in terms), np.zeros(size))


def _by_unit(unit: np.ndarray, treated: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Unit differences of the arms' means of scores (..., rows); of unpaired units their means."""
    count = int(unit.max()) + 1
    order = np.argsort(unit * 2 + treated, kind="stable")
    sizes = np.bincount(unit * 2 + treated, minlength=2 * count)
    present = sizes > 0
    starts = np.concatenate([[0], np.cumsum(sizes[present])[:-1]])
    paired = present.reshape(-1, 2).all(axis=1)

    def differences(y: np.ndarray) -> np.ndarray:
        means = np.full((*y.shape[:-1], 2 * count), np.nan)
        means[..., present] = np.add.reduceat(y[..., order], starts, axis=-1) / sizes[present]
        means = means.reshape(*y.shape[:-1], count, 2)
        if paired.sum() < 2:
            return np.nanmean(means, axis=-1)
        return means[..., paired, 1] - means[..., paired, 0]

    return differences
