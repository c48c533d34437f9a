"""Formula contrasts: how often the closed form errs, and whether the models return their posterior.

The tables are small and awkward on purpose: few clusters of unequal sizes, effects that differ
between them, rows that are missing, strata of which an arm has more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import parallel_config

from kensho.claims.formula import parse
from kensho.stats import marginal
from kensho.stats.calibration import characteristics, claim_types, sbc
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.models import Data, Model
from kensho.stats.models import formula as models
from kensho.stats.sampling import Sampling, sample
from kensho.stats.scales import DIFFERENCE, RATIO, Scale

ALPHA = 0.05
REPLICATIONS = 20_000  # that the limits are for
_BATCH = 500
LIKELIHOODS = ("gaussian", "bernoulli", "beta_binomial", "ordinal")


@dataclass(frozen=True)
class Case:
    """Rows, the process of their scores, the true contrast and the claim's direction.

    scores: (rows, data sets, rng) -> (data sets, rows).
    """

    name: str
    rows: marginal.Rows
    scores: Callable[[marginal.Rows, int, np.random.Generator], np.ndarray]
    truth: float
    scale: Scale = DIFFERENCE


def _clusters(sizes: np.ndarray, lost: float = 0.0, strata: bool = False) -> marginal.Rows:
    """Items under both arms in clusters of these sizes, of which a share of the rows is lost.

    With strata the treatment has lost most rows of the first half of the items.
    """
    items = int(sizes.sum())
    unit = np.repeat(np.repeat(np.arange(sizes.size), sizes), 2)
    treated = np.tile([True, False], items)
    first = np.repeat(np.arange(items) < items // 2, 2)
    rng = np.random.default_rng(1)
    gone = rng.random(unit.size) < np.where(strata & treated & first, 0.6, lost)
    columns = np.ones((unit.size, 1 + strata))
    if strata:
        columns[:, 1] = first
    return marginal.Rows(treated[~gone], columns[~gone], unit[~gone])


def _varying(rows: marginal.Rows, size: int, rng: np.random.Generator, spread: float) -> np.ndarray:
    """An effect of each unit, uniform within +-spread, as seen by the rows: (data sets, rows)."""
    return rng.uniform(-spread, spread, (size, rows.units))[:, rows.unit]


def _numbers(effect: float, between: float):
    """Normal scores whose units differ in their level, and in their effect by as much."""

    def scores(rows, size, rng):
        level, own = (rng.normal(0, between, (size, rows.units))[:, rows.unit] for _ in range(2))
        stratum = rows.columns[:, 1:].sum(axis=1)
        return level + (effect + own) * rows.treated + stratum + rng.normal(size=level.shape)

    return scores


def _answers(effect: float):
    """Right or wrong; units differ in their share by up to 0.15 and in their effect by 0.2."""

    def scores(rows, size, rng):
        own = effect + _varying(rows, size, rng, 0.2)
        share = 0.5 + _varying(rows, size, rng, 0.15) + own * rows.treated
        return rng.binomial(1, share).astype(float)

    return scores


def _points(effect: float):
    """Whole points from 1 to 5; units differ in their mean by up to 0.8."""

    def scores(rows, size, rng):
        mean = 3 + _varying(rows, size, rng, 0.8) + effect * rows.treated
        return 1.0 + rng.binomial(4, (mean - 1) / 4)

    return scores


def cases() -> tuple[Case, ...]:
    few = np.array([2, 3, 3, 4, 5, 8, 12, 20, 30, 13])
    some = np.tile(few, 2)
    single = np.ones(60, dtype=int)
    return (
        Case("numbers, 60 items", _clusters(single), _numbers(0.4, 0.5), 0.4),
        Case("numbers, 10 unequal clusters", _clusters(few), _numbers(0.4, 0.3), 0.4),
        Case("numbers, 20 unequal clusters, a fifth of the rows lost",
             _clusters(some, lost=0.2), _numbers(0.4, 0.3), 0.4),
        Case("numbers, strata of which an arm has more",
             _clusters(np.full(40, 3), strata=True), _numbers(0.4, 0.2), 0.4),
        Case("right or wrong, 60 items", _clusters(single), _answers(0.1), 0.1),
        Case("right or wrong, 20 unequal clusters", _clusters(some), _answers(0.1), 0.1),
        Case("points, 20 unequal clusters", _clusters(some), _points(0.5), 0.5),
        Case("ratio of shares, 20 unequal clusters",
             _clusters(some), _answers(0.1), math.log(0.6 / 0.5), RATIO),
    )  # fmt: skip


def closed_form(replications: int, seed: int) -> pd.DataFrame:
    """Coverage of the interval, and wrong verdicts where the truth is the region's lower end.

    Returns columns check, subject, value, low, high, holds; the limits are for REPLICATIONS and
    widen with the square root for fewer. With unequal clusters the interval may be too wide.
    """
    wider = math.sqrt(max(1, REPLICATIONS / replications))
    streams = np.random.SeedSequence(seed).spawn(len(cases()))
    rows = []
    for case, stream in zip(cases(), streams, strict=True):
        covered, verified, excluded = _errors(case, replications, np.random.default_rng(stream))
        for check, value, low, high in (
            ("coverage", covered, 0.95 - 0.005 * wider, 0.965 + 0.005 * wider),
            ("VERIFIED at an end", verified, -math.inf, 0.025 + 0.004 * wider),
            ("excluded at an end", excluded, -math.inf, 0.025 + 0.004 * wider),
        ):
            rows.append((check, case.name, value, low, high, bool(low <= value <= high)))
    return pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high", "holds"])


def _errors(case: Case, replications: int, rng: np.random.Generator) -> tuple[float, ...]:
    """Shares of data sets covered, VERIFIED and excluded; the posterior is that of a flat prior."""
    end = float(case.scale.back(case.truth))
    counts = np.zeros(3)
    for start in range(0, replications, _BATCH):
        y = case.scores(case.rows, min(_BATCH, replications - start), rng)
        contributed = marginal.contributions(y, case.rows, case.scale)
        fit = marginal.fit(contributed, case.rows.dof, ALPHA)
        counts[0] += ((fit.low <= case.truth) & (case.truth <= fit.high)).sum()
        flat = claim_types.posterior(fit)
        for place, region in ((1, [end, None]), (2, [None, end])):
            events = characteristics.answers(Hypothesis(case.scale, region, None, 0.0), *flat)
            counts[place] += events["verified"].sum()
    return tuple(counts / replications)


def example(likelihood: str) -> tuple[Model, Data]:
    """A model of 30 items in 6 tasks under both arms, and its data with scores to fill."""
    item = np.repeat(np.arange(30), 2)
    frame = pd.DataFrame(
        {
            "arm": pd.Categorical(np.tile(["b", "a"], 30), ["b", "a"], ordered=True),
            "item": [f"q{i:02d}" for i in item],
            "task": [f"t{i // 5}" for i in item],
            "score": np.arange(60) % {"ordinal": 4, "beta_binomial": 5}.get(likelihood, 2),
        }
    )
    if likelihood == "beta_binomial":
        frame["trials"] = 4
    formula = parse("score ~ arm + (1|item) + (1|task)", ["arm"], ["task", "item"])
    task = pd.factorize(frame["task"])[0]
    built = models.model(formula, likelihood, frame, "difference", task)
    return built, {"y": np.zeros(60, dtype=float if likelihood == "gaussian" else int)}


def ranks(likelihood: str, replications: int, *, seed: int, processes: int) -> pd.DataFrame:
    """Ranks of simulation-based calibration, as `sbc.run` gives them, of the example's model."""
    model, data = example(likelihood)
    sample(model, data, Sampling(1, tune=1, chains=1, cores=1), seed=0)  # compiles once
    width = {"gaussian": 0.5, "ordinal": 0.4}.get(likelihood, 0.15)
    design = sbc.Design(data, (-width, width))
    with parallel_config(backend="threading"):  # another process would compile again
        return sbc.run(model, sbc.Simulation(replications, seed, processes), design=design)


def run(
    replications: int, recovered: int, *, seed: int, processes: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines of both studies (check, subject, value, low, high, holds), and the ranks."""
    every = pd.concat(
        [ranks(name, recovered, seed=seed, processes=processes) for name in LIKELIHOODS],
        ignore_index=True,
    )
    tested = sbc.uniformity(every, seed=seed)
    uniform = pd.DataFrame(
        {
            "check": "ranks of simulation-based calibration, smaller p",
            "subject": tested["model"] + ", " + tested["quantity"],
            "value": tested[["ks_p", "z2_p"]].min(axis=1),
            "low": tested["limit"],
            "high": math.inf,
            "holds": tested["passes"],
        }
    )
    lines = pd.concat([closed_form(replications, seed), uniform], ignore_index=True)
    return lines, every[["model", "quantity", "rank"]]
