"""The win rate of prompts that were judged once, each in an order that was drawn for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from kensho.claims import designs
from kensho.stats import intervals
from kensho.stats.evidence.base import Evidence, Modelled, Undefined, of_one_share, specification
from kensho.stats.evidence.strengths import Judgements, apart, told_apart, unvaried
from kensho.stats.scales import SHARE
from kensho.stats.units import Tables, preferences, values

_LEAST = 2  # prompts of an order: fewer do not tell how they vary


def one_order(test: designs.WinRate, tables: Tables) -> Evidence:
    """P(win) + P(tie) / 2 of the first system, the mean of its rates shown first and shown second.

    The prompts of either order are a sample of all prompts, since their order was drawn.
    """
    first, second = _by_order(test, tables)
    cells = pd.concat([first, second])
    y = [order.map(np.mean).to_numpy() for order in (first, second)]
    judgements = [(prompt, 2 * value) for prompt, cell in enumerate(cells) for value in cell]
    prompt, outcome = np.array(judgements).T.astype(int)
    second_shown = prompt >= len(first)  # the system is model 0; outcomes are of the first shown
    judged = Judgements(
        first=second_shown.astype(int),
        second=1 - second_shown,
        outcome=np.where(second_shown, 2 - outcome, outcome),
        prompt=prompt,
        weight=np.ones(prompt.size),
        prompts=list(cells.index),
    )
    where = f"{test.experiment}/{test.comparison}.csv"
    told_apart(judged.first, judged.outcome, where)
    ties = unvaried(judged.outcome, where)
    units = cells.map(np.mean)
    fit = _both(y, 0.05)
    modelled = Modelled("strengths", apart(judged, 2, known=True), test.prior)
    if units.nunique() == 1:  # nothing tells prompts apart
        modelled = of_one_share(units.iloc[0], units.size)
    t = (fit.estimate - SHARE.null) / fit.se
    p = float(2 * stats.t.sf(abs(t), fit.dof))
    return Evidence(
        scale=SHARE,
        units=units,
        interval=(lambda alpha: _both(y, alpha)) if not ties else None,
        constant=ties or Evidence.constant,
        n=units.size,
        sd=float(fit.se * np.sqrt(units.size)),
        **modelled._asdict(),
        frequentist={
            "p_value": p,
            "tests": [{"name": "t, both orders alike", "statistic": float(t),
                       "dof": float(fit.dof), "p_value": p}],
        },
        specifications=lambda alpha: _alternatives(y, alpha),
        shown={
            "order_effect": float(y[0].mean() - y[1].mean()),
            "prompts_shown_first": y[0].size,
            "prompts_shown_second": y[1].size,
        },
    )  # fmt: skip


def _by_order(test: designs.WinRate, tables: Tables) -> list[pd.Series]:
    """Preferences of the prompts where the system was shown first, and where it was second."""
    where, by_order = f"{test.experiment}/{test.comparison}.csv", []
    table = tables[test.comparison]
    for side in test.sides:
        shown = side.metric.removeprefix("preference.")
        if not (table["metric"] == side.metric).any():
            raise Undefined(
                f"{where}: no prompt was judged with '{test.comparison}' shown {shown}, so the "
                "order's part in the wins cannot be told; judge prompts in both orders"
            )
        by_order.append(preferences(values(side, table, test.experiment), where))
        if len(by_order[-1]) < _LEAST:
            raise Undefined(
                f"{where}: only {len(by_order[-1])} prompt was judged with '{test.comparison}' "
                f"shown {shown}, which does not tell how prompts vary; judge more in that order"
            )
    for prompt in sorted(set(by_order[0].index) & set(by_order[1].index))[:1]:
        raise ValueError(
            f"{where}: prompt '{prompt}' was judged in both orders; register 'orders: both', or "
            "keep the order that was drawn for it"
        )
    return by_order


def _both(y: list[np.ndarray], alpha: float) -> intervals.Fit:
    return intervals.combined([intervals.share(order, alpha) for order in y], (0.5, 0.5))


def _alternatives(y: list[np.ndarray], alpha: float) -> list[dict]:
    """Orders as they fell, ties left out, and each order of showing alone."""
    fits = {
        "orders as they fell": intervals.share(np.concatenate(y), alpha),
        "shown first only": intervals.share(y[0], alpha),
        "shown second only": intervals.share(y[1], alpha),
    }
    decided = [[(order > 0.5).sum(), (order != 0.5).sum()] for order in y]
    if all(n for _, n in decided):
        without = [intervals.proportion(k, n, alpha) for k, n in decided]
        fits["ties left out"] = intervals.combined(without, (0.5, 0.5))
    return [specification(label, *fit[:3]) for label, fit in fits.items()]
