"""Audit checks on random figures: no consistent one called impossible, planted errors found.

Consistent figures are made from data and rounded either way at halves. A planted error moves one
printed figure; where no data whatever print it, by an enumeration that knows nothing of the checks
or because it was moved beyond all rounding, the error is certain and must be found. The share of
all planted errors that are found, certain or not, is the power of a check at these decimals and
this number of items.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from scipy import stats as distributions

from kensho.audit import confusion, granularity, significance, spread, totals, win_rates
from kensho.audit.printed import Finding, Word, exact, printed
from kensho.stats import aggregates
from kensho.stats.calibration import characteristics, claim_types, planted
from kensho.stats.calibration.trial import RANDOM, Trial, as_printed, both, shifted
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.scales import DIFFERENCE

FOUND = 0.95  # of certain errors, at least
ALPHA = 0.05
REPLICATIONS = 20_000  # that the limits of the aggregates are for


@lru_cache
def _shares(items: int, decimals: int) -> frozenset[int]:
    """Every score of so many items in last digits, by division of whole numbers."""
    unit = 10**decimals
    up = ((2 * k * unit + items) // (2 * items) for k in range(items + 1))
    down = (-((-2 * k * unit + items) // (2 * items)) for k in range(items + 1))
    return frozenset(up) | frozenset(down)


def granular(items: int, decimals: int, rng: RANDOM) -> Trial:
    right = int(rng.integers(0, items + 1))
    text = as_printed(Fraction(right, items), decimals, rng)
    moved = shifted(text, decimals, rng)
    certain = round(float(moved) * 10**decimals) not in _shares(items, decimals)
    return Trial(
        granularity.reachable(printed(text), items),
        granularity.reachable(printed(moved), items),
        certain,
    )


def error(items: int, decimals: int, rng: RANDOM) -> Trial:
    right = int(rng.integers(1, items))
    score = printed(as_printed(Fraction(right, items), 4, rng))
    free = items - int(rng.random() < 0.5)
    exact = math.sqrt(right * (items - right) / items**2 / free)
    text = as_printed(exact, decimals, rng)
    wrong = as_printed(exact * float(rng.choice([0, 0.5, 1.4, 2])), decimals, rng)
    return Trial(
        granularity.standard_error(score, printed(text), items),
        granularity.standard_error(score, printed(wrong), items),
        abs(float(wrong) - exact) > exact / items + 1.5 * 10**-decimals + 2e-4,
    )


@lru_cache
def _samples(items: int, highest: int, decimals: int) -> frozenset[tuple[int, int]]:
    """Mean and deviation (n - 1) in last digits, both roundings, of every set of scores."""
    unit, every = 10**decimals, set()
    for scores in combinations_with_replacement(range(1, highest + 1), items):
        total, squares = sum(scores), sum(x * x for x in scores)
        mean = Fraction(total, items) * unit
        deviation = math.sqrt(Fraction(squares * items - total**2, items * (items - 1))) * unit
        for a in {math.floor(mean + Fraction(1, 2)), math.ceil(mean - Fraction(1, 2))}:
            every |= {(a, b) for b in (math.floor(deviation + 0.5 - 1e-9),
                                       math.floor(deviation + 0.5 + 1e-9))}  # fmt: skip
    return frozenset(every)


def judges(items: int, decimals: int, rng: RANDOM, highest: int = 5) -> Trial:
    scores = rng.integers(1, highest + 1, items)
    mean = as_printed(Fraction(int(scores.sum()), items), decimals, rng)
    text = as_printed(float(scores.std(ddof=1)), decimals, rng)
    moved = shifted(text, decimals, rng, 6).lstrip("-")
    if items <= 8:
        digits = tuple(round(float(one) * 10**decimals) for one in (mean, moved))
        certain = digits not in _samples(items, highest, decimals)
    else:  # beyond what the farthest scores with this mean have
        moved = as_printed(highest, decimals, rng)
        certain = True
    return both(
        lambda one: spread.judge_scores(printed(mean), printed(one), items, 1, highest, divisor=1),
        (text, moved),
        certain,
    )


def matrix(items: int, decimals: int, rng: RANDOM) -> Trial:
    positives = int(rng.integers(1, items))
    hits = int(rng.binomial(positives, 0.8))
    right = int(rng.binomial(items - positives, 0.8))
    missed, alarms = positives - hits, items - positives - right
    recall, specificity = Fraction(hits, positives), Fraction(right, items - positives)
    values = {
        "accuracy": Fraction(hits + right, items),
        "f1": Fraction(2 * hits, 2 * hits + alarms + missed),
        "balanced_accuracy": (recall + specificity) / 2,
    }
    square = (hits + alarms) * positives * (items - positives) * (right + missed)
    if square:
        values["mcc"] = Fraction((hits * right - alarms * missed) / math.sqrt(square))
    texts = {name: printed(as_printed(value, decimals, rng)) for name, value in values.items()}
    balanced = values["balanced_accuracy"]  # of these positives accuracy bounds it from both sides
    away = Fraction(1, 2) if balanced < Fraction(1, 2) else Fraction(-1, 2)
    wrong = {**texts, "balanced_accuracy": printed(as_printed(balanced + away, decimals, rng))}
    wrong.pop("f1"), wrong.pop("mcc", None)
    accuracy = values["accuracy"]
    share = [Fraction(positives, items), 1 - Fraction(positives, items)]
    worst = (1 - accuracy) / (2 * min(share))  # largest loss of balanced accuracy
    gained = accuracy / (2 * min(share))
    far = balanced + away
    certain = not (1 - worst - Fraction(1, 50) <= far <= gained + Fraction(1, 50))
    return Trial(
        confusion.confusion(items, positives, **texts),
        confusion.confusion(items, positives, **wrong),
        certain,
    )


def gain(items: int, decimals: int, rng: RANDOM) -> Trial:
    before, after = (float(x) for x in rng.uniform(5, 80, 2))
    ends = [printed(as_printed(x, decimals, rng)) for x in (before, after)]
    exact = 100 * (after / before - 1)
    slack = 100 * (10**-decimals / before + after * 10**-decimals / before**2)
    text = as_printed(exact, 0, rng)
    wrong = as_printed(
        exact + float(rng.choice([-1, 1])) * (slack + 1.5 + 5 * rng.random()), 0, rng
    )
    return both(
        lambda one: totals.derived(printed(one), "relative_gain", ends, "percent"),
        (text, wrong),
        abs(float(wrong) - exact) > slack + 1,
    )


def average(items: int, decimals: int, rng: RANDOM) -> Trial:
    values = [Fraction(int(k), 10**6) for k in rng.integers(0, 10**6, items)]
    parts = [printed(as_printed(value, decimals, rng)) for value in values]
    mean = sum(values, Fraction()) / items
    if rng.random() < 0.5:  # taken of what was rounded
        mean = sum((part.value for part in parts), Fraction()) / items
    text = as_printed(mean, decimals, rng)
    moved = shifted(text, decimals, rng)
    step = Fraction(1, 10**decimals)
    centre = sum((part.value for part in parts), Fraction()) / items
    return both(
        lambda one: totals.mean_of_parts(printed(one), parts),
        (text, moved),
        abs(Fraction(moved) - centre) > step,
    )


def ranked(items: int, decimals: int, rng: RANDOM) -> Trial:
    values = np.sort(rng.random(items))[::-1]
    scores = [printed(as_printed(float(value), decimals, rng)) for value in values]
    order = list(range(1, items + 1))
    i, j = sorted(int(x) for x in rng.choice(items, 2, replace=False))
    swapped = order.copy()
    swapped[i], swapped[j] = order[j], order[i]
    first = [
        next((f for f in totals.ranks(scores, places) if f.word == Word.IMPOSSIBLE),
             Finding(Word.CONSISTENT, "")) for places in (order, swapped)
    ]  # fmt: skip
    return both(
        lambda finding: finding,
        first,
        scores[i].value > scores[j].value,
    )


def tested(items: int, decimals: int, rng: RANDOM) -> Trial:
    x = rng.normal(rng.uniform(0, 1), 1, items)
    test = distributions.ttest_1samp(x, 0)
    statistic = printed(as_printed(float(test.statistic), decimals, rng))
    text = as_printed(float(test.pvalue), 3, rng)
    wrong = as_printed(min(1.0, float(test.pvalue) * 3 + 0.02), 3, rng)
    half = 0.51 * 10**-decimals
    ends = [float(2 * distributions.t.sf(abs(abs(test.statistic) + s * half), items - 1))
            for s in (-1, 1)]  # fmt: skip
    return both(
        lambda p: significance.p_value(p, statistic, "t", exact(items - 1), tails=2),
        (text, wrong),
        float(wrong) > max(ends) + 0.001,
    )


def rates(items: int, decimals: int, rng: RANDOM) -> Trial:
    """A round robin of so many players, each pair a hundred times."""
    won = np.zeros(items)
    for i in range(items):
        for j in range(i):
            wins = int(rng.integers(0, 101))
            won[i] += wins
            won[j] += 100 - wins
    texts = [as_printed(Fraction(int(w), 100 * (items - 1)), decimals, rng) for w in won]
    step = Fraction(1, 10**decimals)
    wrong = texts.copy()
    wrong[0] = as_printed(Fraction(texts[0]) + 2 * items * step, decimals, rng)
    return both(
        lambda each: win_rates.round_robin([printed(one) for one in each]), (texts, wrong), True
    )


def judges_of_ten(items: int, decimals: int, rng: RANDOM) -> Trial:
    return judges(items, decimals, rng, highest=10)


# Check, sizes (items, scores, parts, players) and decimals at which it is tried.
KINDS: dict[str, tuple[Callable[[int, int, RANDOM], Trial], tuple[tuple[int, int], ...]]] = {
    "granularity": (granular, ((60, 2), (60, 3), (448, 3), (792, 3), (448, 4))),
    "standard error": (error, ((60, 3), (448, 4), (2000, 4))),
    "judges' scores, 1 to 5": (judges, ((6, 2), (8, 2), (80, 2))),
    "judges' scores, 1 to 10": (judges_of_ten, ((4, 2), (80, 2))),
    "confusion matrix": (matrix, ((40, 2), (200, 3))),
    "relative gain": (gain, ((2, 1), (2, 2))),
    "mean of parts": (average, ((4, 2), (8, 3), (10, 3))),
    "ranks": (ranked, ((10, 2), (50, 3))),
    "p of t": (tested, ((12, 2), (100, 2))),
    "round robin": (rates, ((4, 3), (12, 4))),
    **planted.KINDS,
}


def run(replications: int, seed: int) -> pd.DataFrame:
    """False alarms and planted errors found, by check, size and decimals.

    Each check is tried `replications` times at least, shared among its sizes.

    Returns columns check, n, decimals, replications, false_alarms (a count), certain (planted
    errors that are), found (share of them), power (share of all planted errors) and holds.
    """
    cases = [(name, *case) for name, (_, cases) in KINDS.items() for case in cases]
    streams, rows = np.random.SeedSequence(seed).spawn(len(cases)), []
    for (name, n, decimals), stream in zip(cases, streams, strict=True):
        rng = np.random.default_rng(stream)
        kind, sizes = KINDS[name]
        times = math.ceil(replications / len(sizes))
        trials = [kind(n, decimals, rng) for _ in range(times)]
        alarms = sum(t.consistent.word == Word.IMPOSSIBLE for t in trials)
        seen = np.array([t.planted.word == Word.IMPOSSIBLE for t in trials])
        certain = np.array([t.certain for t in trials])
        share_found = float(seen[certain].mean()) if certain.any() else math.nan
        holds = alarms == 0 and (not certain.any() or share_found >= FOUND)
        rows.append((name, n, decimals, times, alarms, int(certain.sum()), share_found,
                     float(seen.mean()), holds))  # fmt: skip
    columns = ["check", "n", "decimals", "replications", "false_alarms", "certain", "found",
               "power", "holds"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def acceptance(replications: int, seed: int) -> pd.DataFrame:
    """Verdicts from aggregates, as `characteristics.acceptance`: coverage of the widest interval,
    wrong verdicts where the truth is an end, and the share of pairs that it decides.

    Items are paired by chance, by agreement and by conflict; scores are printed to two decimals.
    """
    wider, rows = math.sqrt(max(1, REPLICATIONS / replications)), []
    cases = [(n, a, b, tie) for n in (100, 500) for a, b in ((0.5, 0.5), (0.62, 0.5), (0.9, 0.8))
             for tie in (-1.0, 0.0, 0.9)]  # fmt: skip
    streams = np.random.SeedSequence(seed).spawn(len(cases))
    for (n, a, b, tie), stream in zip(cases, streams, strict=True):
        rng = np.random.default_rng(stream)
        right = _paired_answers(n, a, b, tie, replications, rng)
        printed_ends = [(np.round(r / n, 2) - 0.005, np.round(r / n, 2) + 0.005) for r in right]
        wide, _ = aggregates.difference(printed_ends[0], printed_ends[1], n, ALPHA)
        truth, subject = a - b, f"{a:g} and {b:g} of {n} items, tied {tie:g}"
        covered = ((wide.low <= truth) & (truth <= wide.high)).mean()
        flat = claim_types.posterior(wide)
        claims = [Hypothesis(DIFFERENCE, ends, None, 0.0) for ends in
                  ([truth, None], [None, truth])]  # fmt: skip
        wrong = max(characteristics.answers(claim, *flat)["verified"].mean() for claim in claims)
        decided = ((wide.low > 0) | (wide.high < 0)).mean()
        rows += [
            ("coverage, aggregates", subject, covered, 0.95 - 0.005 * wider, math.inf),
            ("VERIFIED at an end, aggregates", subject, wrong, -math.inf, 0.025 + 0.004 * wider),
            ("order decided, aggregates", subject, decided, 0.0, 1.0),
        ]
    rows += _several_tasks(replications, seed)
    table = pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high"])
    return table.assign(holds=table["value"].between(table["low"], table["high"]))


def _several_tasks(replications: int, seed: int) -> list[tuple[str, str, float, float, float]]:
    """The same of the mean over tasks of unequal size, on each of which A is better by as much."""
    wider, rows = math.sqrt(max(1, REPLICATIONS / replications)), []
    tasks = ((100, 0.5), (250, 0.7), (500, 0.85), (60, 0.3))
    cases = [(gap, tie) for gap in (0.0, 0.1) for tie in (-1.0, 0.0, 0.9)]
    streams = np.random.SeedSequence([seed, len(tasks)]).spawn(len(cases))
    for (gap, tie), stream in zip(cases, streams, strict=True):
        rng, means = np.random.default_rng(stream), []
        for n, b in tasks:
            right = _paired_answers(n, b + gap, b, tie, replications, rng)
            ends = [(np.round(r / n, 2) - 0.005, np.round(r / n, 2) + 0.005) for r in right]
            means.append(aggregates.Means(ends[0], ends[1], n))
        wide, _ = aggregates.mean_difference(means, ALPHA)
        subject = f"mean of {len(tasks)} tasks, {gap:g} apart, tied {tie:g}"
        covered = ((wide.low <= gap) & (gap <= wide.high)).mean()
        decided = ((wide.low > 0) | (wide.high < 0)).mean()
        rows += [
            ("coverage, aggregates", subject, covered, 0.95 - 0.005 * wider, math.inf),
            ("order decided, aggregates", subject, decided, 0.0, 1.0),
        ]
    return rows


def _paired_answers(
    n: int, a: float, b: float, tie: float, size: int, rng: RANDOM
) -> tuple[np.ndarray, np.ndarray]:
    """Right answers of both arms in that many data sets; both right as often as `tie` makes it,
    from -1 (as seldom as can be) over 0 (by chance) to 1."""
    ends = max(0.0, a + b - 1), min(a, b)
    both = a * b + (tie * (ends[1] - a * b) if tie >= 0 else -tie * (ends[0] - a * b))
    cells = rng.multinomial(n, [both, a - both, b - both, max(0.0, 1 - a - b + both)], size)
    return cells[:, 0] + cells[:, 1], cells[:, 0] + cells[:, 2]
