"""p values, statistics, intervals and effect sizes that belong to one test.

The quantiles are scipy's; a relative error of `SLACK` is granted to each, always in favour of what
was printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from math import sqrt
from typing import Literal

from kensho.audit.printed import (
    Figure,
    Finding,
    Range,
    Unfit,
    at_least,
    between,
    judged,
    narrow,
    one_unit,
    printed,
    unknown,
)

SLACK = 1e-9
_RELATIONS = str.maketrans("≤≦⩽≥≧⩾", "<<<>>>")
Statistic = Literal["t", "z", "F", "chi2", "r"]


def p_value(
    p: str,
    statistic: Figure,
    test: Statistic,
    df: Figure | None = None,
    df2: Figure | None = None,
    tails: int = 0,
) -> Finding:
    """Whether a p value belongs to a statistic and its degrees of freedom (statcheck).

    Nuijten et al. 2016.

    Args: p as printed, "0.03" or "< 0.001"; df2 of the denominator of F; tails 1 or 2 of t, z and
        r, 0 where that is not said and the p of two, of the upper and of the lower tail pass.
        Degrees of freedom that are printed with decimals (Welch's t, Greenhouse and Geisser's F)
        were rounded, whole ones are counts.
    """
    needed = {"t": 1, "r": 1, "chi2": 1, "F": 2, "z": 0}[test]
    if needed > sum(x is not None for x in (df, df2)[:needed]):
        return unknown(f"{test} = {statistic}, p {p}.", "the degrees of freedom")
    freedom = [
        _freedom(name, x) for name, x in (("df", df), ("df2", df2))[:needed] if x is not None
    ]
    sign, limit = _p(p)
    if test == "r" and not (-1 <= statistic.value <= 1):
        return judged(False, f"{statistic} is no correlation.")
    if test in ("F", "chi2") and statistic.high < 0:
        return judged(False, f"{statistic} is no {test}, which is never negative.")
    one, two = _tails(statistic, test, freedom)
    lower = (1 - one[1], 1 - one[0])
    sides = [("two-sided", two)] * (tails != 1)
    sides += [("one-sided", one), ("to the other side", lower)] * (tails != 2)
    if test in ("F", "chi2"):
        sides = [("", one)]
    possible = any(_agrees(sign, limit, least, most) for _, (least, most) in sides)
    told = ", ".join(f"{_ends(*ends)} {name}".strip() for name, ends in sides)
    of = f" with {df}{f' and {df2}' if test == 'F' else ''} degrees of freedom" * (needed > 0)
    return judged(possible, f"{test} = {statistic}{of} has a p of {told}; printed is {p.strip()}.")


def _ends(least: float, most: float) -> str:
    return " to ".join(dict.fromkeys(f"{end:.4g}" for end in (least, most)))


def _freedom(argument: str, df: Figure) -> Range:
    """Degrees of freedom that a figure stands for. Raises Unfit below 1."""
    if df.high < 1:
        raise Unfit(argument, f"{df}, which is fewer than 1")
    if df.value.denominator == 1 and df.step in (0, 1):
        return Range(df.value, df.value)
    return Range(max(df.low, Fraction(1)), df.high)


def _p(text: str) -> tuple[str, Figure]:
    """A p value as a relation (=, < or >) and a figure: "0.03", "p < .001", "≤ 0.05".

    Raises Unfit where it is none.
    """
    plain = narrow(text).strip(" *_").translate(_RELATIONS)
    match = re.fullmatch(r"(?:p\s*)?([<>=]?)\s*(.*)", plain, re.IGNORECASE)
    assert match is not None
    try:
        figure = printed(match[2])
    except ValueError as error:
        raise Unfit("p", str(error)) from None
    if figure.value < 0 or figure.value > 1:
        raise Unfit("p", f"'{text.strip()[:40]}' is no p value, which is 0 to 1")
    return match[1] or "=", figure


def _agrees(sign: str, limit: Figure, least: float, most: float) -> bool:
    """Of "< 0.05" and "> 0.05" the bound itself is taken as it stands, for it was set."""
    low, high = least * (1 - SLACK), most * (1 + SLACK)
    if sign == "<":
        return low < limit.value
    if sign == ">":
        return high > limit.value
    return low <= limit.high and high >= limit.low


def _tails(
    statistic: Figure, test: Statistic, freedom: Sequence[Range]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """One-sided (upper tail) and two-sided p over the values that the statistic and its degrees of
    freedom can have; the latter at the ends and in the middle of what they were rounded from."""
    from scipy import special  # takes a moment to import

    low, high = float(statistic.low), float(statistic.high)
    far, near = max(abs(low), abs(high)), 0 if low <= 0 <= high else min(abs(low), abs(high))
    tails: dict[str, Callable[..., float]] = {
        "t": lambda x, df: special.stdtr(df, -x),
        "z": lambda x: special.ndtr(-x),
        "F": lambda x, df, df2: special.fdtrc(df, df2, max(x, 0)),
        "chi2": lambda x, df: special.chdtrc(df, max(x, 0)),
        "r": lambda x, df: special.stdtr(df, -_t_of_r(x, df)),
    }
    tail = tails[test]
    at = [sorted({float(df.low), float((df.low + df.high) / 2), float(df.high)}) for df in freedom]
    one, two = [], []
    for dfs in product(*at):
        one += [float(tail(high, *dfs)), float(tail(low, *dfs))]
        two += [2 * float(tail(far, *dfs)), min(1.0, 2 * float(tail(near, *dfs)))]
    return (min(one), max(one)), (min(two), max(two))


def _t_of_r(r: float, df: float) -> float:
    r = min(max(r, -1.0), 1.0)
    return float("inf") * r if abs(r) == 1 else r * sqrt(df / (1 - r * r))


def p_of_interval(
    p: str, low: Figure, high: Figure, null: Figure | None = None, level: Figure | None = None
) -> Finding:
    """Whether p value and interval of one test agree on the null: the interval excludes it where
    p is below 1 - level, and only there.

    Args: null 0 and level 0.95 unless given (level as a share).
    """
    sign, limit = _p(p)
    none, alpha = null or printed("0"), 1 - (level.value if level else Fraction(95, 100))
    if not 0 < alpha < 1:
        raise Unfit("level", f"{level}, which is no share between 0 and 1")
    if high.high < low.low:
        return judged(False, f"The interval's low end {low} lies above its high end {high}.")
    holds = low.high < none.value < high.low  # for certain, however the ends were rounded
    lacks = low.low > none.value or high.high < none.value
    below = (sign in "=<" and limit.high < alpha) or (sign == "<" and limit.value <= alpha)
    above = sign in "=>" and limit.low > alpha
    told = f"The interval {low} to {high} {'excludes' if lacks else 'holds'} {none}"
    if not (holds or lacks) or not (below or above):
        return judged(True, f"{told} as far as its decimals tell, beside p {p.strip()}.")
    return judged(not ((holds and below) or (lacks and above)), f"{told}, beside p {p.strip()}.")


def symmetric(
    estimate: Figure, low: Figure, high: Figure, axis: Literal["linear", "log"] = "linear"
) -> Finding:
    """Whether an estimate stands in the middle of its interval, on the axis that it was made on.

    So do t and Wald intervals of differences (linear) and of ratios (log); Wilson's, bootstrap and
    other asymmetric ones do not, and are no case for this check.
    """
    one_unit("estimate", [estimate, low, high])
    if low.value > high.value:
        return judged(False, f"The interval's low end {low} lies above its high end {high}.")
    if axis == "linear":
        middle = (low + high).times(Fraction(1, 2))
        return judged(
            middle.meets(estimate),
            f"The middle of {low} and {high} is {between(middle, estimate.step)}; printed is "
            f"{estimate}.",
        )
    if low.low <= 0 or estimate.low <= 0:
        return unknown(f"{low}, {estimate} and {high} on a log axis.", "ends that are above 0")
    product = low * high
    square = Range(estimate.low**2, estimate.high**2)
    ends = [float(end) ** 0.5 for end in (product.low, product.high)]
    return judged(
        product.meets(square),
        f"The middle of {low} and {high} on a log axis is {_ends(*ends)}; printed is {estimate}.",
    )


def d_of_t(effect: Figure, statistic: Figure, items: int, items2: int | None = None) -> Finding:
    """Whether Cohen's d belongs to t: t / sqrt(n) of one or of paired samples, t sqrt(1/n1 + 1/n2)
    of two (Lakens 2013, eq. 2 and 7). Hedges' g and d_av are other effects."""
    at_least(1, items=items, items2=items2)
    factor = Fraction(1, items) + (Fraction(1, items2) if items2 else 0)
    squares = [Range(min(ends), max(ends)) for ends in (_squares(effect), _squares(statistic))]
    implied = squares[1].times(factor)
    opposed = effect.high < 0 < statistic.low or statistic.high < 0 < effect.low
    ends = [float(end) ** 0.5 for end in (implied.low, implied.high)]
    of = f"{items} and {items2} items" if items2 else f"{items} pairs"
    return judged(
        not opposed and implied.meets(squares[0]),
        f"t = {statistic} of {of} is a d of {_ends(*ends)} in size; printed is {effect}.",
    )


def _squares(values: Range) -> list[Fraction]:
    zero = [Fraction(0)] if values.low <= 0 <= values.high else []
    return [values.low**2, values.high**2, *zero]
