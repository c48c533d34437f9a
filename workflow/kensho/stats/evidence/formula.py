"""The contrast of a formula: the rows of two arms with their levels as columns."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from kensho.claims.formula import ARM, RESPONSE
from kensho.claims.formula_design import FormulaContrast
from kensho.stats import frequentist, intervals, marginal
from kensho.stats.evidence.base import Evidence, Undefined, named, specification
from kensho.stats.scales import BY_NAME, RATIO, Scale
from kensho.stats.units import Tables, _same_unit, split, values

if TYPE_CHECKING:
    from kensho.stats.models import Model

MAX_ROWS = 5_000  # the sampler sees every row at every step
MAX_EFFECTS = 2_500  # of groups, each with a value in every draw
MAX_LEVELS = 15  # of an ordinal score


def formula_contrast(test: FormulaContrast, reading: None, tables: Tables, seed: int) -> Evidence:
    """Difference or ratio of the average predictions for two arms.

    Raises ValueError, one line, for rows that the likelihood cannot have, for a formula that does
    not fit the rows (groups left out whose rows depend on each other, groups of single rows, a
    column with one value) and for tables beyond MAX_ROWS or MAX_EFFECTS.
    """
    from kensho.stats.models import formula as models

    frame = _frame(test, tables)
    _fits(test, frame)
    scale, kind = BY_NAME[test.scale], test.likelihood
    codes, names = pd.factorize(frame[test.unit])
    rows = marginal.Rows(
        treated=(frame[ARM] == test.contrast.treatment).to_numpy(),
        columns=_covariates(test, frame),
        unit=codes,
    )
    score = frame[RESPONSE].to_numpy(float)
    shown = score / frame["trials"].to_numpy() if kind == "beta_binomial" else score
    enough = rows.replication >= 2
    contributed = (
        marginal.contributions(shown, rows, scale) if enough else _plain(shown, rows, scale)
    )
    if not np.isfinite(contributed).all():
        raise Undefined(
            f"{test.experiment}: an arm has a mean of {test.metric} that is not above 0, which "
            "gives no ratio; register 'kind: difference'"
        )
    varies = enough and frequentist.varies(contributed, 2)
    levels = np.unique(score)
    y = {"gaussian": score, "ordinal": np.searchsorted(levels, score)}.get(kind, score.astype(int))
    model = models.model(test.parsed, kind, frame, test.scale, codes) if varies else None
    data = {"y": y}

    def to_score(y: np.ndarray) -> np.ndarray:
        """Simulated values of the model's y as scores."""
        if kind == "gaussian":
            return score.mean() + score.std() * y
        if kind == "ordinal":
            return levels[y]
        return y / frame["trials"].to_numpy() if kind == "beta_binomial" else y

    def recover(model: Model, draws: dict[str, np.ndarray], alpha: float) -> dict:
        from kensho.stats.recovery import Fitted, recover

        return recover(
            Fitted(model, model.prepare(data), test.prior or model.primary, draws),
            planted=[name for name in model.parameters if ARM in name.split(":")],
            interval=lambda y, alpha: marginal.fit(
                marginal.contributions(to_score(y), rows, scale), rows.dof, alpha
            ),
            alphas={"95 %": 0.05} | ({f"{100 * (1 - alpha):.4g} %": alpha} if alpha < 0.05 else {}),
            seed=seed,
        )  # fmt: skip

    fit = marginal.fit(contributed, rows.dof, 0.05) if varies else None
    return Evidence(
        scale=scale,
        units=pd.Series(scale.back(contributed), pd.Index(names, name=test.unit)),
        interval=(lambda alpha: marginal.fit(contributed, rows.dof, alpha)) if varies else None,
        n=rows.replication,
        sd=float(fit.se * np.sqrt(rows.replication)) if fit else float("nan"),
        model=model or kind,
        data=data,
        frequentist=_t_test(fit) if fit else {},
        prior=test.prior,
        specifications=lambda alpha: _alternatives(test, frame, shown, rows, alpha),
        shown={
            "formula": f"{RESPONSE} ~ {test.parsed.text}",
            "likelihood": kind,
            "rows": len(frame),
            "effective_units": rows.dof + 1,
            "averaged_over": f"the observed rows, and new groups of {test.unit}",
        },
        of_posterior=lambda draws: {
            "group_sd": {
                name.removesuffix("_sigma"): np.median(draws[name], axis=0).tolist()
                for name in draws
                if "|" in name
            }
        },
        recover=None if model is None else partial(recover, model),
    )


def _frame(test: FormulaContrast, tables: Tables) -> pd.DataFrame:
    """One row for each score (of a beta-binomial: each count), control first."""
    _same_unit(test.sides, tables, test.experiment)
    treatment, control = test.contrast.treatment, test.contrast.control
    parts = []
    for side in reversed(test.sides):
        table = tables[side.arm]
        scores = values(side, table, test.experiment)
        replicates = values(side, table.assign(value=table["replicate"]), test.experiment)
        names = split(scores.index, test.levels, test.experiment)
        paths = {  # levels are nested: the same item number in two tasks is two items
            level: names[list(names.columns[: place + 1])].agg("/".join, axis=1)
            for place, level in enumerate(names)
        }
        of_arm = pd.DataFrame(paths).assign(
            score=scores.to_list(), replicate=replicates.to_list(), arm=side.arm
        )
        parts.append(of_arm)
    frame = pd.concat(parts, ignore_index=True)
    _usable(test, frame)
    if test.likelihood == "beta_binomial":
        frame["trials"] = frame[RESPONSE].map(len)
        frame[RESPONSE] = frame[RESPONSE].map(sum).astype(int)
        frame = frame.drop(columns="replicate")
    else:
        frame = frame.explode([RESPONSE, "replicate"], ignore_index=True)
        whole = test.likelihood == "bernoulli"
        frame[RESPONSE] = frame[RESPONSE].astype(int if whole else float)
        frame["replicate"] = frame["replicate"].map("{:.0f}".format)
    frame[ARM] = pd.Categorical(frame[ARM], [control, treatment], ordered=True)
    return frame


def _usable(test: FormulaContrast, frame: pd.DataFrame) -> None:
    """ValueError for scores that the likelihood cannot have."""
    where = f"{test.experiment}: metric '{test.metric}'"
    if test.likelihood in ("bernoulli", "beta_binomial"):
        wrong = frame[RESPONSE].map(lambda cell: not set(cell) <= {0, 1})
        for row in frame[wrong].head(1).to_dict("records"):
            value = next(x for x in row[RESPONSE] if x not in (0, 1))
            raise ValueError(
                f"{where}: block '{row[test.levels[-1]]}' of '{row[ARM]}' holds {value:g}, "
                "neither 0 nor 1; register likelihood gaussian or ordinal"
            )
    if test.likelihood == "beta_binomial" and frame[RESPONSE].map(len).max() == 1:
        raise ValueError(
            f"{where}: no block has replicates, of which beta_binomial counts the right ones; "
            "register likelihood bernoulli"
        )
    if test.likelihood == "ordinal":
        different = len({x for cell in frame[RESPONSE] for x in cell})
        if different > MAX_LEVELS:
            raise ValueError(
                f"{where}: {different} different scores are too many for ordered levels (at most "
                f"{MAX_LEVELS}); register likelihood gaussian"
            )


def _fits(test: FormulaContrast, frame: pd.DataFrame) -> None:
    """ValueError where formula and rows do not fit each other."""
    parsed, where = test.parsed, f"{test.experiment}: formula"
    if len(frame) > MAX_ROWS:
        raise ValueError(
            f"{where}: {len(frame)} rows are too many for this design (at most {MAX_ROWS}); "
            "average replicates, observe a random sample of the units, or register "
            "paired_difference or tasks, which have no such limit"
        )
    grouped = {group.factor for group in parsed.groups}
    for level in test.levels[len(test.strata) :]:
        most = frame[level].value_counts().max()
        if most > 1 and (level,) not in grouped:
            raise ValueError(
                f"{where}: up to {most} rows share one {level} and depend on each other; "
                f"add (1|{level})"
            )
    effects = 0
    for group in parsed.groups:
        # bambi gives an effect to every combination of the columns of a factor
        effects += len(group.terms) * math.prod(frame[name].nunique() for name in group.factor)
        if frame.groupby(list(group.factor), observed=True).size().max() == 1:
            raise ValueError(
                f"{where}: every {':'.join(group.factor)} has a single row, which cannot tell its "
                f"effect from the noise; leave out {group.text}"
            )
    if effects > MAX_EFFECTS:
        raise ValueError(
            f"{where}: {effects} group effects are too many for this design (at most "
            f"{MAX_EFFECTS}); observe a random sample of the units, or register paired_difference "
            "or tasks, which have no such limit"
        )
    for name in dict.fromkeys(name for term in parsed.fixed for name in term):
        if frame[name].nunique() == 1:
            raise ValueError(f"{where}: '{name}' has one value only; leave it out")


def _covariates(test: FormulaContrast, frame: pd.DataFrame) -> np.ndarray:
    from formulae import design_matrices

    made = design_matrices(test.parsed.covariates, frame)
    return made.common.design_matrix.astype(float)


def _plain(score: np.ndarray, rows: marginal.Rows, scale: Scale) -> np.ndarray:
    """The arms' contrast once for each unit, where units are too few for an interval."""
    with np.errstate(invalid="ignore", divide="ignore"):
        treated, control = (scale.forward(score[arm].mean()) for arm in rows.arms)
    return np.full(rows.units, treated - control)


def _t_test(fit) -> dict:
    t = float(fit.estimate / fit.se)
    test = {"t": t, "dof": fit.dof, "p_value": float(2 * stats.t.sf(abs(t), fit.dof))}
    return {"p_value": test["p_value"], "tests": [named("t, jackknife over units", test)]}


def _alternatives(
    test: FormulaContrast,
    frame: pd.DataFrame,
    score: np.ndarray,
    rows: marginal.Rows,
    alpha: float,
) -> list[dict]:
    """Units weighted equally, and statsmodels' marginal model with the likelihood's own link."""
    from kensho.stats.gee import marginal_model

    scale = BY_NAME[test.scale]
    fits = {"marginal model, units exchangeable": marginal_model(test, frame, score, rows, alpha)}
    if not test.strata:
        fits["units weighted equally"] = _units_alike(score, rows, scale is RATIO, alpha)
    return [specification(label, *scale.back(np.array(fit))) for label, fit in fits.items() if fit]


def _units_alike(score: np.ndarray, rows: marginal.Rows, ratio: bool, alpha: float):
    """Units with both arms, each with the means of its scores: t of their differences, or ratio."""
    sums, counts = (
        np.stack([np.bincount(rows.unit[arm], w[arm], rows.units) for arm in rows.arms])
        for w in (score, np.ones_like(score))
    )
    both = (counts > 0).all(axis=0)
    x, y = sums[:, both] / counts[:, both]
    if both.sum() < 2 or (ratio and min(x.mean(), y.mean()) <= 0):
        return None
    z = intervals.linearised(x, y) if ratio else x - y
    return intervals.mean(z, alpha)[:3] if frequentist.varies(z, 2) else None
