"""Effective draws per second: the engine's sampler against plain `pm.sample`.

Same data, priors, chains and draws. The rival is the model as its formula reads, group effects
centred, with PyMC's defaults. ESS is the smallest over the parameters that both have.
"""

import logging
import time
import warnings
from collections.abc import Callable

import arviz as az
import machine
import numpy as np
import pandas as pd
import pymc as pm
from kensho.stats.models import MODELS, Data
from kensho.stats.sampling import Sampling, sample
from scipy.special import expit

SETTINGS = {"draws": 2500, "tune": 1000, "chains": 4}


def location(data: Data) -> pm.Model:
    with pm.Model() as built:
        mu = pm.Normal("mu", 0, 1)
        sigma = pm.HalfNormal("sigma", 0.2)
        nu = pm.Deterministic("nu", 1 + pm.Gamma("nu_minus_one", 2, 0.1))
        pm.StudentT("y", nu=nu, mu=mu, sigma=sigma, observed=data["y"])
    return built


def dose(data: Data) -> pm.Model:
    low, high = data["x"].min(), data["x"].max()
    with pm.Model() as built:
        peak = pm.Uniform("peak", low, high)
        c = pm.Normal("c", 0, 2 / ((high - low) / 2) ** 2)
        top = pm.Normal("top", 0, 2)
        seed_sd = pm.HalfNormal("seed_sd", 1)
        sigma = pm.HalfNormal("sigma", 1)
        effect = pm.Normal("effect", 0, seed_sd, shape=int(data["seed"].max()) + 1)
        mean = top + effect[data["seed"]] - c * (data["x"] - peak) ** 2
        pm.Normal("y", mean, sigma, observed=data["y"])
    return built


def pairs(data: Data) -> pm.Model:
    groups, discordant = len(data["items"]), data["wins"] + data["losses"]
    with pm.Model() as built:
        a = pm.Normal("a", 0, 1.5)
        d = pm.Normal("d", 0, 1)
        sd_a, sd_d = pm.HalfNormal("sd_a", 1), pm.HalfNormal("sd_d", 0.5)
        differing = pm.Normal("differing", a, sd_a, shape=groups)
        won = pm.Normal("won", d, sd_d, shape=groups)
        pm.Binomial("discordant", data["items"], logit_p=differing, observed=discordant)
        pm.Binomial("wins", discordant, logit_p=won, observed=data["wins"])
    return built


def studies() -> dict[str, tuple[Callable[[Data], pm.Model], Data]]:
    """Data made here from a fixed seed: a benchmark's input, not a measurement."""
    rng = np.random.default_rng(1)
    x, seed = np.tile(np.arange(10.0, 16), 5), np.repeat(np.arange(5), 6)
    scores = rng.normal(0, 0.4, 5)[seed] - 0.3 * (x - 12.3) ** 2 + rng.normal(0, 0.5, 30)
    items = np.full(57, 100)
    discordant = rng.binomial(items, expit(rng.normal(-1.2, 0.5, 57)))
    wins = rng.binomial(discordant, expit(rng.normal(0.3, 0.3, 57)))
    curve = MODELS["dose"].prepare({"x": x, "seed": seed, "y": scores})
    return {
        "location": (location, {"y": rng.normal(0.6, 0.05, 20)}),
        "dose": (dose, curve),
        "pairs": (pairs, {"wins": wins, "losses": discordant - wins, "items": items}),
    }


def figures(trace: az.InferenceData, name: str, sampling: float, compiling: float) -> dict:
    """Seconds and the smallest effective sample size, bulk and tail."""
    diagnostics = az.summary(
        trace, var_names=list(MODELS[name].parameters), kind="diagnostics", round_to="none"
    )
    bulk, tail = diagnostics["ess_bulk"].min(), diagnostics["ess_tail"].min()
    return {
        "compile s": compiling,
        "sample s": sampling,
        "bulk ESS": bulk,
        "tail ESS": tail,
        "bulk ESS/s": bulk / sampling,
        "tail ESS/s": tail / sampling,
        "bulk ESS/s with compile": bulk / (sampling + compiling),
        "tail ESS/s with compile": tail / (sampling + compiling),
        "divergences": int(trace.sample_stats["diverging"].sum()),
        "worst R-hat": diagnostics["r_hat"].max(),
    }


def ours(name: str, data: Data) -> dict:
    model, start = MODELS[name], time.perf_counter()
    sample(model, data, Sampling(1, tune=1, chains=1), seed=0)
    compiled = time.perf_counter()
    trace = sample(model, data, Sampling(**SETTINGS), seed=1)
    return figures(trace, name, time.perf_counter() - compiled, compiled - start)


def plain(name: str, build: Callable[[Data], pm.Model], data: Data) -> dict:
    start = time.perf_counter()
    with build(data):
        trace = pm.sample(random_seed=1, progressbar=False, **SETTINGS)
    seconds = time.perf_counter() - start
    sampling = trace.posterior.attrs["sampling_time"]
    return figures(trace, name, sampling, seconds - sampling)


def main() -> None:
    logging.getLogger("pymc").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    print(machine.describe())
    print(f"4 chains of {SETTINGS['tune']} + {SETTINGS['draws']} draws each")
    for name, (build, data) in studies().items():
        rows = {"Kensho": ours(name, data), "pm.sample": plain(name, build, data)}
        table = pd.DataFrame(rows)
        rates = [row for row in table.index if "ESS/s" in row]
        ratio = table.loc[rates, "Kensho"] / table.loc[rates, "pm.sample"]
        print(f"\n{name}\n{table.assign(ratio=ratio).round(3).to_string(na_rep='')}")


if __name__ == "__main__":
    main()
