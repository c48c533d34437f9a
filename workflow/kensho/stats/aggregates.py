"""What means and numbers of items alone can decide of two arms, or of a whole board.

Which items each arm had right is unknown, so the standard error of a paired difference is only
known to lie between two limits: that of the pairing with the fewest discordant items, and that with
the most (Fréchet 1951, Hoeffding 1940). Both ends move by what the figures were rounded to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from kensho.audit import catalogue
from kensho.audit.printed import Figure, absent, printed
from kensho.audit.reading import column
from kensho.audit.table import Spec
from kensho.claims.base import Contrast
from kensho.claims.designs import PublishedAggregate
from kensho.claims.model import Claim, Tier
from kensho.stats import decision, intervals, power, units
from kensho.stats.analysis import Settings
from kensho.stats.hypothesis import Rule
from kensho.stats.intervals import Fit, Values
from kensho.stats.scales import Region
from kensho.stats.units import Tables

PLACES = ["table", "column", "row", "score", "best_place", "worst_place", "separated"]

FINE = 9  # decimals with which rounding decides nothing


class Bounds(NamedTuple):
    """Intervals of a difference of two shares under the pairing with the most and the fewest
    discordant items; `widest` holds the rounding of both shares too."""

    widest: Fit
    narrowest: Fit


class Means(NamedTuple):
    """Two published means of the same independent items: lowest and highest share that each figure
    can stand for, and how many items lie under both."""

    first: Sequence[Values]
    second: Sequence[Values]
    items: Values


def difference(
    first: Sequence[Values],
    second: Sequence[Values],
    items: Values,
    alpha: float,
    *,
    best_of: int = 1,
    graded: bool = False,
) -> Bounds:
    """`mean_difference` of one task."""
    return mean_difference([Means(first, second, items)], alpha, best_of=best_of, graded=graded)


def mean_difference(
    tasks: Sequence[Means], alpha: float, *, best_of: int = 1, graded: bool = False
) -> Bounds:
    """Limits of the interval of first - second over every pairing of the items, in the mean of
    tasks that share none.

    Of n items, as many as min(a + b, 2 - a - b) n and as few as |a - b| n can be right under one
    arm only; the interval of each is Bonett & Price's, as for items at hand. Scores between 0 and 1
    spread no more than right and wrong ones with their mean, and can spread not at all (`graded`;
    means over several answers to an item are such scores). A difference that was picked as the
    best of several errs in any of them with a probability of alpha at most (Bonferroni), whatever
    they have in common: the widest interval is at alpha / best_of. Intervals of several tasks are
    combined by MOVER (see `intervals.combined`); what their figures were rounded by adds up.
    """
    # For each task the fits of the widest at the low end, the centre and the high end of rounding.
    rounded: list[list[Fit]] = [[], [], []]
    narrowest = []
    for task in tasks:
        (a_low, a_high), (b_low, b_high) = (
            [np.clip(np.asarray(end, dtype=float), 0, 1) for end in side] for side in task[:2]
        )
        sums = a_low + b_low, a_high + b_high
        most = 1 - np.abs(np.clip(1, *sums) - 1)  # the rounding that allows most, at a sum near 1
        centre = (a_low + a_high - b_low - b_high) / 2
        for fits, d in zip(rounded, (a_low - b_high, centre, a_high - b_low), strict=True):
            fits.append(_paired(d, np.maximum(most, np.abs(d)), task.items, alpha / best_of))
        none = 0 * centre
        narrowest.append(
            Fit(centre, centre, centre, none, np.inf)
            if graded
            else _paired(centre, np.abs(centre), task.items, alpha)
        )
    wide = [_mean(fits) for fits in rounded]
    low = np.min([fit.low for fit in wide], axis=0)
    high = np.max([fit.high for fit in wide], axis=0)
    se = np.max([fit.se for fit in wide], axis=0)
    return Bounds(Fit(wide[1].estimate, low, high, se, np.inf), _mean(narrowest))


def _mean(fits: Sequence[Fit]) -> Fit:
    return fits[0] if len(fits) == 1 else intervals.combined(fits, [1 / len(fits)] * len(fits))


def _paired(d: Values, discordant: Values, items: Values, alpha: float) -> Fit:
    won, lost = (discordant + d) / 2 * items, (discordant - d) / 2 * items
    return intervals.paired_proportions(won, lost, items, alpha)


def _observed(test: PublishedAggregate, reading: Contrast, tables: Tables, alpha: float) -> Bounds:
    """Limits on a reading, in the unit of the scores: of one task, or of the mean over several.

    Raises ValueError for a side with several figures, and for tasks that are not those of `items`.
    """
    rows = units.paired(reading, tables, test.experiment, positive=False)
    where = f"{test.experiment}: reading '{reading.label}'"
    items = test.items if isinstance(test.items, dict) else {rows.index[0]: test.items}
    if apart := sorted({*rows.index} ^ {*items}):
        raise ValueError(
            f"{where}: task '{apart[0]}' stands in only one of its tables and `items`; give each "
            "task its number of items, or name the one task with `block`"
        )
    if any(len(cell) != 1 for side in rows for cell in rows[side]):
        raise ValueError(f"{where}: more figures than one for an arm and task; leave one of them")
    (low, high), means = test.ends, []
    for task, row in rows.iterrows():
        figures = [_printed(row[side][0], test.decimals) for side in rows]
        ends = [
            [float((end - Fraction(low)) / Fraction(high - low)) for end in (f.low, f.high)]
            for f in figures
        ]
        means.append(Means(ends[0], ends[1], items[str(task)]))
    bounds = mean_difference(means, alpha, best_of=test.best_of, graded=test.outcome == "score")
    return Bounds(*(_times(fit, high - low) for fit in bounds))


def _times(fit: Fit, span: float) -> Fit:
    estimate, low, high, se = (span * x for x in fit[:4])
    return Fit(estimate, low, high, se, fit.dof)


def _printed(value: float, decimals: int) -> Figure:
    """A figure of a table, with the decimals that are left of it: 48.0 may have been 48."""
    return printed(f"{Decimal(repr(float(value))).normalize():f}", decimals=decimals)


def judged(claim: Claim, tables: Tables, tier: Tier, settings: Settings) -> dict[str, Any]:
    """What published aggregates put into a judgement; the first reading decides.

    The registered rule on the widest interval, and on the normal posterior with the standard error
    of that pairing: whatever the pairing was, neither is shorter for certain.
    """
    test, rule = claim.required_test, Rule.of_claim(claim)
    assert isinstance(test, PublishedAggregate)
    items = sum(test.items.values()) if isinstance(test.items, dict) else test.items
    level = settings.alpha / settings.family_size
    bounds = [_observed(test, reading, tables, level) for reading in test.readings]
    first, narrow = bounds[0]
    spread = max(first.se, 1e-12)
    planned: dict[str, Any] | None = None
    if spread > 1e-9:
        planned = power.prospective(rule, items, spread * math.sqrt(items), level)
        planned.pop("curve")
    ends = float(first.low), float(first.high)
    masses = [_mass(rule.region, centre, spread) for centre in _centres(first, level, test)]
    towards = [_mass(rule.effects, centre, spread) for centre in _centres(first, level, test)]
    low, high = (min(masses), max(masses))
    p_region = low if low > 0.5 else high if high < 0.5 else 0.5
    result = decision.Result(
        tier,
        items,
        float(first.estimate),
        ends,
        p_region=p_region,
        p_region_sensitivity=[p_region],
        p_direction=min(towards),
        level=f"{100 * (1 - level / test.best_of):.4g} %",
        n_required=planned["n_required"] if planned else None,
    )
    verdict, reason, sentence = decision.decide(rule, result)
    if reason == "UNDECIDED":
        finer = test.model_copy(update={"decimals": FINE})
        sentence += _pairing(rule, narrow, _observed(finer, test.readings[0], tables, level).widest)
    wide = _observed(test, test.readings[0], tables, settings.alpha).widest
    return {
        "verdict": verdict,
        "reason": reason,
        "sentence": sentence,
        "estimate": result.estimate,
        "interval": (float(wide.low), float(wide.high)),
        "interval_family": ends,
        "n_units": items,
        "power": planned,
        "readings": [
            {"label": reading.label, "value": float(fit.estimate), "low": float(fit.low),
             "high": float(fit.high),
             "holds": decision.contained((fit.low, fit.high), rule.region)}
            for reading, (fit, _) in zip(test.readings, bounds, strict=True)
        ],
        "details": {"fewest_discordant": (float(narrow.low), float(narrow.high))},
    }  # fmt: skip


def _centres(fit: Fit, level: float, test: PublishedAggregate) -> list[float]:
    """Centres of the posteriors whose intervals end where the widest one does."""
    half = stats.norm.ppf(1 - level / test.best_of / 2) * fit.se
    return [float(fit.low + half), float(fit.high - half)]


def _mass(region: Region, centre: float, spread: float) -> float:
    low, high = (
        far if end is None else end for end, far in zip(region, (-math.inf, math.inf), strict=True)
    )
    return float(max(0, stats.norm.cdf(high, centre, spread) - stats.norm.cdf(low, centre, spread)))


def _pairing(rule: Rule, narrow: Fit, finer: Fit) -> str:
    """Whether more decimals, or the items, could decide what these means do not."""
    decided = [
        decision.contained(ends, rule.region) or decision.disjoint(ends, rule.region)
        for ends in ((float(fit.low), float(fit.high)) for fit in (finer, narrow))
    ]
    if decided[0]:
        return " More decimals of both figures could decide it."
    if decided[1]:
        return " Answers to the items, paired, could decide it at this number of items."
    return " No pairing of so many items decides it."


def places(spec: Spec, table: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Between which places of a board each row can stand, and what nothing published separates.

    A row stands above another for certain where the widest interval of their difference, at alpha
    over the number of pairs, excludes 0. Columns PLACES: best_place is 1 + those above for certain,
    worst_place counts those that are not below for certain; `separated` is the share of all pairs
    of the column.

    Raises ValueError, one line with the cell, for a cell that is no figure, or none from 0 to 1.
    """
    rows = []
    for tie in spec.ties:
        cells = column(table, tie.score, spec.table)
        held, scores = ~cells.map(absent), []
        for place, cell in cells[held].items():
            try:
                score = catalogue.value(Figure, cell, spec.scale, spec.decimals)
                if score.within(0, 1) is None:
                    raise ValueError(f"{score} is no share where `scale` is {spec.scale}")
                scores.append(score)
            except ValueError as error:
                raise ValueError(
                    f"{spec.table}, {place}, '{tie.score}': {error}; change the cell, or leave it "
                    "empty"
                ) from None
        if not scores:
            continue
        ends_of = np.array([(float(s.low), float(s.high)) for s in scores])
        alike, which = np.unique(ends_of, axis=0, return_inverse=True)
        pairs = max(1, len(scores) * (len(scores) - 1) // 2)
        above, below = _separated(alike, np.bincount(which), tie.items, alpha / pairs)
        separated = float(below[which].sum() / pairs)
        rows += [
            (
                spec.title,
                tie.score,
                name,
                score.text,
                int(1 + above[k]),
                int(len(scores) - below[k]),
                separated,
            )
            for name, score, k in zip(table[spec.rows][held], scores, which, strict=True)
        ]
    return pd.DataFrame(rows, columns=PLACES)


def _separated(
    ends: np.ndarray, many: np.ndarray, items: int, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """How many scores stand above, and below, each one for certain.

    Args: ends (scores, 2) of distinct figures, in order; many of them are alike. Of figures with
    equal decimals the lower is separated wherever a higher one is, so that the last is sought by
    halving.
    """
    above, below = np.zeros(len(ends), dtype=int), np.zeros(len(ends), dtype=int)
    widths = np.round(ends[:, 1] - ends[:, 0], 12)
    for width in np.unique(widths):
        other, number = ends[widths == width], np.append(0, np.cumsum(many[widths == width]))
        below += number[_first(ends, other, items, alpha, above=False)]
        above += number[-1] - number[_first(ends, other, items, alpha, above=True)]
    return above, below


def _first(
    ends: np.ndarray, other: np.ndarray, items: int, alpha: float, *, above: bool
) -> np.ndarray:
    """For each score the first of the others that stands above it for certain, or that does not
    stand below it; their number where none does."""
    low, high = np.zeros(len(ends), dtype=int), np.full(len(ends), len(other))
    while (low < high).any():
        middle = (low + high) // 2
        own, theirs = list(ends.T), list(other[np.minimum(middle, len(other) - 1)].T)
        if above:
            holds = difference(theirs, own, items, alpha).widest.low > 0
        else:
            holds = difference(own, theirs, items, alpha).widest.low <= 0
        open_ = low < high
        high = np.where(open_ & holds, middle, high)
        low = np.where(open_ & ~holds, middle + 1, low)
    return low
