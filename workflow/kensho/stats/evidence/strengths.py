"""The order of several models from pairwise judgements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special, stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kensho.claims import base, designs
from kensho.metrics import OVER
from kensho.stats import davidson, intervals
from kensho.stats.evidence.base import Evidence, Undefined, specification
from kensho.stats.evidence.tasks import rank_probabilities
from kensho.stats.scales import SHARE
from kensho.stats.units import Tables, preferences, values
from kensho.validation import suggestion

PLACE = 0.95  # of what was shown first (or second), whatever it was, won: no preference any more


class Judgements(NamedTuple):
    """One entry for each judgement: models by their place, outcome 0 loss, 1 tie, 2 win of first.

    prompt is an index into `prompts`; the judgements of a prompt by several judges of the same pair
    in the same order share a weight of 1.
    """

    first: np.ndarray
    second: np.ndarray
    outcome: np.ndarray
    prompt: np.ndarray
    weight: np.ndarray
    prompts: Sequence[str]

    def counts(self, models: int) -> np.ndarray:
        """Weight of the judgements by first, second and outcome: (M, M, 3)."""
        size = models, models, 3
        return np.bincount(self.cell(models), self.weight, np.prod(size)).reshape(size)

    def fit(self, models: int, known: bool) -> davidson.Strengths:
        """Strengths with errors robust to prompts."""
        prompt = np.unique(self.prompt, return_inverse=True)[1]
        return davidson.strengths(
            self.counts(models), known, (prompt, self.cell(models), self.weight)
        )

    def chosen(self, rows: np.ndarray) -> Judgements:
        """Some of the judgements."""
        return self._replace(
            **{name: getattr(self, name)[rows] for name in self._fields if name != "prompts"}
        )

    def cell(self, models: int) -> np.ndarray:
        return (self.first * models + self.second) * 3 + self.outcome


def unvaried(outcome: np.ndarray, where: str) -> str | None:
    """That all judgements (0, 1, 2) are ties, which say nothing; None where they are not."""
    if (outcome != 1).any():
        return None
    return f"{where}: all {outcome.size} judgements of the claim's models are ties"


def told_apart(first: np.ndarray, outcome: np.ndarray, where: str) -> None:
    """Raise Undefined where judgements but for ties say in which place an answer stood.

    ``outcome`` (0, 1, 2) is of what was shown first, ``first`` tells what that was.
    """
    decided = outcome != 1
    won = pd.Series(outcome[decided] == 2).groupby(first[decided]).mean()
    for place, share in (("first", won), ("second", 1 - won)):
        if len(won) > 1 and share.min() >= PLACE:
            raise Undefined(
                f"{where}: whatever was shown {place} won {share.min():.0%} of the judgements or "
                "more, so they tell places apart and not answers; ask another judge, or name the "
                "arms as they were shown"
            )


def pair_ranking(test: designs.PairRanking, reading: None, tables: Tables, seed: int) -> Evidence:
    """Smallest win probability of a model against those that the claim puts behind it.

    Strengths are those of a Bradley-Terry model with ties; `n` is the number of prompts on which
    the least compared model was compared.
    """
    where, models = f"{test.experiment}/{test.comparison}.csv", len(test.models)
    judged = _judgements(test, tables[test.comparison], where)
    counts, known = judged.counts(models), test.first_shown == "known"
    prompts = _prompts(judged, models)
    _comparable(test, counts, prompts, where)
    if known:
        told_apart(judged.first, judged.outcome, where)
    fit = judged.fit(models, known)
    logits, errors = davidson.gaps(fit, test.gaps)
    dof = np.array([min(prompts[i], prompts[j]) - 1 for i, j in test.gaps])
    n, k = int(prompts.min()), len(test.gaps)
    fit_95 = davidson.smallest(logits, errors, dof, 0.05)
    better, worse = np.array(test.gaps).T
    ties = unvaried(judged.outcome, where)
    interval = None if ties else partial(davidson.smallest, logits, errors, dof)
    return Evidence(
        scale=SHARE,
        units=_units(judged),
        interval=interval,
        constant=ties or Evidence.constant,
        n=n,
        sd=float(fit_95.se * np.sqrt(n)),
        model="strengths",
        data=apart(judged, models, known) | {"fitted": davidson.points(fit)},
        frequentist=_wald(fit),
        prior=test.prior,
        estimand=lambda draws, data: davidson.weakest_win(draws, data, better, worse),
        aim=0.9 ** (1 / k),
        specifications=lambda alpha: _alternatives(test, judged, dof, alpha),
        shown={
            "judgements": len(judged.outcome),
            "prompts": len(judged.prompts),
            "strengths": dict(zip(test.models, fit.theta.tolist(), strict=True)),
            **({"order_effect": float(fit.position)} if known else {}),
        },
        of_posterior=lambda draws: {
            "rank_probabilities": rank_probabilities(draws["theta"], test.models)
        },
    )


def _judgements(test: designs.PairRanking, table: pd.DataFrame, where: str) -> Judgements:
    held, cells = set(table["metric"]), []
    for first, second in np.ndindex(len(test.models), len(test.models)):
        metric = test.metric(first, second)
        if metric in held:
            side = base.Side(arm=test.comparison, metric=metric)
            preferred = preferences(values(side, table, test.experiment), where)
            cells += [(first, second, block, cell) for block, cell in preferred.items()]
    known = {model for metric in held for model in metric.split(OVER)}
    for model in test.models:
        if model not in known:
            raise ValueError(f"{where}: '{model}' is in no comparison, {suggestion(model, known)}")
    names = {block: place for place, block in enumerate(dict.fromkeys(row[2] for row in cells))}
    rows = [
        (first, second, round(2 * value), names[block], 1 / len(cell))
        for first, second, block, cell in cells
        for value in cell
    ]
    *columns, weight = np.array(rows, dtype=float).reshape(-1, 5).T
    one, other, outcome, prompt = (column.astype(int) for column in columns)
    return Judgements(one, other, outcome, prompt, weight, list(names))


def _prompts(judged: Judgements, models: int) -> np.ndarray:
    """Number of prompts on which each model was compared."""
    pairs = [(side * len(judged.prompts) + judged.prompt) for side in (judged.first, judged.second)]
    distinct = np.unique(np.concatenate(pairs))
    return np.bincount(distinct // max(1, len(judged.prompts)), minlength=models)


def _comparable(
    test: designs.PairRanking, counts: np.ndarray, prompts: np.ndarray, where: str
) -> None:
    """Raise Undefined for models too seldom compared, apart from others, or in one place only."""
    for model, number in zip(test.models, prompts, strict=True):
        if number < test.min_units:
            raise Undefined(
                f"{where}: '{model}' was compared with the others of the claim on {number} "
                f"prompts, {test.min_units} are needed; compare it on more"
            )
    number = counts.sum(axis=-1)
    _, group = connected_components(coo_array(number), directed=False)
    if group.any():
        sides = [
            ", ".join(m for m, g in zip(test.models, group, strict=True) if (g == group[0]) == same)
            for same in (True, False)
        ]
        raise Undefined(
            f"{where}: no comparison connects {sides[0]} with {sides[1]}, not even by way of other "
            "models, so nothing says which is stronger; compare some of them"
        )
    if test.first_shown == "known":
        for place, axis in (("first", 0), ("second", 1)):
            for model, never in zip(test.models, number.sum(axis=axis) == 0, strict=True):
                if never:
                    raise Undefined(
                        f"{where}: '{model}' was always shown {place}, so its strength cannot be "
                        "told from what the order does; show it in both places, or register "
                        "'first_shown: unknown' if the judge saw no order"
                    )


def apart(judged: Judgements, models: int, known: bool) -> dict[str, np.ndarray]:
    """Data of the model: judgements alone on their prompt as counts, the others one by one."""
    alone = np.bincount(judged.prompt)[judged.prompt] == 1
    lone, rest = judged.chosen(alone), judged.chosen(~alone)
    answers = [rest.prompt * models + side for side in (rest.first, rest.second)]
    distinct, place = np.unique(np.concatenate(answers), return_inverse=True)
    answer_first, answer_second = np.split(place, 2)
    return {
        "alone": lone.counts(models).astype(int),
        "first": rest.first,
        "second": rest.second,
        "outcome": rest.outcome,
        "answer_first": answer_first,
        "answer_second": answer_second,
        "answers": np.array(distinct.size),
        "shown": np.array(int(known)),
    }


def _units(judged: Judgements) -> pd.Series:
    """Mean over a prompt's judgements of what the model won that the claim names earlier."""
    won = np.where(judged.first < judged.second, judged.outcome, 2 - judged.outcome) / 2
    share = np.bincount(judged.prompt, won) / np.bincount(judged.prompt)
    return pd.Series(share, index=list(judged.prompts))


def _wald(fit: davidson.Strengths) -> dict:
    """Test that all models are equally strong."""
    contrasts = davidson.basis(fit.theta.size) @ fit.theta
    own = fit.cov[: contrasts.size, : contrasts.size]
    statistic = float(contrasts @ np.linalg.solve(own, contrasts))
    p = float(stats.chi2.sf(statistic, contrasts.size))
    test = {"name": "Wald, all models equally strong", "statistic": statistic,
            "dof": contrasts.size, "p_value": p}  # fmt: skip
    return {"p_value": p, "tests": [test]}


def _alternatives(
    test: designs.PairRanking, judged: Judgements, dof: np.ndarray, alpha: float
) -> list[dict]:
    """Ties left out, no order effect, judgements of a prompt as independent, direct ones alone."""
    models, known = len(test.models), test.first_shown == "known"
    decided = judged.chosen(judged.outcome != 1)
    fits = {"ties left out": decided.fit(models, known)}
    if known:
        fits["order effect left out"] = judged.fit(models, False)
    if len(judged.prompts) < judged.outcome.size:
        fits["judgements as independent"] = davidson.strengths(judged.counts(models), known)
    rows = [
        specification(label, *davidson.smallest(*davidson.gaps(fit, test.gaps), dof, alpha)[:3])
        for label, fit in fits.items()
    ]
    of_pairs = [_direct(judged, pair, known, alpha) for pair in test.gaps]
    direct = [fit for fit in of_pairs if fit is not None]
    if len(direct) == len(of_pairs):
        logits = np.array([special.logit(fit.estimate) for fit in direct])
        errors = np.array([fit.se / (fit.estimate * (1 - fit.estimate)) for fit in direct])
        rows.append(
            specification(
                "direct comparisons alone", *davidson.smallest(logits, errors, dof, alpha)[:3]
            )
        )
    return rows


def _direct(
    judged: Judgements, pair: tuple[int, int], known: bool, alpha: float
) -> intervals.Fit | None:
    """Win probability of a pair from its own comparisons, both orders alike; None with too few."""
    won = np.where(judged.first == pair[0], judged.outcome, 2 - judged.outcome) / 2
    scores = [
        won[(judged.first == first) & (judged.second == second)]
        for first, second in (pair, pair[::-1])
    ]
    if not known:
        scores = [np.concatenate(scores)]
    if min(part.size for part in scores) < 2:
        return None
    fits = [intervals.share(part, alpha) for part in scores]
    fit = intervals.combined(fits, [1 / len(fits)] * len(fits))
    return fit if 0 < fit.estimate < 1 else None
