"""Draws of a model's posterior."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import arviz as az
import numpy as np
import pymc as pm
import xarray as xr

from kensho.stats.models import Data, Draws, Model, Prior

try:
    import nutpie
except ImportError:
    nutpie = None

_compiled_models: dict[tuple, nutpie.compiled_pyfunc.PyFuncModel] = {}


@dataclass(frozen=True)
class Sampling:
    """How the sampler runs: draws and tune are of each chain; cores None for one to a chain."""

    draws: int
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    target_accept: float = 0.95


def sampler() -> str:
    """What samples here."""
    return "nutpie" if nutpie is not None else "PyMC (nutpie is not installed)"


def sample(
    model: Model, data: Data, sampling: Sampling, prior: Prior | None = None, *, seed: int
) -> az.InferenceData:
    """Posterior draws of the model under a prior (None: the primary one).

    nutpie samples where it is installed, compiled once for each model and shape of parameters;
    else PyMC's own sampler does. Conjugate models are drawn exactly and have no `sample_stats`.
    """
    prior = model.primary if prior is None else prior
    rng, chains = np.random.default_rng(seed), sampling.chains
    if model.draw is not None:
        return az.from_dict(
            in_chains(model.draw(data, prior, rng, chains * sampling.draws), chains)
        )
    settings = asdict(sampling)
    settings["cores"] = sampling.cores or min(chains, len(os.sched_getaffinity(0)))
    if nutpie is not None:
        compiled = _compiled(model, data, prior)
        trace = nutpie.sample(compiled, seed=seed, progress_bar=False, **settings)
    else:
        with model.pymc(data, prior):
            trace = pm.sample(random_seed=seed, progressbar=False, **settings)
    sampled = flat(trace)
    drawn = {n: sampled[n] for n in (*model.parameters, *model.effects) if n in sampled}
    if model.complete is not None:
        drawn |= model.complete(drawn, data, prior, rng)
    posterior = az.from_dict(in_chains(drawn, chains))
    stats = trace["sample_stats"][["diverging", "energy"]]
    posterior.add_groups(sample_stats=xr.Dataset({k: stats[k].astype(float) for k in stats}))
    return posterior


def _compiled(model: Model, data: Data, prior: Prior) -> nutpie.compiled_pyfunc.PyFuncModel:
    """The model compiled for parameters of these shapes, fed with these data and this prior.

    It is compiled under the primary prior, on which its starting points then depend alone.
    """
    example = model.prior_draws(data, model.primary, np.random.default_rng(0), 1)
    shapes = (example[name].shape for name in (*model.parameters, *model.effects))
    key = (model.build, *shapes)
    if key not in _compiled_models:
        _compiled_models[key] = nutpie.compile_pymc_model(model.pymc(data, model.primary))
    compiled = _compiled_models[key]
    inputs = {**model.inputs(data), **prior}
    return compiled.with_data(**{name: inputs[name] for name in compiled.shared_data})


def flat(trace: az.InferenceData) -> Draws:
    """Draws by name, chains one after another on the leading axis."""
    arrays = {str(name): values.to_numpy() for name, values in trace["posterior"].items()}
    return {name: v.reshape(-1, *v.shape[2:]) for name, v in arrays.items()}


def in_chains(draws: Mapping[str, np.ndarray], chains: int) -> Draws:
    """The inverse of `flat`."""
    return {name: v.reshape(chains, -1, *v.shape[1:]) for name, v in draws.items()}
