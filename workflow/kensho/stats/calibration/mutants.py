"""The engine with one mistake built in, and the check that must notice it.

A mutant replaces one part of `Engine`. Every check that a mutant is put to is also put to the
engine as shipped, which must pass; a calibration that no mistake can fail would prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

from kensho.claims.model import Verdict
from kensho.stats import bayesian, decision, intervals
from kensho.stats.calibration import sbc
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.models import MODELS, Data, Model, Prior
from kensho.stats.scales import RATIO, Interval

REGISTERED_PRIOR = {"location": 1.0, "spread": 0.2}  # of `location`, as specified
REGION = (1.10, 1.15)  # of a ratio; with 40 blocks and sd 0.03 a power above 0.97
_CLAIMED = Hypothesis(RATIO, REGION, None, 1.02)
BLOCKS, SD = 40, 0.03
FAMILY, ALPHA = 12, 0.05
_MORE = 100  # times the replications, where they are cheap


def _log_ratio(over: np.ndarray, under: np.ndarray, alpha: float) -> intervals.Fit:
    return intervals.mean(np.log(over) - np.log(under), alpha)


@dataclass(frozen=True)
class Engine:
    """The parts of the engine in which a mistake is built.

    fit: posterior draws, see `sbc.fit`.
    location: the model of that name, whose prior is compared with the specification.
    interval: (over, under, alpha) -> interval of the log ratio of paired values (..., blocks).
    corrected: (alpha, m) -> alpha of one of m claims.
    settle, converged, summarise: as in `decision` and `bayesian`.
    """

    fit: sbc.Fit = sbc.fit
    location: Model = MODELS["location"]
    interval: Callable[[np.ndarray, np.ndarray, float], intervals.Fit] = _log_ratio
    corrected: Callable[[float, int], float] = lambda alpha, m: alpha / m
    settle: Callable[..., tuple[Verdict, str]] = decision.settle
    converged: Callable[[dict], bool] = bayesian.converged
    summarise: Callable[..., dict] = bayesian.summarise


class Outcome(NamedTuple):
    """What a check looks at, how far it may go, and whether the engine passes."""

    value: float
    limit: float
    passes: bool
    seen_in: str = ""


Check = Callable[[Engine, int, int, int], Outcome]  # engine, replications, seed, processes


def _ranks(model: str) -> Check:
    def check(engine: Engine, replications: int, seed: int, processes: int) -> Outcome:
        simulation = sbc.Simulation(replications, seed, processes)
        ranks = sbc.run(MODELS[model], simulation, fit=engine.fit)
        table = sbc.uniformity(ranks, seed=seed)
        smallest = table.set_index("quantity")[["ks_p", "z2_p"]].min(axis=1)
        return Outcome(smallest.min(), table["limit"][0], table["passes"].all(), smallest.idxmin())

    return check


def _prior_equality(engine: Engine, *_: int) -> Outcome:
    """Largest relative deviation of a hyperparameter from the specification."""
    prior = engine.location.primary
    off = max(abs(prior[key] / value - 1) for key, value in REGISTERED_PRIOR.items())
    return Outcome(off, 0.0, off == 0)


def _coverage(engine: Engine, replications: int, seed: int, _: int) -> Outcome:
    """Coverage of the 95 % interval of a ratio of 1, off by at most 3.3 Monte Carlo errors.

    Blocks differ by a factor of 1.6 (one sd), and one arm is far noisier than the other.
    """
    rng, shape = np.random.default_rng(seed), (replications * _MORE, BLOCKS)
    block = rng.normal(0, 0.5, shape)
    over, under = (np.exp(block + rng.normal(0, sd, shape)) for sd in (0.5, 0.05))
    fit = engine.interval(over, under, ALPHA)
    coverage = float(((fit.low <= 0) & (fit.high >= 0)).mean())
    error, limit = coverage - 0.95, 3.3 * math.sqrt(0.05 * 0.95 / shape[0])
    return Outcome(coverage, 0.95 + math.copysign(limit, error), abs(error) <= limit)


def _verdicts(
    engine: Engine, truth: float, shape: tuple[int, ...], alpha: float, seed: int
) -> np.ndarray:
    """Verdicts on data sets with a true ratio: shape is that of the data sets."""
    rng = np.random.default_rng(seed)
    under = np.exp(rng.normal(0, 0.3, (*shape, BLOCKS)))
    over = under * truth * np.exp(rng.normal(0, SD, under.shape))
    fit = engine.interval(over, under, alpha)
    below, up_to = (stats.t.cdf((e - fit.estimate) / fit.se, fit.dof) for e in RATIO.ends(REGION))
    rows = np.stack([np.exp(fit.low), np.exp(fit.high), up_to - below], axis=-1).reshape(-1, 3)
    verdicts = [engine.settle(_CLAIMED, (low, high), p, (), None)[0] for low, high, p in rows]
    return np.array(verdicts).reshape(shape)


def _power(engine: Engine, replications: int, seed: int, _: int) -> Outcome:
    """Share VERIFIED with the truth in the middle of the region."""
    verdicts = _verdicts(engine, math.sqrt(math.prod(REGION)), (replications * _MORE,), ALPHA, seed)
    power = float((verdicts == Verdict.VERIFIED).mean())
    return Outcome(power, 0.9, power >= 0.9)


def _family_error(engine: Engine, replications: int, seed: int, _: int) -> Outcome:
    """Share of families of 12 claims, all true on the edge, in which any is settled."""
    alpha, shape = engine.corrected(ALPHA, FAMILY), (replications * _MORE, FAMILY)
    verdicts = _verdicts(engine, REGION[0], shape, alpha, seed)
    error = float(np.isin(verdicts, [Verdict.VERIFIED, Verdict.FAILED]).any(axis=1).mean())
    limit = ALPHA + 3.3 * math.sqrt(ALPHA * (1 - ALPHA) / shape[0])
    return Outcome(error, limit, error <= limit)


def _nan_gate(engine: Engine, *_: int) -> Outcome:
    """Whether a fit passes whose R-hat is not a number: 1 if so."""
    state = {"rhat": math.nan, "ess_bulk": 9e3, "ess_tail": 9e3, "divergences": 0, "bfmi": 1.0}
    passed = float(engine.converged(state | {"chains_differ": True}))
    return Outcome(passed, 0.0, passed == 0)


def _mass(engine: Engine, *_: int) -> Outcome:
    """Mass of the deciding interval of a skewed posterior, given by its exact quantiles."""
    draws = stats.gamma.ppf((np.arange(4000) + 0.5) / 4000, 2)
    low, high = np.log(engine.summarise(draws, Hypothesis(RATIO, (1, None), None, 1.02))["eti"])
    mass = float(((draws >= low) & (draws <= high)).mean())
    return Outcome(mass, 0.949, abs(mass - 0.95) <= 0.001)


def _altered(change: Callable[[Data], Data]) -> sbc.Fit:
    return lambda model, data, *sizes: sbc.fit(model, {**data, **change(data)}, *sizes)


def _instead(model: Model) -> sbc.Fit:
    return lambda _, *rest: sbc.fit(model, *rest)


def _without_likelihood(model: Model, data: Data, seed: int, draws: int, _: int) -> tuple:
    return model.prior_draws(data, model.primary, np.random.default_rng(seed), draws), 0


def _normal(data: Data, prior: Prior) -> pm.Model:
    """`location` with a normal likelihood, in which nu takes no part."""
    with pm.Model() as built:
        y, location, spread = (
            pm.Data(name, value) for name, value in (("y", data["y"]), *prior.items())
        )
        mu, sigma = pm.Normal("mu", 0, location), pm.HalfNormal("sigma", spread)
        pm.Deterministic("nu", 1 + pm.Gamma("nu_minus_one", 2, 0.1))
        pm.Normal("value", mu, sigma, observed=y)
    return built


_WIDER = replace(MODELS["location"], priors={"primary": {"location": 1.0, "spread": 0.3}})
_NORMAL = replace(MODELS["location"], build=_normal)


def _unpaired(over: np.ndarray, under: np.ndarray, alpha: float) -> intervals.Fit:
    a, b = (intervals.mean(np.log(side), alpha) for side in (over, under))
    return _around(a.estimate - b.estimate, np.hypot(a.se, b.se), a.dof + b.dof, alpha)


def _ratio_of_means(over: np.ndarray, under: np.ndarray, alpha: float) -> intervals.Fit:
    """By the delta method."""
    a, b = over.mean(-1, keepdims=True), under.mean(-1, keepdims=True)
    residual = intervals.mean(over / a - under / b, alpha)
    return _around(np.log(a / b)[..., 0], residual.se, residual.dof, alpha)


def _around(
    estimate: np.ndarray, se: np.ndarray, dof: np.ndarray | float, alpha: float
) -> intervals.Fit:
    half = stats.t.ppf(1 - alpha / 2, dof) * se
    return intervals.Fit(estimate, estimate - half, estimate + half, se, dof)


def _swapped(
    hypothesis: Hypothesis, interval: Interval, p_region: float, *_: object
) -> tuple[Verdict, str]:
    low, high = hypothesis.region
    if low is None or high is None:
        raise ValueError("a region with an open end is no interval")
    return decision.settle(replace(hypothesis, region=interval), (low, high), p_region, (), None)


def _negated_gates(state: dict) -> bool:
    return not (
        state["rhat"] > 1.01
        or state["ess_bulk"] < 400
        or state["ess_tail"] < 2000
        or state["divergences"] > 0
        or state["bfmi"] <= 0.3
    )


def _shorter_hdi(values: np.ndarray, hypothesis: Hypothesis) -> dict:
    hdi = hypothesis.scale.back(az.hdi(values, hdi_prob=0.94)).tolist()
    return bayesian.summarise(values, hypothesis) | {"eti": hdi}


CHECKS: dict[str, Check] = {
    "SBC location": _ranks("location"),
    "SBC dose": _ranks("dose"),
    "prior as specified": _prior_equality,
    "coverage, skewed pairs": _coverage,
    "power": _power,
    "family-wise error": _family_error,
    "R-hat not a number": _nan_gate,
    "mass of the interval": _mass,
}


def _mutants() -> dict[str, tuple[Engine, str]]:
    """Engine with the mistake, and the check that must see it."""
    shipped = Engine()

    def half(data: Data) -> Data:
        return {"y": data["y"][: data["y"].size // 2]}

    def twice(data: Data) -> Data:
        return {"y": np.tile(data["y"], 2)}

    def other_index(data: Data) -> Data:
        return {"seed": np.arange(data["y"].size) % (data["seed"].max() + 1)}

    return {
        "half the data ignored": (replace(shipped, fit=_altered(half)), "SBC location"),
        "likelihood missing": (replace(shipped, fit=_without_likelihood), "SBC location"),
        "normal instead of Student-t": (replace(shipped, fit=_instead(_NORMAL)), "SBC location"),
        "rows duplicated": (replace(shipped, fit=_altered(twice)), "SBC location"),
        # SBC of a few hundred fits cannot see this one: hence the comparison with the specification
        "prior scale 0.3 instead of 0.2": (
            replace(shipped, fit=_instead(_WIDER), location=_WIDER),
            "prior as specified",
        ),
        "wrong block index": (replace(shipped, fit=_altered(other_index)), "SBC dose"),
        "unpaired analysis": (replace(shipped, interval=_unpaired), "coverage, skewed pairs"),
        "ratio of means": (replace(shipped, interval=_ratio_of_means), "coverage, skewed pairs"),
        "alpha without Bonferroni": (
            replace(shipped, corrected=lambda alpha, m: alpha),
            "family-wise error",
        ),
        "interval and region swapped": (replace(shipped, settle=_swapped), "power"),
        "negated gates": (replace(shipped, converged=_negated_gates), "R-hat not a number"),
        "HDI at 94 %": (replace(shipped, summarise=_shorter_hdi), "mass of the interval"),
    }


def run(
    replications: int = 200,
    *,
    seed: int,
    processes: int = 2,
    checks: Collection[str] = tuple(CHECKS),
) -> pd.DataFrame:
    """Put the shipped engine to all checks and every mutant to its own.

    Closed-form checks take a hundred times the replications.

    Returns columns mutant ("none" is the engine as shipped), check, value, limit, seen_in (the
        quantity that SBC finds most amiss), killed.
    """
    trials = [("none", Engine(), check) for check in checks]
    trials += [(name, *trial) for name, trial in _mutants().items() if trial[1] in checks]
    rows = []
    for mutant, engine, check in trials:
        outcome = CHECKS[check](engine, replications, seed, processes)._asdict()
        killed = not outcome.pop("passes")
        rows.append({"mutant": mutant, "check": check, "killed": killed, **outcome})
    return pd.DataFrame(rows)
