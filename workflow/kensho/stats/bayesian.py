"""Posterior of a paired ratio: a Student-t model of the log ratios of blocks.

    y_b ~ StudentT(nu, mu, sigma)      y_b = log ratio of block b
    mu ~ Normal(0, 1), sigma ~ HalfNormal(0.2), nu = 1 + Gamma(2, 0.1)

The ratio is exp(mu). Each prior of PRIORS is fitted; the first is the primary one.
"""

from __future__ import annotations

import os
from functools import cache

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from kensho.stats.frequentist import Region, log_ends

try:
    import nutpie
except ImportError:
    nutpie = None

PRIORS = {  # name: (sd of mu, scale of sigma)
    "primary": (1.0, 0.2),
    "mu sd 0.5": (0.5, 0.2),
    "mu sd 2": (2.0, 0.2),
    "sigma scale 0.1": (1.0, 0.1),
    "sigma scale 0.5": (1.0, 0.5),
}
CHAINS = 4
TUNE = 1000


def model(log_ratios: np.ndarray, mu_sd: float, sigma_scale: float) -> pm.Model:
    """The model above. It samples mu as mean(y) + sigma * offset.

    The change of variables leaves the posterior as it is and removes the funnel between mu and
    sigma that few blocks leave (bulk ESS at 3 blocks: from some 200 to 1,500).
    """
    with pm.Model() as built:
        y = pm.Data("y", log_ratios)
        mu_sd, sigma_scale = pm.Data("mu_sd", mu_sd), pm.Data("sigma_scale", sigma_scale)
        sigma = pm.HalfNormal("sigma", sigma_scale)
        nu = pm.Deterministic("nu", 1 + pm.Gamma("nu_minus_one", 2, 0.1))
        mu = pm.Deterministic("mu", y.mean() + sigma * pm.Flat("offset"))
        prior = pm.logp(pm.Normal.dist(0, mu_sd), mu)
        pm.Potential("mu_prior", prior + pm.math.log(sigma))  # log sigma: the Jacobian
        pm.StudentT("log_ratio", nu=nu, mu=mu, sigma=sigma, observed=y)
    return built


@cache
def _compiled() -> nutpie.compiled_pyfunc.PyFuncModel:
    return nutpie.compile_pymc_model(model(np.zeros(3), *PRIORS["primary"]))


def _sample(
    y: np.ndarray, prior: str, seed: int, draws: int, target_accept: float
) -> az.InferenceData:
    mu_sd, sigma_scale = PRIORS[prior]
    settings = {"draws": draws, "tune": TUNE, "chains": CHAINS, "target_accept": target_accept}
    cores = min(CHAINS, len(os.sched_getaffinity(0)))
    if nutpie is not None:
        data = _compiled().with_data(y=y, mu_sd=mu_sd, sigma_scale=sigma_scale)
        return nutpie.sample(data, seed=seed, cores=cores, progress_bar=False, **settings)
    with model(y, mu_sd, sigma_scale):
        return pm.sample(random_seed=seed, cores=cores, progressbar=False, **settings)


def _fit(y: np.ndarray, prior: str, seed: int, draws: int) -> tuple[az.InferenceData, dict]:
    """Sample, and once more with smaller steps if a gate of the sampler is not passed."""
    for target_accept in (0.95, 0.99):
        trace = _sample(y, prior, seed, draws, target_accept)
        state = sampler_state(trace) | {"target_accept": target_accept}
        if state["converged"]:
            break
    return trace, state


def sampler_state(trace: az.InferenceData) -> dict:
    """Worst R-hat and ESS over mu, sigma and nu, divergences, worst E-BFMI, and `converged`."""
    table = az.summary(
        trace, var_names=["mu", "sigma", "nu"], kind="diagnostics", round_to="none"
    )  # az.summary rounds unless told
    chains = trace.posterior["mu"].to_numpy()
    state = {
        "rhat": float(table["r_hat"].max(skipna=False)),
        "ess_bulk": float(table["ess_bulk"].min(skipna=False)),
        "ess_tail": float(table["ess_tail"].min(skipna=False)),
        "divergences": int(trace.sample_stats["diverging"].sum()),
        "bfmi": float(az.bfmi(trace).min()),
        "chains_differ": len(np.unique(chains, axis=0)) == len(chains),
    }
    return state | {"converged": converged(state)}


def converged(state: dict) -> bool:
    """The gates of the sampler. They say what must hold, so that a NaN fails."""
    return bool(
        state["rhat"] < 1.01
        and state["ess_bulk"] >= 400
        and state["ess_tail"] >= 2000  # the rule decides on tail probabilities
        and state["divergences"] == 0
        and state["bfmi"] > 0.3
        and state["chains_differ"]
    )


def posterior(
    log_ratios: pd.Series,
    region: Region,
    direction: str | None,
    sesoi: float,
    *,
    seed: int,
    draws: int = 2500,
) -> tuple[dict, dict, az.InferenceData]:
    """Fit every prior of PRIORS to the log ratios of blocks (index: block).

    Returns:
        summary: of the ratio under the primary prior (see `summarise`), with
            `prior_sensitivity`, a list of {prior, estimate, p_region};
        diagnostics: `sampler_state` of the primary fit, sampler, `ppc_p`, and `gates_ok`, which
            holds if all fits converged and `ppc_p` is between 0.01 and 0.99;
        InferenceData with posterior, sample_stats, posterior_predictive, prior, observed_data.
    """
    y = log_ratios.to_numpy(dtype=float)
    fits = {prior: _fit(y, prior, seed, draws) for prior in PRIORS}
    trace, state = fits["primary"]
    ratios = {prior: np.exp(_flat(fit, "mu")) for prior, (fit, _) in fits.items()}
    found = {prior: summarise(values, region, direction, sesoi) for prior, values in ratios.items()}
    sensitivity = [
        {"prior": prior, "estimate": row["estimate"], "p_region": row["p_region"]}
        for prior, row in found.items()
        if prior != "primary"
    ]
    rng = np.random.default_rng(seed)
    predicted = _predict(trace, y.size, rng)
    ppc_p = float(np.mean(_largest_deviation(predicted) >= _largest_deviation(y)))
    all_converged = all(fit_state["converged"] for _, fit_state in fits.values())
    diagnostics = {
        **state,
        "all_priors_converged": all_converged,
        "ppc_p": ppc_p,
        "sampler": "nutpie" if nutpie is not None else "PyMC (nutpie is not installed)",
        "gates_ok": bool(all_converged and 0.01 <= ppc_p <= 0.99),
    }
    summary = found["primary"] | {"prior_sensitivity": sensitivity}
    return summary, diagnostics, _record(trace, predicted, log_ratios, rng)


def summarise(
    ratios: np.ndarray, region: Region, direction: str | None, sesoi: float
) -> dict[str, float | list[float] | None]:
    """Median, 95 % equal-tailed and highest-density interval of ratio draws, and probabilities:

    p_region (the claimed set), p_rope (between 1/sesoi and sesoi: no relevant effect) and
    p_direction (beyond sesoi in the claimed direction; None where there is none).
    """
    low, high = log_ends(region)
    logs = np.log(ratios)
    beyond = {"greater": ratios > sesoi, "less": ratios < 1 / sesoi}
    return {
        "estimate": float(np.median(ratios)),
        "eti": np.quantile(ratios, [0.025, 0.975]).tolist(),
        "hdi": az.hdi(ratios, hdi_prob=0.95).tolist(),
        "p_region": float(np.mean((logs >= low) & (logs <= high))),
        "p_rope": float(np.mean((ratios >= 1 / sesoi) & (ratios <= sesoi))),
        "p_direction": float(np.mean(beyond[direction])) if direction else None,
    }


def _flat(trace: az.InferenceData, name: str) -> np.ndarray:
    return trace.posterior[name].to_numpy().ravel()


def _predict(trace: az.InferenceData, n: int, rng: np.random.Generator) -> np.ndarray:
    """One replicated data set of n blocks for each draw: chain x draw x block."""
    mu, sigma, nu = (trace.posterior[name].to_numpy()[..., None] for name in ("mu", "sigma", "nu"))
    return mu + sigma * rng.standard_t(nu, size=(*mu.shape[:2], n))


def _largest_deviation(y: np.ndarray) -> np.ndarray:
    """Largest distance from the median: the mean would always fit, the spread need not."""
    return np.abs(y - np.median(y, axis=-1, keepdims=True)).max(axis=-1)


def _record(
    trace: az.InferenceData, predicted: np.ndarray, observed: pd.Series, rng: np.random.Generator
) -> az.InferenceData:
    mu_sd, sigma_scale = PRIORS["primary"]
    shape = trace.posterior["mu"].shape
    names = ["mu", "sigma", "nu"]
    record = az.from_dict(
        posterior={name: trace.posterior[name].to_numpy() for name in names},
        posterior_predictive={"log_ratio": predicted},
        prior={
            "mu": rng.normal(0, mu_sd, shape),
            "sigma": np.abs(rng.normal(0, sigma_scale, shape)),
            "nu": 1 + rng.gamma(2, 1 / 0.1, shape),
        },
        observed_data={"log_ratio": observed.to_numpy(dtype=float)},
        coords={"block": observed.index.astype(str).to_list()},
        dims={"log_ratio": ["block"]},
    )
    kept = trace.sample_stats[["diverging", "energy"]]
    record.add_groups(sample_stats=xr.Dataset({k: kept[k].astype(float) for k in kept}))
    return record
