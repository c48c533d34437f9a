"""Posterior of a claimed quantity: sampling, gates, prior sensitivity and predictive check.

The equal-tailed interval decides; the highest-density interval is shown beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import arviz as az
import numpy as np

from kensho.stats.hypothesis import Hypothesis
from kensho.stats.models import Data, Draws, Model, Prior
from kensho.stats.sampling import Sampling, flat, in_chains, sample, sampler
from kensho.stats.scales import Scale

PREDICTED = 500  # draws of each chain with predicted data and pointwise log-likelihood
CHECKED = 5000  # units, of which there may be hundreds of thousands, that these are made for
_DIAGNOSTICS = (
    "rhat",
    "ess_bulk",
    "ess_tail",
    "ess_estimand",
    "divergences",
    "bfmi",
    "chains_differ",
    "target_accept",
)


def sampler_state(
    trace: az.InferenceData, parameters: tuple[str, ...], estimand: np.ndarray
) -> dict[str, float | bool]:
    """Worst R-hat and ESS over the parameters, divergences, worst E-BFMI, and `converged`.

    `ess_estimand` is the tail ESS of the estimand (draws, chains one after another), where it is
    undefined taken as smaller than elsewhere.
    """
    table = az.summary(
        trace, var_names=list(parameters), kind="diagnostics", round_to="none"
    )  # az.summary rounds unless told
    chains = trace["posterior"][parameters[0]].to_numpy()
    undefined = np.isnan(estimand)
    lowest = estimand[~undefined].min(initial=0) - 1
    filled = np.where(undefined, lowest, estimand).reshape(len(chains), -1)
    state = {
        "rhat": float(table["r_hat"].max(skipna=False)),
        "ess_bulk": float(table["ess_bulk"].min(skipna=False)),
        "ess_tail": float(table["ess_tail"].min(skipna=False)),
        "ess_estimand": float(az.ess(filled, method="tail")),
        "divergences": int(trace["sample_stats"]["diverging"].sum()),
        "bfmi": float(az.bfmi(trace).min()),
        "chains_differ": len(np.unique(chains, axis=0)) == len(chains),
    }
    return state | {"converged": converged(state)}


_CONVERGENCE = {  # figure: (what it is, the bound it must keep, whether it lies below it)
    "rhat": ("R-hat", 1.01, True),
    "ess_bulk": ("bulk effective sample size", 400, False),
    "ess_tail": ("tail effective sample size", 400, False),
    "ess_estimand": ("tail effective sample size of the estimand", 2000, False),  # it decides
    "divergences": ("number of divergent transitions", 1, True),
    "bfmi": ("E-BFMI", 0.3, False),
}


def unconverged(state: Mapping[str, float]) -> list[str]:
    """The gates of the sampler that do not hold, each with its figure; a NaN does not hold."""
    failed = []
    for key, (name, bound, below) in _CONVERGENCE.items():
        figure = state.get(key, math.nan)
        if not (figure < bound if below else figure >= bound):
            needed = f"{'below' if below else 'at least'} {bound:g}"
            failed.append(f"{name} {figure:.4g} ({needed} is needed)")
    return failed + ([] if state.get("chains_differ") else ["two chains are the same"])


def converged(state: Mapping[str, float]) -> bool:
    """Whether all gates of the sampler hold."""
    return not unconverged(state)


def posterior(
    model: Model,
    data: Data,
    hypothesis: Hypothesis,
    prior: Prior | None = None,
    *,
    seed: int,
    draws: int = 2500,
) -> tuple[dict, dict, az.InferenceData]:
    """Fit the model under every prior and hold its estimand against the claimed region.

    Args:
        prior: registered hyperparameters of the primary prior, the others follow in proportion;
            None for the model's own.
        draws: of each of the 4 chains.

    Returns:
        summary: of the estimand under the primary prior (see `summarise`), with `p_new_unit`
            (probability that the effect of a new unit lies in the region; None where the model
            has no such unit), `prior`, and `prior_sensitivity`: a list of {prior, estimate,
            p_region};
        diagnostics: `sampler_state` of the primary fit (each None for exact draws), sampler,
            `ppc_p` (None for a saturated model), `failed`, a sentence for each gate that does not
            hold (a fit that has not converged, `ppc_p` outside 0.01 to 0.99), `gates_ok`, and
            `sampled_units`, how many of the units predictions and likelihoods were made for (None:
            all of them, up to CHECKED);
        InferenceData: posterior and prior (each with `estimand` on the claim's scale),
            sample_stats, observed_data, and for up to PREDICTED draws of each chain
            posterior_predictive (of new groups) and log_likelihood.
    """
    data = model.prepare(data)
    priors = model.priors if prior is None else model.scaled(prior)
    rng = np.random.default_rng(seed)
    first, *others = priors
    fit = _fit(model, data, priors[first], seed, draws)
    summaries, states = {first: summarise(fit.estimand, hypothesis)}, {first: fit.state}
    for name in others:
        _, estimand, states[name] = _fit(model, data, priors[name], seed, draws)
        summaries[name] = summarise(estimand, hypothesis)
    low, high = hypothesis.scale.ends(hypothesis.region)
    summary = summaries[first] | {
        "p_new_unit": model.new_unit and _between(model.new_unit(flat(fit.trace), rng), low, high),
        "prior": dict(priors[first]),
        "prior_sensitivity": [
            {"prior": name, **{key: summaries[name][key] for key in ("estimate", "p_region")}}
            for name in others
        ],
    }
    checked = _at_most(model, data, rng)
    record = _record(model, checked, priors[first], hypothesis.scale, fit, rng)
    ppc_p = _predictive_p(model, checked, record)
    failed = [
        f"the sampler has not converged under {name}: {gate}; ask for more stats.draws"
        for name, state in states.items()
        if not state["converged"]
        for gate in unconverged(state)
    ]
    all_converged = not failed
    if ppc_p is not None and not 0.01 <= ppc_p <= 0.99:
        failed.append(_misfit(model, ppc_p))
    diagnostics = {
        **fit.state,
        "all_priors_converged": all_converged,
        "ppc_p": ppc_p,
        "sampled_units": None if checked is data else CHECKED,
        "failed": failed,
        "gates_ok": not failed,
    }
    return summary, diagnostics, record


class _Fit(NamedTuple):
    """Draws under one prior; of the estimand chains one after another; state of the sampler."""

    trace: az.InferenceData
    estimand: np.ndarray
    state: dict


def _fit(model: Model, data: Data, prior: Prior, seed: int, draws: int) -> _Fit:
    """Sample, and once more with smaller steps if a gate of the sampler is not passed."""
    if model.draw is not None:
        trace = sample(model, data, Sampling(draws), prior, seed=seed)
        exact = dict.fromkeys(_DIAGNOSTICS) | {"converged": True, "sampler": "exact draws"}
        return _Fit(trace, model.estimand(flat(trace), data), exact)
    for target_accept in (0.95, 0.99):
        steps = Sampling(draws, target_accept=target_accept)
        trace = sample(model, data, steps, prior, seed=seed)
        values = model.estimand(flat(trace), data)
        state = sampler_state(trace, model.parameters, values)
        if state["converged"]:
            break
    return _Fit(trace, values, state | {"target_accept": target_accept, "sampler": sampler()})


def summarise(values: np.ndarray, hypothesis: Hypothesis) -> dict:
    """Posterior draws of an estimand (working scale) in numbers on the claim's scale.

    Median, 95 % equal-tailed and highest-density interval of the draws where the estimand is
    defined; of all draws the shares below, in and above the region, in the region of practical
    equivalence (p_rope, None without a null) and beyond `sesoi` in the claimed direction
    (p_direction, None without a direction or a null).
    """
    scale, sesoi = hypothesis.scale, hypothesis.sesoi
    low, high = scale.ends(hypothesis.region)
    defined = values[~np.isnan(values)]
    if not defined.size:
        defined = np.array([np.nan])
    p_rope = p_direction = None
    if scale.null is not None:
        rope = scale.beyond("less", sesoi)[1], scale.beyond("greater", sesoi)[0]
        p_rope = _between(values, *scale.ends(rope))
        if hypothesis.direction is not None:
            p_direction = _between(values, *scale.ends(hypothesis.effects))
    median, *eti = scale.back(np.quantile(defined, [0.5, 0.025, 0.975])).tolist()
    return {
        "estimate": median,
        "eti": eti,
        "hdi": az.hdi(scale.back(defined), hdi_prob=0.95).tolist(),
        "p_below": float(np.mean(values < low)),
        "p_region": _between(values, low, high),
        "p_above": float(np.mean(values > high)),
        "p_rope": p_rope,
        "p_direction": p_direction,
    }


def _between(values: np.ndarray, low: float, high: float) -> float:
    return float(np.mean((values >= low) & (values <= high)))


def _at_most(model: Model, data: Data, rng: np.random.Generator) -> Data:
    """The data, or a random sample of CHECKED of their units, so that what is kept is bounded."""
    units = len(data[model.by_unit[0]]) if model.by_unit else 0
    if units <= CHECKED:
        return data
    chosen = np.sort(rng.choice(units, CHECKED, replace=False))
    return {**data, **{name: np.asarray(data[name])[chosen] for name in model.by_unit}}


def _misfit(model: Model, ppc_p: float) -> str:
    """Says that replicated data do not look like the observed ones, and where to look."""
    what = (model.statistic.__doc__ or model.name).splitlines()[0].rstrip(".")
    more = "larger" if ppc_p < 0.01 else "smaller"
    return (
        f"the data are not like the model's: {what[:1].lower()}{what[1:]} is {more} than in "
        f"replicated data (p = {ppc_p:.4g}, 0.01 to 0.99 is needed); look for units that are "
        "faults of the measurement, or register another design"
    )


def _predictive_p(model: Model, data: Data, record: az.InferenceData) -> float | None:
    """Posterior predictive p of the model's statistic; ties count half."""
    if model.statistic is None:
        return None
    predicted = {str(k): v.to_numpy() for k, v in record["posterior_predictive"].items()}
    replicated = model.statistic({**data, **predicted})
    observed = model.statistic(data)
    return float(np.mean(replicated > observed) + np.mean(replicated == observed) / 2)


def _record(
    model: Model,
    data: Data,
    prior: Prior,
    scale: Scale,
    fit: _Fit,
    rng: np.random.Generator,
) -> az.InferenceData:
    trace = fit.trace
    chains, draws = (trace["posterior"].sizes[name] for name in ("chain", "draw"))
    drawn, from_prior = flat(trace), model.prior_draws(data, prior, rng, chains * draws)
    kept = [name for name in drawn if name not in model.effects]

    def shown(of: Draws, values: np.ndarray) -> Draws:
        return in_chains({n: of[n] for n in kept} | {"estimand": scale.back(values)}, chains)

    thinned = _thinned(trace)
    # Without their effects the groups are new ones, as those of a repeated study would be.
    parameters = {name: thinned[name] for name in model.parameters}
    predicted = model.replicate(parameters, data, rng)
    log_likelihood = {model.name: model.log_likelihood(thinned, data)}
    record = az.from_dict(
        posterior=shown(drawn, fit.estimand),
        prior=shown(from_prior, model.estimand(from_prior, data)),
        posterior_predictive=in_chains(predicted, chains),
        log_likelihood=in_chains(log_likelihood, chains),
        observed_data={name: np.asarray(data[name]) for name in predicted},
    )
    if "sample_stats" in trace.groups():
        record.add_groups(sample_stats=trace["sample_stats"])
    return record


def against(
    model: Model, data: Data, record: az.InferenceData, prior: Prior, *, seed: int, draws: int
) -> dict[str, float]:
    """`loo_difference` of a fitted model and the same model under another prior.

    A prior that leaves a parameter no room makes a competing model of it.
    """
    data = model.prepare(data)
    trace = sample(model, data, Sampling(draws), prior, seed=seed)
    thinned = _thinned(trace)
    likelihood = {model.name: model.log_likelihood(thinned, data)}
    chains = trace["posterior"].sizes["chain"]
    kept = {name: thinned[name] for name in model.parameters}
    other = az.from_dict(in_chains(kept, chains), log_likelihood=in_chains(likelihood, chains))
    return loo_difference(record, other)


def _thinned(trace: az.InferenceData) -> Draws:
    """The first-to-last draws of each chain in even steps, at most PREDICTED of them."""
    step = -(-trace["posterior"].sizes["draw"] // PREDICTED)
    return {
        str(k): v.to_numpy()[:, ::step].reshape(-1, *v.shape[2:])
        for k, v in trace["posterior"].items()
    }


def loo_difference(first: az.InferenceData, second: az.InferenceData) -> dict[str, float]:
    """Difference in expected log predictive density, first - second, by leave-one-out.

    Pareto-smoothed importance sampling (Vehtari, Gelman and Gabry 2017). `se` is the standard
    error over the observations, which both fits must share; `pareto_k` the worst of both, above
    0.7 not to be relied on.
    """
    a, b = (az.loo(trace, pointwise=True, reff=1.0) for trace in (first, second))
    difference = a.loo_i.to_numpy() - b.loo_i.to_numpy()
    return {
        "elpd_difference": float(difference.sum()),
        "se": float(np.sqrt(difference.size) * difference.std(ddof=1)),
        "pareto_k": float(max(a.pareto_k.max(), b.pareto_k.max())),
    }
