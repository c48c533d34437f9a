"""More kinds of figures with planted errors: columns, intervals, machines, places and win rates.

See `audit`. Unless a kind says otherwise its errors are larger than all rounding and so certain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy import stats as distributions

from kensho.audit import granularity, physics, places, significance, totals, win_rates
from kensho.audit.printed import Finding, exact, printed
from kensho.stats.calibration.trial import RANDOM, Trial, as_printed, both, shifted


def column(items: int, decimals: int, rng: RANDOM) -> Trial:
    """Scores of twenty models; certain where no count of items gives the one that was moved."""
    unit = 10**decimals
    texts = [as_printed(Fraction(int(k), items), decimals, rng)
             for k in rng.integers(0, items + 1, 20)]  # fmt: skip
    wrong = [shifted(texts[0], decimals, rng), *texts[1:]]
    digits = round(float(wrong[0]) * unit)
    reached = {(2 * k * unit + items) // (2 * items) for k in range(items + 1)}
    reached |= {-((-2 * k * unit + items) // (2 * items)) for k in range(items + 1)}
    return both(
        lambda each: granularity.items_recovered([printed(one) for one in each], items),
        (texts, wrong),
        digits not in reached,
    )


def group(parts: int, decimals: int, rng: RANDOM) -> Trial:
    """The standard error of a group in one of three ways, and one that is too small for all."""
    sizes = [int(n) for n in rng.integers(50, 500, parts)]
    errors = [math.sqrt(float(p * (1 - p)) / n)
              for p, n in zip(rng.uniform(0.2, 0.8, parts), sizes, strict=True)]  # fmt: skip
    items = sum(sizes)
    pairs = list(zip(sizes, errors, strict=True))
    ways = [
        math.sqrt(sum((n * e / items) ** 2 for n, e in pairs)),
        math.sqrt(sum(e * e for e in errors)) / parts,
        math.sqrt(sum(n * (n - 1) * e * e for n, e in pairs) / (items - parts) / items),
    ]
    told = [printed(as_printed(e, decimals, rng)) for e in errors]
    wrong = 0.6 * min(ways)
    return both(
        lambda one: granularity.group_error(printed(one), told, sizes),
        (as_printed(float(rng.choice(ways)), decimals, rng), as_printed(wrong, decimals, rng)),
        min(ways) - wrong > 1.5 * 10**-decimals,
    )


def interval(n: int, decimals: int, rng: RANDOM) -> Trial:
    """p beside an interval; certain where both ends are farther from 0 than their rounding."""
    centre, se = float(rng.normal(0, 2)), float(rng.uniform(0.5, 1.5))
    p = float(2 * distributions.norm.sf(abs(centre / se)))
    half = float(distributions.norm.isf(0.025)) * se
    ends = centre - half, centre + half
    low, high = (printed(as_printed(end, decimals, rng)) for end in ends)
    opposite = rng.uniform(0.06, 0.9) if p < 0.05 else rng.uniform(0.001, 0.04)
    return both(
        lambda p: significance.p_of_interval(p, low, high),
        (as_printed(p, 3, rng), as_printed(float(opposite), 3, rng)),
        min(map(abs, ends)) > 10**-decimals,
    )


def middle(n: int, decimals: int, rng: RANDOM) -> Trial:
    """An estimate in the middle of its interval, on either axis."""
    log = bool(rng.random() < 0.5)
    low = float(rng.uniform(2, 4))
    high = float(rng.uniform(6, 9))
    centre = math.sqrt(low * high) if log else (low + high) / 2
    ends = tuple(printed(as_printed(end, decimals, rng)) for end in (low, high))
    wrong = centre * float(rng.choice([0.7, 1.3]))
    return both(
        lambda one: significance.symmetric(
            printed(one), ends[0], ends[1], axis="log" if log else "linear"
        ),
        (as_printed(centre, decimals, rng), as_printed(wrong, decimals, rng)),
        True,
    )


def effect(items: int, decimals: int, rng: RANDOM) -> Trial:
    """Cohen's d of paired samples, doubled as if there were two samples."""
    t = float(rng.normal(2, 1.5))
    d = t / math.sqrt(items)
    statistic = printed(as_printed(t, decimals, rng))
    rounding = 10**-decimals
    return both(
        lambda one: significance.d_of_t(printed(one), statistic, items),
        (as_printed(d, decimals, rng), as_printed(2 * d, decimals, rng)),
        abs(d) > 1.1 * rounding * (1 + 1 / math.sqrt(items)),
    )


def tails(n: int, decimals: int, rng: RANDOM) -> Trial:
    """p of z, r, F and chi-squared, and one that is three times as large and more."""
    test = str(rng.choice(["z", "r", "F", "chi2"]))
    df, df2 = int(rng.integers(2, n)), n
    value = {
        "z": lambda: rng.normal(1, 1),
        "r": lambda: rng.uniform(-0.9, 0.9),
        "F": lambda: rng.f(df, df2) + 0.2,
        "chi2": lambda: rng.chisquare(df) + 0.2,
    }[test]()
    tail: Callable[[float], float] = {
        "z": lambda x: 2 * distributions.norm.sf(abs(x)),
        "r": lambda x: 2 * distributions.t.sf(abs(x) * math.sqrt(df / (1 - x * x)), df),
        "F": lambda x: distributions.f.sf(x, df, df2),
        "chi2": lambda x: distributions.chi2.sf(x, df),
    }[test]
    p, half = float(tail(float(value))), 0.51 * 10**-decimals
    wrong = min(1.0, 3 * p + 0.02)
    most = max(float(tail(min(max(float(value) + s * half, -0.999), 0.999) if test == "r"
                          else float(value) + s * half)) for s in (-1, 1))  # fmt: skip
    statistic = printed(as_printed(float(value), decimals, rng))
    return both(
        lambda one: significance.p_value(one, statistic, test, exact(df), exact(df2), tails=2),  # type: ignore[arg-type]
        (as_printed(p, 3, rng), as_printed(wrong, 3, rng)),
        wrong > most + 0.001,
    )


def followed(n: int, decimals: int, rng: RANDOM) -> Trial:
    """A figure that follows from two others by an operation."""
    a, b = (float(x) for x in rng.uniform(10, 90, 2))
    operation = str(rng.choice(["ratio", "difference", "sum", "product", "minimum", "maximum"]))
    value = {"ratio": a / b, "difference": a - b, "sum": a + b, "product": a * b,
             "minimum": min(a, b), "maximum": max(a, b)}[operation]  # fmt: skip
    parts = [printed(as_printed(x, decimals, rng)) for x in (a, b)]
    rounding = 10**-decimals * {"product": (a + b) / 2 + 1, "ratio": (1 + a / b) / b}.get(
        operation, 1
    )
    wrong = value + float(rng.choice([-1, 1])) * (2.5 * rounding + 2 * 10**-decimals)
    return both(
        lambda one: totals.derived(printed(one), operation, parts),  # type: ignore[arg-type]
        (as_printed(value, decimals, rng), as_printed(wrong, decimals, rng)),
        True,
    )


def points(n: int, decimals: int, rng: RANDOM) -> Trial:
    """A gain in points, and the same figure said to be per cent; certain where they differ."""
    before, after = (float(x) for x in rng.uniform(5, 80, 2))
    ends = [printed(as_printed(x, decimals, rng)) for x in (before, after)]
    gained = printed(as_printed(after - before, decimals, rng))
    relative = 100 * (after / before - 1)
    slack = 10**-decimals * (1 + 100 / before + 100 * after / before**2)
    return both(
        lambda unit: totals.gain(ends[0], ends[1], gained, unit),
        ("points", "percent"),
        abs(relative - (after - before)) > slack,
    )


def weighted(parts: int, decimals: int, rng: RANDOM) -> Trial:
    """A mean of parts by their numbers of items, and the one that counts all parts alike."""
    values, weights = rng.random(parts), [int(w) for w in rng.integers(10, 1000, parts)]
    texts = [printed(as_printed(float(value), decimals, rng)) for value in values]
    mean = float(np.average(values, weights=weights))
    return both(
        lambda one: totals.mean_of_parts(printed(one), texts, weights),
        (as_printed(mean, decimals, rng), as_printed(float(values.mean()), decimals, rng)),
        abs(mean - float(values.mean())) > 1.5 * 10**-decimals,
    )


def bold(rows: int, decimals: int, rng: RANDOM) -> Trial:
    """The best of a column in bold, or another one; certain where they were not rounded alike."""
    texts = [as_printed(float(x), decimals, rng) for x in rng.random(rows)]
    best = int(np.argmax([float(one) for one in texts]))
    other = (best + int(rng.integers(1, rows))) % rows
    return both(
        lambda i: totals.bold_is_best(
            [printed(f"**{one}**" if i == k else one) for k, one in enumerate(texts)]
        ),
        (best, other),
        Fraction(texts[best]) > Fraction(texts[other]),
    )


def shares(items: int, decimals: int, rng: RANDOM) -> Trial:
    """Wins, losses and ties of so many comparisons."""
    won, lost, tied = (int(k) for k in rng.multinomial(items, [0.4, 0.35, 0.25]))
    texts = [as_printed(Fraction(k, items), decimals, rng) for k in (won, lost, tied)]
    away = Fraction(int(rng.choice([-6, -5, -4, 4, 5, 6])), 10**decimals)
    wrong = [as_printed(Fraction(texts[0]) + away, decimals, rng), *texts[1:]]
    return both(lambda each: win_rates.complement(*map(printed, each)), (texts, wrong), True)


def ordered(players: int, decimals: int, rng: RANDOM) -> Trial:
    """Rates of every pair from scores of answers, and three of them bent into a cycle."""
    scores = rng.integers(0, 8, (60, players)) + rng.normal(0, 2, players)
    pairs = list(combinations(range(players), 2))
    rates = [float(((scores[:, a] > scores[:, b]) + 0.5 * (scores[:, a] == scores[:, b])).mean())
             for a, b in pairs]  # fmt: skip
    texts = [as_printed(rate, decimals, rng) for rate in rates]
    wins = float(rng.uniform(0.72, 0.95))  # three of them sum to more than 2
    bent = {(0, 1): wins, (1, 2): wins, (0, 2): 1 - wins}
    wrong = [as_printed(bent[pair], decimals, rng) if pair in bent else one
             for pair, one in zip(pairs, texts, strict=True)]  # fmt: skip
    names = [[str(pair[side]) for pair in pairs] for side in (0, 1)]
    return both(lambda each: win_rates.cycles(names[0], names[1], [printed(one) for one in each]),
                (texts, wrong), True)  # fmt: skip


def _machine(
    check: Callable[..., Finding], possible: float, wrong: float, decimals: int, rng: RANDOM
) -> Trial:
    texts = [printed(as_printed(value, decimals, rng)) for value in (possible, wrong)]
    return both(check, texts, True)


def memory(bits: int, decimals: int, rng: RANDOM) -> Trial:
    parameters = float(rng.uniform(4, 70))
    count, weights = printed(as_printed(parameters, 2, rng)), parameters * bits / 8
    return _machine(
        lambda one: physics.weights_in_memory(one, count, bits),
        weights * float(rng.uniform(1, 2)) / float(rng.choice([1, 1.073741824])),
        weights * 0.8,
        decimals,
        rng,
    )


def file(bits: int, decimals: int, rng: RANDOM) -> Trial:
    parameters = float(rng.uniform(4, 70))
    count, weights = printed(as_printed(parameters, 2, rng)), parameters * bits / 8
    return _machine(
        lambda one: physics.file_size(one, count, bits),
        weights * float(rng.uniform(1, 1.5)) / float(rng.choice([1, 1.073741824])),
        weights * float(rng.choice([0.8, 1.8])),
        decimals,
        rng,
    )


def reading(bits: int, decimals: int, rng: RANDOM) -> Trial:
    parameters = float(rng.uniform(4, 30))
    count, most = printed(as_printed(parameters, 2, rng)), 5300 / (parameters * bits / 8)
    return _machine(
        lambda one: physics.bandwidth(one, count, bits, exact(5300)),
        most * float(rng.uniform(0.1, 1)),
        most * 1.2,
        decimals,
        rng,
    )


def computing(n: int, decimals: int, rng: RANDOM) -> Trial:
    parameters = float(rng.uniform(4, 30))
    count, most = printed(as_printed(parameters, 2, rng)), 1307 * 500 / parameters
    return _machine(
        lambda one: physics.peak(one, count, exact(1307)),
        most * float(rng.uniform(0.1, 1)),
        most * 1.2,
        decimals,
        rng,
    )


def price(devices: int, decimals: int, rng: RANDOM) -> Trial:
    hours, rate = float(rng.uniform(10, 100)), float(rng.uniform(1, 5))
    told = printed(as_printed(hours, decimals, rng)), printed(as_printed(rate, 2, rng))
    total = hours * rate * devices
    return _machine(
        lambda one: physics.cost(one, *told, devices), total, total * 1.3, decimals, rng
    )


def scaled(highest: int, decimals: int, rng: RANDOM) -> Trial:
    step = Fraction(1, 10**decimals)
    beyond = Fraction(highest) + step * int(rng.integers(1, 50))
    texts = (
        as_printed(float(rng.uniform(0, highest)), decimals, rng),
        as_printed(beyond, decimals, rng),
    )
    return both(lambda one: places.within(printed(one), exact(0), exact(highest)), texts, True)


def twice(n: int, decimals: int, rng: RANDOM) -> Trial:
    """A figure with fewer decimals elsewhere."""
    value = float(rng.uniform(0, 100))
    here = printed(as_printed(value, decimals + 1, rng))
    there = as_printed(value, decimals, rng)
    away = Fraction(int(rng.choice([-3, -2, 2, 3])), 10**decimals)
    wrong = as_printed(Fraction(there) + away, decimals, rng)
    return both(lambda one: places.same(here, printed(one)), (there, wrong), True)


def versions(n: int, decimals: int, rng: RANDOM) -> Trial:
    published = date(2020, 1, 1) + timedelta(days=int(rng.integers(0, 2000)))
    days = timedelta(days=int(rng.integers(1, 500)))
    return both(
        lambda reported: places.dated(reported.isoformat(), published.isoformat()),
        (published + days, published - days),
        True,
    )


# As `audit.KINDS`; where a kind has no size, n is 1.
KINDS: dict[str, tuple[Callable[[int, int, RANDOM], Trial], tuple[tuple[int, int], ...]]] = {
    "items recovered": (column, ((8, 1), (37, 2))),
    "error of a group": (group, ((3, 3), (6, 4))),
    "p of interval": (interval, ((1, 1), (1, 2))),
    "middle of interval": (middle, ((1, 1), (1, 2))),
    "d of t": (effect, ((10, 2), (100, 2), (100, 3))),
    "p of z, r, F, chi-squared": (tails, ((12, 2), (100, 2))),
    "derived": (followed, ((2, 1), (2, 2))),
    "points or per cent": (points, ((2, 1), (2, 2))),
    "weighted mean": (weighted, ((4, 2), (8, 3))),
    "bold": (bold, ((5, 2), (20, 3))),
    "wins, losses, ties": (shares, ((80, 2), (500, 3))),
    "cycles": (ordered, ((3, 2), (6, 3))),
    "weights in memory": (memory, ((16, 1), (4, 1))),
    "file size": (file, ((16, 1), (4, 1))),
    "bandwidth": (reading, ((16, 1), (4, 1))),
    "peak": (computing, ((1, 0), (1, 1))),
    "cost": (price, ((1, 1), (8, 1))),
    "scale": (scaled, ((1, 3), (10, 2), (100, 1))),
    "two places": (twice, ((1, 1), (1, 2))),
    "dates": (versions, ((1, 0),)),
}
