"""Optimum of a score along a dose: a quadratic in log2 dose with an effect of each seed.

    y_j = top + seed_sd z_seed(j) - c (x_j - peak)^2 + sigma e_j,  z, e ~ Normal(0, 1)
    peak ~ Uniform(min x, max x), c ~ Normal(0, curvature / h^2) with h half the range of x,
    top ~ Normal(0, level), seed_sd ~ HalfNormal(seed_spread), sigma ~ HalfNormal(noise)

Data: x (J,) log2 dose, seed (J,) integers from 0, y (J,) score. The priors speak of a score in
units of its standard deviation over all rows, with mean 0; `prepare` brings it there, which moves
no peak. Estimand: peak where the curve is concave (c > 0), else NaN. With a curvature of 1e-6 it
is the model of a flat curve.

A steady rise is a peak at one end or a trough at the other: two modes between which a sampler does
not move. So it sees seed_sd and sigma only. The rest is normal given the peak and integrated out,
the peak on a grid of 301 cells; all of it is drawn from its distribution afterwards, the peak
uniformly within its cell.
"""

import numpy as np
import pymc as pm
from pytensor.tensor import TensorVariable
from scipy import special, stats

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

Array = np.ndarray | TensorVariable

_CELLS = 301
_GRID = (np.arange(_CELLS) + 0.5) / _CELLS * 2 - 1  # peaks, the range of x being -1 to 1


def _seeds(data: Data) -> int:
    return int(data["seed"].max()) + 1


def _unit(data: Data) -> tuple[float, float]:
    """Middle and half the range of x."""
    low, high = data["x"].min(), data["x"].max()
    return (low + high) / 2, (high - low) / 2


def _inputs(data: Data) -> Data:
    """Sufficient statistics of the columns 1, x, x^2, y: products (4, 4), sums by seed (S, 4)."""
    middle, half = _unit(data)
    x = (data["x"] - middle) / half
    columns = np.stack([np.ones_like(x), x, x**2, data["y"]], axis=1)
    return {
        "products": columns.T @ columns,
        "sums": np.eye(_seeds(data))[:, data["seed"]] @ columns,
    }


def _given_peak(
    peak: Array, seed_sd: Array, sigma: Array, data: Data, prior: Prior
) -> tuple[Array, ...]:
    """Normal distribution of (top, c) given the peak, all in the unit of the grid.

    Returns: its precision m11, m12, m22 and determinant, precision times mean r1, r2, and the
        quadratic form of the data's density. Arrays or tensors, (D, 1) or scalars against (K,).
    """
    products, sums = data["products"], data["sums"]
    shrink = seed_sd**2 / (sigma**2 + sums[:, 0] * seed_sd**2)  # the seed effects integrated out

    def product(i: int, j: int) -> Array:
        between = (shrink * sums[:, i] * sums[:, j]).sum(axis=-1, keepdims=True)
        return (products[i, j] - between) / sigma**2

    def with_curve(i: int) -> Array:  # a column against that of c, which is -(x - peak)^2
        return -product(i, 2) + 2 * peak * product(i, 1) - peak**2 * product(i, 0)

    m11 = product(0, 0) + 1 / prior["level"] ** 2
    m12 = with_curve(0)
    m22 = -with_curve(2) + 2 * peak * with_curve(1) - peak**2 * with_curve(0)
    m22 = m22 + 1 / prior["curvature"] ** 2
    r1, r2 = product(0, 3), with_curve(3)
    det = m11 * m22 - m12**2
    form = product(3, 3) - (m22 * r1**2 - 2 * m12 * r1 * r2 + m11 * r2**2) / det
    return m11, m12, m22, det, r1, r2, form


def _build(data: Data, prior: Prior) -> pm.Model:
    with pm.Model() as built:
        d, h = shared(data, prior)
        seed_sd = pm.HalfNormal("seed_sd", h["seed_spread"])
        sigma = pm.HalfNormal("sigma", h["noise"])
        *_, det, _, _, form = _given_peak(_GRID, seed_sd, sigma, d, h)
        rows, log = d["sums"][:, 0], pm.math.log
        log_variance = (rows - 1) * log(sigma**2) + log(sigma**2 + rows * seed_sd**2)
        scales = log(h["level"] * h["curvature"]) + rows.sum() * np.log(2 * np.pi) / 2
        mixed = pm.math.logsumexp(-(form + log(det)) / 2) - np.log(_CELLS)
        pm.Potential("score", mixed - log_variance.sum() / 2 - scales)
    return built


def _complete(draws: Draws, data: Data, prior: Prior, rng: np.random.Generator) -> Draws:
    parts = np.array_split(np.arange(len(draws["sigma"])), len(draws["sigma"]) // 500 + 1)
    batches = [
        _given_spread(draws["seed_sd"][i], draws["sigma"][i], data, prior, rng) for i in parts
    ]
    return {name: np.concatenate([part[name] for part in batches]) for name in batches[0]}


def _given_spread(
    seed_sd: np.ndarray, sigma: np.ndarray, data: Data, prior: Prior, rng: np.random.Generator
) -> Draws:
    """Peak, c, top and z, drawn given seed_sd and sigma (D,)."""
    spread, inputs = (seed_sd[:, None], sigma[:, None]), _inputs(data)
    *_, det, _, _, form = _given_peak(_GRID, *spread, inputs, prior)
    below = special.softmax(-(form + np.log(np.asarray(det))) / 2, axis=1).cumsum(axis=1)
    cell = (below < rng.random(spread[0].shape)).sum(axis=1).clip(max=_CELLS - 1)
    peak = _GRID[cell] + rng.uniform(-1, 1, len(cell)) / _CELLS
    m11, m12, _, det, r1, r2, _ = (
        part[:, 0] for part in _given_peak(peak[:, None], *spread, inputs, prior)
    )
    c = rng.normal((m11 * r2 - m12 * r1) / det, np.sqrt(m11 / det))
    top = rng.normal((r1 - m12 * c) / m11, 1 / np.sqrt(m11))
    middle, half = _unit(data)
    drawn = {"peak": middle + half * peak, "c": c / half**2, "top": top}
    member = np.eye(_seeds(data))[data["seed"]]
    no_effect = np.zeros((len(cell), _seeds(data)))
    residual = data["y"] - _mean(drawn | {"seed_sd": seed_sd}, data, no_effect)
    variance = spread[1] ** 2 + member.sum(axis=0) * spread[0] ** 2
    z = rng.normal(spread[0] * (residual @ member) / variance, spread[1] / np.sqrt(variance))
    return drawn | {"z": z}


def _prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
    middle, half = _unit(data)
    return {
        "peak": rng.uniform(middle - half, middle + half, n),
        "c": rng.normal(0, prior["curvature"] / half**2, n),
        "top": rng.normal(0, prior["level"], n),
        "seed_sd": half_normal(rng, prior["seed_spread"], n),
        "sigma": half_normal(rng, prior["noise"], n),
        "z": rng.standard_normal((n, _seeds(data))),
    }


def _mean(draws: Draws, data: Data, z: np.ndarray) -> np.ndarray:
    top, seed_sd, c, peak = (draws[name][:, None] for name in ("top", "seed_sd", "c", "peak"))
    return top + seed_sd * z[:, data["seed"]] - c * (data["x"] - peak) ** 2


def _replicate(draws: Draws, data: Data, rng: np.random.Generator) -> Data:
    mean = _mean(draws, data, effects(draws, "z", _seeds(data), rng))
    return {"y": mean + draws["sigma"][:, None] * rng.standard_normal(mean.shape)}


def _log_likelihood(draws: Draws, data: Data) -> np.ndarray:
    return stats.norm.logpdf(data["y"], _mean(draws, data, draws["z"]), draws["sigma"][:, None])


def _lack_of_fit(data: Data) -> np.ndarray:
    """Largest distance of a dose's mean score from the quadratic through these means."""
    doses, place = np.unique(data["x"], return_inverse=True)
    member = np.eye(len(doses))[place]
    means = (data["y"] @ member) / member.sum(axis=0)
    basis, _ = np.linalg.qr(np.vander(doses - doses.mean(), 3))
    return np.abs(means - means @ basis @ basis.T).max(axis=-1)


def _standardised(data: Data) -> Data:
    y = np.asarray(data["y"], dtype=float)
    return {**data, "y": (y - y.mean()) / y.std()}


DOSE_CURVE = Model(
    name="dose",
    priors=variations(
        {"level": 2.0, "curvature": 2.0, "seed_spread": 1.0, "noise": 1.0},
        {"curvature": 0.5},
        {"curvature": 2},
        {"noise": 0.5},
        {"seed_spread": 0.5},
    ),
    parameters=("peak", "c", "top", "seed_sd", "sigma"),
    effects=("z",),
    estimand=lambda draws, data: np.where(draws["c"] > 0, draws["peak"], np.nan),
    prior_draws=_prior_draws,
    replicate=_replicate,
    log_likelihood=_log_likelihood,
    statistic=_lack_of_fit,
    build=_build,
    complete=_complete,
    inputs=_inputs,
    prepare=_standardised,
)
