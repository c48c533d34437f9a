"""Mean, standard deviation and number of whole scores between two ends, as judges give them."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache
from math import comb

from kensho.audit.printed import Figure, Finding, Range, Unfit, integers, judged, shown, unknown

MOST_SCORES = 100_000


def judge_scores(
    mean: Figure, deviation: Figure, items: int, lowest: int, highest: int, divisor: int = 0
) -> Finding:
    """Whether some set of so many whole scores has this mean and this standard deviation.

    The sum and the sum of squares of whole numbers are whole numbers of one parity (GRIMMER: Anaya
    2016, Allard 2018), and a set of scores from `lowest` to `highest` that has both must exist:
    the question of CLOSURE (complete listing of samples) and SPRITE (Heathers et al. 2018), decided
    here without a listing.

    Args: divisor of the sum of squares: 1 for n - 1, 2 for n, 0 where that is not said and both
        count.
    """
    if not 2 <= items <= MOST_SCORES:
        return unknown(f"{items} scores have no spread to check.", f"2 to {MOST_SCORES:,} scores")
    if highest <= lowest:
        raise Unfit("highest", f"{highest}, which is not above {lowest}")
    if deviation.high < 0:
        return judged(False, f"{deviation} is no standard deviation.")
    of = f"{items} whole scores from {lowest} to {highest}"
    span = highest - lowest
    sums = [s for s in integers((mean - _one(lowest)).times(items)) if 0 <= s <= items * span]
    if not sums:
        below = (mean.value * items).__floor__()
        told = (
            f"{k} / {items} is {shown(Fraction(k, items), mean.step)}" for k in (below, below + 1)
        )
        return judged(False, f"{of} have no mean of {mean}: {', '.join(told)}.")
    wanted = Range(max(deviation.low, Fraction(0)) ** 2, deviation.high**2)
    nearest: list[Fraction] = []
    for total in sums:
        for free in {1: (1,), 2: (0,)}.get(divisor, (1, 0)):
            squares = wanted.times(items - free) + _one(Fraction(total**2, items))
            ends = (_least(items, total), _most(items, total, span))
            halves = (squares - _one(total)).times(Fraction(1, 2)).within(*ends)
            pairs = integers(halves) if halves else ()  # sums of x(x-1)/2
            if any(_exists(items, total, twos, span) for twos in pairs):
                return judged(
                    True,
                    f"{of} can have the sum {total + items * lowest} and a standard deviation that "
                    f"is printed as {deviation}.",
                )
            nearest += [(2 * t + total - Fraction(total**2, items)) / (items - free) for t in ends]
    least, most = (float(max(v, Fraction(0))) ** 0.5 for v in (min(nearest), max(nearest)))
    return judged(
        False,
        f"{of} have no mean of {mean} and standard deviation of {deviation}: with sums of "
        f"{sums[0] + items * lowest}{f' to {sums[-1] + items * lowest}' if sums[1:] else ''} it "
        f"lies between {least:.4g} and {most:.4g}, in steps that leave {shown(deviation.value)} "
        "out.",
    )


def _one(value: Fraction | int) -> Range:
    return Range(Fraction(value), Fraction(value))


def _least(items: int, total: int) -> int:
    """Least sum of x(x-1)/2 over so many whole numbers with that sum: all as alike as can be."""
    low, more = divmod(total, items) if items else (0, 0)
    return (items - more) * comb(low, 2) + more * comb(low + 1, 2)


def _most(items: int, total: int, span: int) -> int:
    """Its largest: as many as can be at the top, one in between, the others at 0."""
    tops, rest = divmod(total, span)
    return tops * comb(span, 2) + comb(rest, 2)


@lru_cache(maxsize=200_000)
def _exists(items: int, total: int, twos: int, span: int) -> bool:
    """Whether so many numbers 0..span have the sum `total` and `twos` as sum of x(x-1)/2."""
    if not 0 <= total <= items * span:
        return False
    if not (total == twos == 0 if not items else
            _least(items, total) <= twos <= _most(items, total, span)):  # fmt: skip
        return False
    if span == 1:
        return twos == 0
    if span == 2:
        return total - 2 * twos >= 0 and total - twos <= items
    each = comb(span, 2)
    start = bisect_right(  # the more at the top, the larger the least of all
        range(min(items, total // span) + 1),
        twos,
        key=lambda tops: tops * each + _least(items - tops, total - tops * span),
    )
    return any(
        _exists(items - tops, total - tops * span, twos - tops * each, span - 1)
        for tops in reversed(range(start))
    )
