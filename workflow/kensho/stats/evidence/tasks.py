"""Claims over many tasks: A beats B on them, and the order of several models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from kensho.claims import base, designs
from kensho.stats import frequentist, intervals, multiverse
from kensho.stats.evidence.base import Evidence, named, specification
from kensho.stats.scales import DIFFERENCE
from kensho.stats.units import Tables, by_unit, grid, split


def tasks(test: designs.Tasks, reading: base.Contrast, tables: Tables, seed: int) -> Evidence:
    """A minus B on average over tasks, or the k-th largest of the tasks' differences.

    On average the tasks are the units, a sample of the tasks that could have been asked. On all
    or on at least k of them they are what they are, and their items are the units; `n` is then
    the number of units of the smallest task.
    """
    cells, effects = _of_claim(test, list(reading.sides), tables)
    difference = effects.iloc[:, 0] - effects.iloc[:, 1]
    if test.on == "average":
        y, (over, under) = difference.to_numpy(), effects.to_numpy().T[..., None]
        varies = frequentist.varies(y, 2)
        return Evidence(
            scale=DIFFERENCE,
            units=difference,
            interval=(lambda alpha: intervals.mean(y, alpha)) if varies else None,
            constant=_alike(test, y.size, test.arms),
            n=y.size,
            sd=float(y.std(ddof=1)),
            model="ranking",
            data=moments(cells),
            frequentist=frequentist.paired(y, 0.05, seed=seed) if varies else {},
            prior=test.prior,
            specifications=lambda alpha: (
                _average_alternatives(cells, y, alpha)
                if len(test.levels) > 1
                else multiverse.specifications(over, under, DIFFERENCE, alpha, seed=seed)
            ),
        )
    k = test.at_least or len(difference)  # all of them where no number is registered
    if k > len(difference):
        raise ValueError(
            f"{test.experiment}: the claim says at least {k} tasks, found {len(difference)}; mend "
            "the claim or add the tasks"
        )
    n, se = np.array([len(cell) for cell in cells]), _errors(cells, _width(test))
    alike = next(iter(difference.index[se == 0]), "")
    deciding = int(np.argsort(difference.to_numpy())[len(difference) - k])
    return Evidence(
        scale=DIFFERENCE,
        units=difference,
        interval=_kth(difference.to_numpy(), se, n - 1, k) if se.all() else None,
        constant=f"{test.experiment}: one difference between {' and '.join(test.arms)} on every "
        f"item of task '{alike}', and nothing says what the scores can be (test.range)",
        n=int(n.min()),
        sd=float(se[deciding] * np.sqrt(n[deciding])),
        model="ranking",
        data=moments(cells, _width(test)),
        prior=test.prior,
        estimand=lambda draws, data: np.sort(
            draws["task_effects"][..., 0] - draws["task_effects"][..., 1], axis=1
        )[:, -k],
        aim=0.9 ** (1 / k),
        specifications=lambda alpha: [
            specification(
                f"at least {j} tasks", *_kth(difference.to_numpy(), se, n - 1, j)(alpha)[:3]
            )
            for j in range(max(1, k - 1), min(len(difference), k + 1) + 1)
            if j != k
        ],
        shown={"k": k},
    )


def rank_order(test: designs.RankOrder, reading: None, tables: Tables, seed: int) -> Evidence:
    """Smallest gap between a model and those that the claim ranks behind it, over tasks."""
    cells, effects = _of_claim(test, test.sides, tables)
    table = effects.to_numpy()
    gaps = np.array([table[:, better] - table[:, worse] for better, worse in test.gaps])
    fit = intervals.mean(gaps, 0.05)
    alike = [pair for pair, gap in zip(test.gaps, gaps, strict=True)
             if not frequentist.varies(gap, 2)]  # fmt: skip
    k, (units, smallest) = len(gaps), (table.shape[0], int(gaps.mean(axis=1).argmin()))
    better, worse = np.array(test.gaps).T
    return Evidence(
        scale=DIFFERENCE,
        units=pd.Series(gaps[smallest], index=effects.index),
        interval=None if alike else _kth(fit.estimate, fit.se, fit.dof, k),
        constant=_alike(test, units, (test.models[i] for i in next(iter(alike), ()))),
        n=units,
        sd=float(gaps[smallest].std(ddof=1)),
        model="ranking",
        data=moments(cells),
        frequentist=_friedman(effects),
        prior=test.prior,
        estimand=lambda draws, data: (draws["theta"][:, better] - draws["theta"][:, worse]).min(
            axis=1
        ),
        aim=0.9 ** (1 / k),
        specifications=lambda alpha: (
            _order_alternatives(cells, test.gaps, alpha)
            if len(test.levels) > 1
            else _gap_alternatives(gaps, alpha)
        ),
        shown={"average_rank": effects.rank(axis=1, ascending=False).mean().to_dict()},
        of_posterior=lambda draws: {
            "rank_probabilities": rank_probabilities(draws["theta"], test.models)
        },
    )


def _alike(test: designs.Tasks | designs.RankOrder, tasks: int, arms: Iterable[str]) -> str:
    """What to say where arms differ by the same on all tasks."""
    return (
        f"{test.experiment}: {tasks} tasks and one difference between {' and '.join(arms)} on all"
    )


def _width(test: designs.Tasks) -> float | None:
    """Highest score less the lowest that there can be, where the claim says it."""
    low, high = test.score_range or (None, None)
    return None if low is None or high is None else high - low


def _errors(cells: Sequence[np.ndarray], width: float | None) -> np.ndarray:
    """Standard error of the difference of two arms on each task, from its items: (tasks,).

    Items that all differ alike leave open what so many right or wrong answers would (Bonett and
    Price, stretched to the width of the scores); 0 where that is not known.
    """
    errors = []
    for apart in (cell[:, 0] - cell[:, 1] for cell in cells):
        error = 0.0
        if frequentist.varies(apart, 2):
            error = apart.std(ddof=1) / np.sqrt(apart.size)
        elif width:
            most = max(width, abs(apart[0]))
            error = most * intervals.constant_pairs(apart[0] / most, apart.size, 0.05).se
        errors.append(error)
    return np.array(errors)


def _kth(estimate, se, dof, k: int) -> Callable[[float], intervals.Fit]:
    return lambda alpha: intervals.kth_largest(estimate, se, dof, k, alpha)


def _of_claim(
    test: designs.Tasks | designs.RankOrder, sides: Sequence[base.Side], tables: Tables
) -> tuple[list[np.ndarray], pd.DataFrame]:
    return by_task(sides, tables, test.experiment, test.levels, test.prior)


def by_task(
    sides: Sequence[base.Side],
    tables: Tables,
    experiment: str,
    levels: Sequence[str],
    prior: Mapping[str, float] | None = None,
) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Per task the values of its units (units x arms), and their means (tasks x arms).

    The first of the levels are the tasks, the second their units; without a second each task is
    its own and only unit. Raises ValueError naming the block that a side lacks, the task with a
    single unit, and scores beyond 1 under the model's own prior (None).
    """
    table = grid(sides, tables, experiment)
    if prior is None and np.abs(table.to_numpy()).max() > 1:
        raise ValueError(
            f"{experiment}: scores go beyond 1, but the model's prior is of scores up to 1; "
            "register 'prior: {ability: ..., spread: ...}' in the unit of the scores"
        )
    if len(levels) == 1:
        return [scores[None] for scores in table.to_numpy()], table
    units = of_units(table, levels, experiment)
    cells = [cell.to_numpy() for _, cell in units.groupby(level=0, sort=False)]
    names = list(dict.fromkeys(units.index.get_level_values(0)))
    for name, cell in zip(names, cells, strict=True):
        if len(cell) < 2:
            raise ValueError(
                f"{experiment}: task '{name}' has {len(cell)} {levels[1]}; at least 2 "
                "are needed to tell how sure its mean is"
            )
    return cells, pd.DataFrame([c.mean(axis=0) for c in cells], names, [s.arm for s in sides])


def of_units(table: pd.DataFrame, levels: Sequence[str], experiment: str) -> pd.DataFrame:
    """Mean of each unit of each task: index task, unit; the columns of a `grid`, in its order."""
    parts = split(table.index, levels, experiment)
    columns = [by_unit(column, parts, level=1) for column in table.to_numpy().T]
    return pd.concat(columns, axis=1)


def moments(cells: Sequence[np.ndarray], width: float | None = None) -> Mapping[str, np.ndarray]:
    """Means of the arms in each task and the covariance of these means over paired units.

    With the width of the scores, two arms that differ alike on all items of a task share the error
    of `_errors`. The score of a task without units is what it is: what it would be on other items
    is part of how tasks differ.
    """
    models = cells[0].shape[1]
    cov = np.array(
        [
            np.cov(cell.T) / len(cell) if len(cell) > 1 else np.zeros((models, models))
            for cell in cells
        ]
    )
    if width:
        alike = [not frequentist.varies(cell[:, 0] - cell[:, 1], 2) for cell in cells]
        own = np.where(alike, _errors(cells, width) ** 2 / 2, 0)
        cov = cov + own[:, None, None] * np.eye(models)
    return {"mean": np.array([cell.mean(axis=0) for cell in cells]), "cov": cov}


def _average_alternatives(cells: Sequence[np.ndarray], y: np.ndarray, alpha: float) -> list[dict]:
    """The tasks as they are (no sampling of tasks), and all items in one."""
    within = [cell[:, 0] - cell[:, 1] for cell in cells]
    z = -intervals.stats.norm.ppf(alpha / 2)
    se = np.sqrt(sum(cell.var(ddof=1) / cell.size for cell in within)) / len(within)
    pooled = intervals.mean(np.concatenate(within), alpha)
    return [
        specification("these tasks only", y.mean(), y.mean() - z * se, y.mean() + z * se),
        specification("all items in one", *pooled[:3]),
    ]


def _order_alternatives(cells: Sequence[np.ndarray], gaps, alpha: float) -> list[dict]:
    """The tasks as they are, and all items in one: is the order that of these items?"""
    rows = []
    for label, groups in (
        ("these tasks only", cells),
        ("all items in one", [np.concatenate(cells)]),
    ):
        within = [np.array([cell[:, i] - cell[:, j] for i, j in gaps]) for cell in groups]
        estimate = np.mean([cell.mean(axis=1) for cell in within], axis=0)
        variance = sum(cell.var(axis=1, ddof=1) / cell.shape[1] for cell in within)
        se = np.sqrt(variance) / len(within)
        fit = intervals.kth_largest(estimate, se, np.inf, len(gaps), alpha)
        rows.append(specification(label, *fit[:3]))
    return rows


def _gap_alternatives(gaps: np.ndarray, alpha: float) -> list[dict]:
    """Other means of each gap over tasks, gaps (k, tasks): all must hold, as in `kth_largest`."""
    rows = []
    for label, rule in (
        ("signed ranks, Hodges-Lehmann", multiverse.hodges_lehmann),
        ("20 % trimmed mean", multiverse.trimmed_mean),
        ("tasks beyond 3 MAD left out", multiverse.without_outliers),
    ):
        lows, highs = (
            [fit for fit in (rule(gap, a) for gap in gaps) if fit is not None]
            for a in (alpha, alpha / len(gaps))
        )
        if len(lows) == len(highs) == len(gaps):
            estimate, low, _ = np.min(lows, axis=0)
            rows.append(specification(label, estimate, low, min(fit[2] for fit in highs)))
    return rows


def _friedman(effects: pd.DataFrame) -> dict:
    if min(effects.shape) < 3:
        return {}
    long = effects.rename_axis(index="task", columns="model").stack().rename("score").reset_index()
    columns = {"dv": "score", "within": "model", "subject": "task"}
    friedman = frequentist.friedman(long, **columns)
    anova = frequentist.rm_anova(long, **columns)["model"]
    return {
        "p_value": friedman["p_value"],
        "eta_squared": anova["ng2"],
        "tests": [
            named("Friedman over tasks", friedman),
            named("repeated-measures ANOVA over models", anova),
        ],
    }


def rank_probabilities(theta: np.ndarray, models: Sequence[str]) -> dict[str, list[float]]:
    """Posterior probability of each rank, the best first, from draws of abilities (draws, M)."""
    rank = (-theta).argsort(axis=1).argsort(axis=1)
    places = np.arange(len(models))
    return {m: (rank[:, [i]] == places).mean(axis=0).tolist() for i, m in enumerate(models)}
