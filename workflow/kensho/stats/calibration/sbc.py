"""Simulation-based calibration: does a model's sampler return the posterior of that model?

Parameters are drawn from the shipped primary prior, data from the parameters, posterior draws from
the data. The rank of the true value of any quantity among the draws is then uniform (Talts et al.
2018). Besides the parameters the quantities are the estimand, the log-likelihood, without which
ignored data go unseen (Modrak et al. 2023), and whether the estimand lies in a region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats

from kensho.stats.evidence import clusters
from kensho.stats.models import Data, Draws, Model
from kensho.stats.sampling import Sampling, flat, sample
from kensho.stats.scales import Interval

THINNED = 99  # draws among which a true value is ranked: 100 ranks


@dataclass(frozen=True)
class Design:
    """A small study: data whose outcomes are yet to be simulated, and a region to ask about.

    region: of the estimand on its working scale, about half of the prior mass.
    """

    data: Data
    region: Interval


def _dose_design() -> Data:
    doses = np.log2([500, 1000, 2000, 4000, 8000, 16000])
    return {"x": np.tile(doses, 5), "seed": np.repeat(np.arange(5), 6), "y": np.zeros(30)}


def _ranking_design(tasks: int = 8, models: int = 4, items: int = 100) -> Data:
    """Scores around one half, correlated 0.5 between models over the items that they share.

    The first three tasks ask the same items, the next two others.
    """
    cov = np.tile(0.25 / items * (0.5 + 0.5 * np.eye(models)), (tasks, 1, 1))
    groups = [([0, 1, 2], 0.6), ([3, 4], 0.3)]
    return {
        "mean": np.full((tasks, models), 0.5),
        "cov": clusters.joint(cov, range(tasks), groups),
    }


def _comparisons() -> Data:
    """Three models: 10 prompts on which every pair is judged in both orders, 60 with one each."""
    first, second = np.array([(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]).T
    alone = np.zeros((3, 3, 3), dtype=int)
    alone[first, second, 0] = 10
    prompt, (first, second) = np.repeat(np.arange(10), 6), np.tile([first, second], 10)
    return {
        "alone": alone,
        "first": first,
        "second": second,
        "outcome": np.zeros(60, dtype=int),
        "answer_first": 3 * prompt + first,
        "answer_second": 3 * prompt + second,
        "answers": np.array(30),
        "shown": np.array(1),
    }


_NONE = np.zeros(15, dtype=int)  # of each of 15 clusters
DESIGNS = {
    "location": Design({"y": np.zeros(20)}, (-0.5, 0.5)),
    "normal": Design({"y": np.zeros(20)}, (-0.5, 0.5)),
    "proportion": Design({"correct": _NONE, "items": np.full(15, 20)}, (0.35, 0.7)),
    "pairs": Design({"wins": _NONE, "losses": _NONE, "items": np.full(15, 40)}, (-0.05, 0.15)),
    "bradley_terry": Design(
        {
            "prompt": np.repeat(np.arange(40), 2),
            "order": np.tile([1, -1], 40),
            "outcome": np.zeros(80, dtype=int),
        },
        (0.4, 0.6),
    ),
    "dose": Design(_dose_design(), (10.5, 13.0)),
    "ranking": Design(_ranking_design(), (-0.15, 0.15)),
    "beta_binomial": Design({"correct": np.array([0]), "items": np.array([40])}, (0.3, 0.7)),
    "dirichlet_pairs": Design({"counts": np.array([0, 0, 0, 60])}, (-0.1, 0.2)),
    "dirichlet_wins": Design({"counts": np.array([0, 0, 40])}, (0.4, 0.7)),
    "repeats": Design(  # 25 items answered five times, 5 of them twice
        {"answers": np.array([2, 5]), "units": np.array([[5, 0, 0, 0, 0, 0], [25, 0, 0, 0, 0, 0]])},
        (0.3, 0.7),
    ),
    "two_samples": Design(
        {"difference": np.zeros(1), "squares": np.zeros(2), "n": np.array([12, 25])}, (-0.5, 0.5)
    ),
    "two_proportions": Design(
        {"correct": np.array([0, 0]), "items": np.array([30, 50])}, (-0.25, 0.25)
    ),
    "strengths": Design(_comparisons(), (0.35, 0.65)),
    "sites": Design(
        {"mean": np.zeros(5), "squares": np.zeros(5), "n": np.array([3.0, 5, 10, 20, 40])},
        (-0.5, 0.5),
    ),
    "crossed": Design(
        {**dict.fromkeys(("mean", "apart", "squares"), np.zeros(1)), "k": np.array([3.0]),
         "n": np.array([10.0])},
        (-0.5, 0.5),
    ),
}  # fmt: skip

Fit = Callable[[Model, Data, int, int, int], tuple[Draws, int]]


def fit(model: Model, data: Data, seed: int, draws: int, tune: int) -> tuple[Draws, int]:
    """Posterior draws of the shipped sampler, one chain, and its number of divergences."""
    trace = sample(model, data, Sampling(draws, tune=tune, chains=1, cores=1), seed=seed)
    exact = "sample_stats" not in trace.groups()
    return flat(trace), 0 if exact else int(trace["sample_stats"]["diverging"].sum())


@dataclass(frozen=True)
class Simulation:
    """How many data sets are simulated, and how each is sampled: one chain."""

    replications: int
    seed: int
    processes: int = 2
    draws: int = 990
    tune: int = 400


def run(
    model: Model, simulation: Simulation, *, fit: Fit = fit, design: Design | None = None
) -> pd.DataFrame:
    """Ranks of true values among posterior draws; the same for any number of processes.

    Args: design: None for the one that is listed for the model.

    Returns: a row for each replication and quantity: model, replication, quantity, rank (0 to 99),
        p_region (posterior probability of the design's region), in_region (the truth), divergences.
    """
    replications, draws, tune = simulation.replications, simulation.draws, simulation.tune
    if draws % THINNED:
        raise ValueError(f"draws: {draws} is not a multiple of {THINNED}")
    seeds = np.random.SeedSequence(simulation.seed).spawn(replications)
    tables = Parallel(n_jobs=simulation.processes)(
        delayed(_replicate)(model, child, draws, tune, fit, design or DESIGNS[model.name])
        for child in seeds
    )
    return pd.concat(tables, keys=range(replications), names=["replication"]).reset_index(level=0)


def _replicate(
    model: Model, seed: np.random.SeedSequence, draws: int, tune: int, fit: Fit, design: Design
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = model.prior_draws(design.data, model.primary, rng, 1)
    data = model.simulate(truth, design.data, rng)
    drawn, divergences = fit(model, data, int(rng.integers(2**31)), draws, tune)
    true, sampled = (quantities(model, d, data, design.region) for d in (truth, drawn))
    step = draws // THINNED
    ranks = [rank(true[name][0], values[step - 1 :: step], rng) for name, values in sampled.items()]
    return pd.DataFrame({"model": model.name, "quantity": list(sampled), "rank": ranks}).assign(
        p_region=sampled["in region"].mean(),
        in_region=bool(true["in region"][0]),
        divergences=divergences,
    )


def quantities(model: Model, draws: Draws, data: Data, region: Interval) -> dict[str, np.ndarray]:
    """What is ranked, each (draws,): vectors by component, an undefined estimand below all others.

    The optimum of a dose curve is undefined where the curve is convex; the peak itself and the
    curvature are ranked as parameters in any case.
    """
    estimand = model.estimand(draws, data)
    return model.scalars(draws) | {
        "estimand": np.where(np.isnan(estimand), -np.inf, estimand),
        "log-likelihood": model.log_likelihood(draws, data).sum(axis=1),
        "in region": (estimand >= region[0]) & (estimand <= region[1]),
    }


def rank(truth: float, draws: np.ndarray, rng: np.random.Generator) -> int:
    """Number of draws below the truth; among equal ones the place is drawn by lot."""
    return int((draws < truth).sum() + rng.integers(0, (draws == truth).sum() + 1))


def uniformity(ranks: pd.DataFrame, *, alpha: float = 0.01, seed: int = 0) -> pd.DataFrame:
    """Tests of uniform ranks (columns model, quantity, rank), one row for each quantity.

    KS sees a shift, the sum of squared normal scores (z2) a posterior that is too wide or too
    narrow; both decide, at `alpha` over all rows together (Bonferroni). chi2, 20 bins, is shown.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for (model, quantity), group in ranks.groupby(["model", "quantity"], sort=False):
        rank = group["rank"].to_numpy()
        uniform = (rank + rng.random(rank.size)) / (THINNED + 1)
        scores = (stats.norm.ppf(uniform) ** 2).sum()
        counts = np.bincount(rank * 20 // (THINNED + 1), minlength=20)
        rows.append(
            {
                "model": model,
                "quantity": quantity,
                "replications": rank.size,
                "ks_p": stats.kstest(uniform, "uniform").pvalue,
                "chi2_p": stats.chisquare(counts).pvalue,
                "z2_p": 2 * min(f(scores, rank.size) for f in (stats.chi2.cdf, stats.chi2.sf)),
            }
        )
    table = pd.DataFrame(rows)
    limit = alpha / (2 * len(table))
    return table.assign(limit=limit, passes=table[["ks_p", "z2_p"]].min(axis=1) > limit)


def reliability(ranks: pd.DataFrame, *, bins: int = 10) -> pd.DataFrame:
    """Binary calibration: of the cases with P(region) = p a share p must lie in the region.

    Returns: model, bin (its lower end), n, mean_p, share, low and high (99.9 % binomial band of
        the share at mean_p), holds; empty bins are left out.
    """
    cases = ranks.drop_duplicates(["model", "replication"])
    bin_ = np.minimum(cases["p_region"] * bins // 1, bins - 1) / bins
    table = (
        cases.assign(bin=bin_)
        .groupby(["model", "bin"], sort=False)
        .agg(n=("in_region", "size"), mean_p=("p_region", "mean"), share=("in_region", "mean"))
        .reset_index()
        .sort_values(["model", "bin"], ignore_index=True)
    )
    low, high = (stats.binom.ppf(q, table["n"], table["mean_p"]) / table["n"] for q in _BAND)
    return table.assign(low=low, high=high, holds=table["share"].between(low, high))


_BAND = (0.0005, 0.9995)


def brier(ranks: pd.DataFrame) -> pd.DataFrame:
    """Brier score of P(region) for each model, the score that calibration implies, and z.

    If P is calibrated the score has mean P(1 - P) and variance P(1 - P)(1 - 2P)^2 in each case.
    """
    cases = ranks.drop_duplicates(["model", "replication"])
    p, variance = cases["p_region"], cases["p_region"] * (1 - cases["p_region"])
    sums = (
        cases.assign(
            score=(p - cases["in_region"]) ** 2, implied=variance, v=variance * (1 - 2 * p) ** 2
        )
        .groupby("model", sort=False)[["score", "implied", "v"]]
        .sum()
    )
    n = cases.groupby("model", sort=False).size()
    z = (sums["score"] - sums["implied"]) / np.sqrt(sums["v"])
    means = sums[["score", "implied"]].div(n, axis=0)
    return means.assign(z=z).rename(columns={"score": "brier"}).reset_index()
