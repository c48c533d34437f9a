"""JLCE's models ranked by the scores of their items; the tables are those of `leaderboard`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from kensho.claims.base import Side
from kensho.stats import frequentist
from kensho.stats.evidence import clusters
from kensho.stats.evidence.tasks import by_task, moments, of_units, rank_probabilities
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.leaderboard import EXPERIMENT, LEVELS, OWN_SCORE, SCORE, items_of
from kensho.stats.scales import DIFFERENCE
from kensho.stats.units import Tables, grid


def ranking(
    tables: Tables, documents: Mapping[str, str], *, seed: int, draws: int, alpha: float = 0.05
) -> dict:
    """The models (arms) ranked by their items' scores with the first prompt, JSON values only.

    Seeds are averaged within items, items within clusters. The clusters are the units of a task,
    the tasks a sample of those that could have been asked (see `models.ranking`). Only tasks
    of `documents` count, by task what its items are about: where that is the same, the tasks share
    their clusters, and the errors of their means go together (see `evidence.clusters`). `draws` are
    of each of 4 chains.

    Returns models (best first by posterior mean), score (ability less the mean of the models:
    mean, low and high of the 95 % highest-density interval), rank_probabilities, average_rank
    over tasks, friedman (None with fewer than three models or tasks, or where all scores are
    equal), nemenyi, shared (groups of tasks about the same documents: tasks, correlation),
    diagnostics (of the first model's gap to the best other one), tasks and items, prior, and
    sensitivity: under each other prior the probability that the first model is first.

    Raises ValueError naming arm and block or task where the arms were not asked the same items or
    a task has fewer than two clusters.
    """
    if len(tables) < 2:
        raise ValueError(
            f"{EXPERIMENT}: {len(tables)} model gives no ranking; evaluate at least two"
        )
    tables = {arm: _of_tasks(table, documents) for arm, table in tables.items()}
    items = {arm: items_of(arm, table) for arm, table in tables.items()}
    sides = [Side(arm=arm, metric=SCORE) for arm in tables]
    cells, effects = by_task(sides, tables, EXPERIMENT, LEVELS)
    units = of_units(grid(sides, tables, EXPERIMENT), LEVELS, EXPERIMENT)
    shared = groups(documents, units)
    data = paired_moments(cells)
    data["cov"] = clusters.joint(data["cov"], list(effects.index), shared)
    by_mean = int(effects.mean().to_numpy().argmax())
    summary, diagnostics, theta = _fit(data, by_mean, seed, draws)
    first = int(theta.mean(axis=0).argmax())
    if first != by_mean:  # rarely
        summary, diagnostics, _ = _fit(data, first, seed, draws)
    order = [effects.columns[i] for i in np.argsort(-theta.mean(axis=0), kind="stable")]
    chances = rank_probabilities(theta, list(effects.columns))
    ability = dict(zip(effects.columns, theta.T, strict=True))
    average = effects.rank(axis=1, ascending=False).mean()
    rows = items[order[0]].query("metric == @SCORE and template == 1")
    return {
        "models": order,
        "score": {arm: _ability(ability[arm]) for arm in order},
        "rank_probabilities": {arm: chances[arm] for arm in order},
        "average_rank": {arm: float(average[arm]) for arm in order},
        "friedman": _friedman(effects),
        "shared": [{"tasks": tasks, "correlation": r} for tasks, r in shared],
        "nemenyi": nemenyi({arm: float(average[arm]) for arm in order}, len(effects), alpha),
        "diagnostics": {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in diagnostics.items()
        },
        "tasks": len(effects),
        "items": {
            str(task): len(part[["cluster", "item"]].drop_duplicates())
            for task, part in rows.groupby("task", sort=False)
        },
        "prior": summary["prior"],
        "sensitivity": [
            {"prior": row["prior"], "first": row["p_region"]}
            for row in summary["prior_sensitivity"]
        ],
    }


def _of_tasks(table: pd.DataFrame, tasks: Iterable[str]) -> pd.DataFrame:
    """Rows of these tasks; what stands for an item of our own tasks is its score too."""
    rows = table[table["block"].str.split("/").str[0].isin(tasks)]
    metric = rows["metric"].str.replace(rf"^{OWN_SCORE}(?=@|$)", SCORE, regex=True)
    return rows.assign(metric=metric)


def groups(documents: Mapping[str, str], units: pd.DataFrame) -> list[tuple[list[str], float]]:
    """Tasks about the same documents, with the correlation of their errors."""
    by_document: dict[str, list[str]] = {}
    for task in units.index.unique(level=0):
        by_document.setdefault(documents[task], []).append(task)
    return [
        (group, clusters.correlation([units.loc[task] for task in group]))
        for group in by_document.values()
        if len(group) > 1
    ]


def _fit(
    data: dict[str, np.ndarray], first: int, seed: int, draws: int
) -> tuple[dict, dict, np.ndarray]:
    """Summary and diagnostics of a model's gap to the best other one; draws of all abilities."""
    # these take seconds to import, and the scores need none of them
    from kensho.stats import bayesian
    from kensho.stats.models import MODELS
    from kensho.stats.sampling import flat

    def gap(drawn: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        return drawn["theta"][:, first] - np.delete(drawn["theta"], first, axis=1).max(axis=1)

    summary, diagnostics, record = bayesian.posterior(
        MODELS["ranking"].with_estimand(gap),
        data,
        Hypothesis(DIFFERENCE, (0.0, None), None, 0.0),
        seed=seed,
        draws=draws,
    )
    return summary, diagnostics, flat(record)["theta"]


def paired_moments(cells: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """`moments` of scores up to 1 in which no two models are alike for certain.

    Between two models one unit is added that only the first has right, and one that only the second
    has, as by Bonett & Price (2012): n units add 1 / (n + 2)^2 to each model's variance. A task on
    which all models fail would otherwise have none, and two of them no proper posterior.
    """
    of_tasks, models = moments(cells), cells[0].shape[1]
    added = [np.eye(models) / (len(cell) + 2) ** 2 for cell in cells]
    return {"mean": of_tasks["mean"], "cov": of_tasks["cov"] + np.array(added)}


def _ability(draws: np.ndarray) -> dict[str, float]:
    from arviz import hdi

    low, high = hdi(draws, hdi_prob=0.95)
    return {"mean": float(draws.mean()), "low": float(low), "high": float(high)}


def _friedman(effects: pd.DataFrame) -> dict | None:
    if min(effects.shape) < 3:
        return None
    long = effects.rename_axis(index="task", columns="model").stack().rename("score").reset_index()
    test = frequentist.friedman(long, dv="score", within="model", subject="task")
    return None if test["statistic"] is None else test


def nemenyi(average_rank: Mapping[str, float], tasks: int, alpha: float) -> dict:
    """Nemenyi's test of all pairs of models by their average ranks over tasks.

    Demšar (2006, section 3.2.2): models differ whose average ranks are at least
    q_alpha sqrt(k (k + 1) / 6N) apart, q_alpha the studentised range over sqrt(2).

    Returns critical_difference, alpha, and pairs: a, b, difference (rank of a less that of b),
    p_value (adjusted for all pairs).
    """
    k = len(average_rank)
    se, of_range = math.sqrt(k * (k + 1) / (6 * tasks)), stats.studentized_range(k, np.inf)
    return {
        "critical_difference": float(of_range.isf(alpha)) / math.sqrt(2) * se,
        "alpha": alpha,
        "pairs": [
            {
                "a": a,
                "b": b,
                "difference": average_rank[a] - average_rank[b],
                "p_value": float(
                    of_range.sf(abs(average_rank[a] - average_rank[b]) / se * math.sqrt(2))
                ),
            }
            for a, b in combinations(average_rank, 2)
        ],
    }
