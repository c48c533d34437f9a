"""What a Bayesian model offers, whichever way its posterior is drawn.

Data are arrays by name. Draws are arrays by name with the draws on the leading axis. A prior is a
set of hyperparameters by name, all of them positive, so that a claim may register its own
primary prior and the sensitivity priors follow in proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pymc as pm
from pytensor.tensor import TensorVariable
from scipy.special import expit

Data = Mapping[str, np.ndarray]
Draws = dict[str, np.ndarray]
Prior = Mapping[str, float]


def _same(data: Data) -> Data:
    return data


@dataclass(frozen=True)
class Model:
    """A likelihood with its priors. Exactly one of `build` and `draw` is given.

    priors: hyperparameters by the name of the prior, the primary one first.
    parameters: posterior variables that gates and calibration look at. A vector counts component
        by component.
    effects: standard normal effects of the groups (clusters, prompts, seeds), one for each group.
    estimand: (D,) draws of the claimed quantity on the working scale. NaN where it is not defined,
        which counts as outside every region.
    prior_draws: n draws of parameters and effects from the prior.
    replicate: new data of the same design for each draw, observed arrays only, draws first.
        Effects that the draws lack are drawn anew: then the groups are new ones.
    log_likelihood: (D, observations).
    statistic: what the predictive check compares, of observed or of replicated data. None where
        the model is saturated, so that the check could not fail.
    build: the PyMC model of `inputs(data)`, data and hyperparameters as `pm.Data`.
    draw: exact draws from the posterior of a conjugate model.
    complete: further draws that follow exactly from those of the sampler.
    new_unit: (D,) draws of the effect of a new unit, on the working scale.
    inputs: the data as `build` takes them.
    prepare: the data as given by a table, brought to the unit that the priors speak of.
    by_unit: data arrays with one entry for each of independent units without effects of their own,
        of which a check can take a sample.
    """

    name: str
    priors: Mapping[str, Prior]
    parameters: tuple[str, ...]
    estimand: Callable[[Draws, Data], np.ndarray]
    prior_draws: Callable[[Data, Prior, np.random.Generator, int], Draws]
    replicate: Callable[[Draws, Data, np.random.Generator], Data]
    log_likelihood: Callable[[Draws, Data], np.ndarray]
    statistic: Callable[[Data], np.ndarray] | None = None
    build: Callable[[Data, Prior], pm.Model] | None = None
    draw: Callable[[Data, Prior, np.random.Generator, int], Draws] | None = None
    effects: tuple[str, ...] = ()
    complete: Callable[[Draws, Data, Prior, np.random.Generator], Draws] | None = None
    new_unit: Callable[[Draws, np.random.Generator], np.ndarray] | None = None
    inputs: Callable[[Data], Data] = _same
    prepare: Callable[[Data], Data] = _same
    by_unit: tuple[str, ...] = ()

    @property
    def primary(self) -> Prior:
        """Hyperparameters of the primary prior."""
        return next(iter(self.priors.values()))

    def with_estimand(self, estimand: Callable[[Draws, Data], np.ndarray] | None) -> Model:
        """The model with another estimand, of which a new unit says nothing; None for its own."""
        return self if estimand is None else replace(self, estimand=estimand, new_unit=None)

    def pymc(self, data: Data, prior: Prior) -> pm.Model:
        """The PyMC model of these data. Raises ValueError where the posterior is drawn exactly."""
        if self.build is None:
            raise ValueError(f"{self.name}: has no PyMC model, its posterior is drawn exactly")
        return self.build(self.inputs(data), prior)

    def simulate(self, draw: Draws, data: Data, rng: np.random.Generator) -> Data:
        """One data set of the same design, given draws of length one."""
        made = self.replicate(draw, data, rng)
        return {**data, **{name: value[0] for name, value in made.items()}}

    def scalars(self, draws: Draws) -> Draws:
        """The parameters component by component, each (D,): theta[0], theta[1], ..."""
        scalars = {}
        for name in self.parameters:
            values = draws[name]
            if values.ndim == 1:
                scalars[name] = values
            else:
                scalars |= {f"{name}[{i}]": values[:, i] for i in range(values.shape[1])}
        return scalars

    def scaled(self, primary: Prior) -> Mapping[str, Prior]:
        """All priors in proportion to another primary one."""
        if set(primary) != set(self.primary):
            raise ValueError(f"{self.name}: the prior must give {', '.join(self.primary)}")
        ratio = {key: primary[key] / value for key, value in self.primary.items()}
        return {
            name: {key: value * ratio[key] for key, value in prior.items()}
            for name, prior in self.priors.items()
        }


def variations(primary: Prior, *factors: Prior) -> Mapping[str, Prior]:
    """The primary prior and one for each set of factors to its scales, named by them."""
    return {"primary": dict(primary)} | {
        ", ".join(f"{key} x {value:g}" for key, value in factor.items()): {
            key: value * factor.get(key, 1) for key, value in primary.items()
        }
        for factor in factors
    }


def shared(data: Data, prior: Prior) -> tuple[dict, dict]:
    """Data and hyperparameters as `pm.Data`: a compiled model can then be fed with others."""
    inputs, hyperparameters = (
        {name: pm.Data(name, np.asarray(value)) for name, value in values.items()}
        for values in (data, prior)
    )
    return inputs, hyperparameters


def group_logits(
    name: str, mean: TensorVariable, sd: TensorVariable, k: TensorVariable, n: TensorVariable
) -> TensorVariable:
    """Logits of groups, Normal(mean, sd), with k of n observed; `name` are their effects.

    Sampled are their distances from what k of n suggest given mean and sd, in normal
    approximation, so that groups of few items and of many are equally easy to sample (at 57
    clusters of 1,000 items the smallest bulk ESS of 10,000 draws rises from 130 to 20,000). The
    density of the logits and the Jacobian leave the posterior as it is.
    """
    empirical = pm.math.log((k + 0.5) / (n - k + 0.5))
    variance = 1 / (k + 0.5) + 1 / (n - k + 0.5)
    weight = sd**2 / (sd**2 + variance)
    scale = pm.math.sqrt(weight * variance)
    offset = pm.Flat(f"{name}_offset", shape=k.shape)
    logits = mean + weight * (empirical - mean) + scale * offset
    pm.Deterministic(name, (logits - mean) / sd)
    density = pm.logp(pm.Normal.dist(mean, sd), logits)
    pm.Potential(f"{name}_prior", density + pm.math.log(scale))
    return logits


def half_normal(rng: np.random.Generator, scale: float, n: int) -> np.ndarray:
    return np.abs(rng.normal(0, scale, n))


def effects(draws: Draws, name: str, groups: int, rng: np.random.Generator) -> np.ndarray:
    """Group effects (D, groups) as drawn, or new ones."""
    if name in draws:
        return draws[name]
    return rng.standard_normal((len(next(iter(draws.values()))), groups))


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def over_groups(
    curve: Callable[[np.ndarray], np.ndarray], location: np.ndarray, sd: np.ndarray
) -> np.ndarray:
    """Mean of curve(location + sd z) over a standard normal z, by Gauss-Hermite quadrature."""
    return curve(location[:, None] + sd[:, None] * _NODES) @ _WEIGHTS


def mean_share(location: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Population mean of a share whose logit is normal over groups."""
    return over_groups(expit, location, sd)
