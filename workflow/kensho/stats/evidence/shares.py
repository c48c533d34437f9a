"""Shares: the accuracy of one arm, and the win rate of one against another."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from kensho.claims import base, designs
from kensho.stats import frequentist, intervals
from kensho.stats.evidence.base import MANY, Evidence, Modelled, of_one_share, specification
from kensho.stats.evidence.levels import repeats
from kensho.stats.evidence.orders import one_order
from kensho.stats.evidence.strengths import told_apart, unvaried
from kensho.stats.scales import SHARE
from kensho.stats.units import Tables, binary, by_unit, means, preferences, split, values


def proportion(
    test: designs.Proportion, reading: base.Level, tables: Tables, seed: int
) -> Evidence:
    """Share of right answers of one arm, over independent items or over clusters."""
    if test.outcome == "repeats":
        return repeats(test, reading, tables, seed)
    side = values(reading.of, tables[reading.of.arm], test.experiment)
    right = binary(side, reading, test.experiment)
    if len(test.levels) > 1:
        parts = split(right.index, test.levels, test.experiment)
        cluster = by_unit(right.to_numpy(), parts)
        table = parts.assign(correct=right.to_numpy().astype(int), items=1)
        table = table.groupby(test.levels[0], sort=False)[["correct", "items"]].sum()
        y = cluster.to_numpy()
        data = {name: table[name].to_numpy() for name in table}
        modelled = Modelled("proportion", data, test.prior)
        return Evidence(
            scale=SHARE,
            units=cluster,
            interval=(lambda alpha: intervals.share(y, alpha)) if y.size > 1 else None,
            n=y.size,
            sd=float(y.std(ddof=1)) if y.size > 1 else float("nan"),
            **_of_clusters(modelled, y)._asdict(),
            specifications=lambda alpha: _proportion_alternatives(right, parts, alpha),
        )
    correct, items = int(right.sum()), len(right)
    return Evidence(
        scale=SHARE,
        units=right,
        interval=lambda alpha: intervals.proportion(correct, items, alpha),
        n=items,
        sd=float(np.sqrt(correct / items * (1 - correct / items))),
        model="beta_binomial",
        data={"correct": np.array([correct]), "items": np.array([items])},
        prior=test.prior,
        specifications=lambda alpha: _proportion_alternatives(right, None, alpha),
    )


def _own_effects(y: np.ndarray) -> bool:
    """Whether the effects of clusters (prompts) are sampled one by one, from their unit values."""
    return y.size <= MANY and np.ptp(y) > 0


def _of_clusters(modelled: Modelled, y: np.ndarray) -> Modelled:
    """The model with the effects of clusters; of MANY clusters that of the mean of their means.

    Clusters of one and the same share tell nothing of their own effects: they count as items.
    """
    if y.size and np.ptp(y) == 0:
        return of_one_share(y[0], y.size)
    if not _own_effects(y):
        return Modelled("normal", {"y": y})
    return modelled


def _proportion_alternatives(
    right: pd.Series, parts: pd.DataFrame | None, alpha: float
) -> list[dict]:
    """Clopper-Pearson, Jeffreys, Wilson over items and t over items, clusters ignored."""
    x, n = right.sum(), len(right)
    clopper = stats.binomtest(int(x), n).proportion_ci(1 - alpha, "exact")
    jeffreys = stats.beta.ppf([alpha / 2, 1 - alpha / 2], x + 0.5, n - x + 0.5)
    fits = {
        "Clopper-Pearson over items": (clopper.low, clopper.high),
        "Jeffreys over items": jeffreys,
        "t over items": intervals.mean(right.to_numpy(), alpha)[1:3],
    }
    if parts is not None:
        fits["Wilson over items, clusters ignored"] = intervals.proportion(x, n, alpha)[1:3]
    return [specification(label, x / n, *ends) for label, ends in fits.items()]


def win_rate(test: designs.WinRate, reading: None, tables: Tables, seed: int) -> Evidence:
    """P(win) + P(tie) / 2 of the first system over prompts, each judged in both orders."""
    if test.orders == "random":
        return one_order(test, tables)
    first, second = _preferences(test, tables)
    parts = split(first.index, test.levels, test.experiment)
    by_order = pd.DataFrame({"first": means(first), "second": means(second)}, first.index)
    units = by_unit(by_order.mean(axis=1).to_numpy(), parts)
    y = units.to_numpy()
    prompt = pd.Categorical(parts[test.levels[0]], categories=units.index).codes
    judgements = [
        (owner, sign, round(2 * value))
        for cells, sign in ((first, 1), (second, -1))
        for owner, cell in zip(prompt, cells, strict=True)
        for value in cell
    ]
    data = dict(zip(("prompt", "order", "outcome"), np.array(judgements).T, strict=True))
    shown_first = np.where(data["order"] > 0, data["outcome"], 2 - data["outcome"])
    where = f"{test.experiment}/{test.comparison}.csv"
    told_apart(data["order"], shown_first, where)
    ties = unvaried(shown_first, where)
    tests = frequentist.paired(y - SHARE.null, 0.05, seed=seed)
    return Evidence(
        scale=SHARE,
        units=units,
        interval=(lambda alpha: intervals.share(y, alpha)) if y.size > 1 and not ties else None,
        constant=ties or Evidence.constant,
        n=y.size,
        sd=float(y.std(ddof=1)) if y.size > 1 else float("nan"),
        **_of_clusters(Modelled("bradley_terry", data, test.prior), y)._asdict(),
        frequentist=tests,
        rival=("no order effect", {"order_effect": 1e-6}) if _own_effects(y) else None,
        specifications=lambda alpha: _win_alternatives(y, by_order, alpha),
        shown={"order_effect": float(by_order["first"].mean() - by_order["second"].mean())},
    )


def _preferences(test: designs.WinRate, tables: Tables) -> tuple[pd.Series, pd.Series]:
    """Preferences of each prompt in both orders; ValueError for a prompt judged in only one."""
    where = f"{test.experiment}/{test.comparison}.csv"
    first, second = (
        preferences(values(s, tables[s.arm], test.experiment), where) for s in test.sides
    )
    for prompt in sorted(set(first.index) ^ set(second.index))[:1]:
        raise ValueError(
            f"{where}: prompt '{prompt}' was judged in only one order; judge it in both, or "
            "register 'orders: random' if the order was drawn for each prompt"
        )
    return first, second.reindex(first.index)


def _win_alternatives(y: np.ndarray, by_order: pd.DataFrame, alpha: float) -> list[dict]:
    """Ties left out, inconsistent pairs as ties, and each order of showing alone."""
    wins, losses = int((y > 0.5).sum()), int((y < 0.5).sum())
    counts = np.repeat([1.0, 0.5, 0.0], [wins, y.size - wins - losses, losses])
    fits = {"inconsistent pairs as ties": intervals.share(counts, alpha)}
    if wins + losses:
        fits["ties left out"] = intervals.proportion(wins, wins + losses, alpha)
    for order in by_order:
        fits[f"shown {order} only"] = intervals.share(by_order[order].to_numpy(), alpha)
    return [specification(label, *fit[:3]) for label, fit in fits.items()]
