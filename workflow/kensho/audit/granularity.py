"""Which scores a number of items allows, and which number of items the scores speak of."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from kensho.audit.printed import (
    Figure,
    Finding,
    Range,
    Unfit,
    at_least,
    integers,
    judged,
    listed,
    shown,
    unknown,
)

MOST_VALUES = 10**6  # printable values that are gone through one by one
MOST_ANSWERS = 10_000  # numbers of answers that are tried


def reachable(score: Figure, items: int, trials: int = 1) -> Finding:
    """Whether a mean of right (1) and wrong (0) answers can be printed like this (GRIM).

    Brown & Heathers 2017, "The GRIM test". Args: score as a share of 1; each of the items was
    answered `trials` times.
    """
    at_least(1, items=items, trials=trials)
    answers, step = items * trials, score.step
    of = f"{items} items" + (f" answered {trials} times" if trials > 1 else "")
    if score.within(0, 1) is None:
        return judged(False, f"{score} is no share of right answers, which are 0 to 1.")
    if share_reachable(answers, step) == 1:
        return unknown(
            f"{answers} answers ({of}) can give any score with these decimals.",
            f"more decimals: {_decimals(answers, step)} more would do",
        )
    right = integers(score.times(answers))
    below = (score.value * answers).__floor__()
    if right:
        k = min(right, key=lambda k: abs(k - score.value * answers))
        return judged(True, f"{k} of {answers} ({of}) are {shown(Fraction(k, answers), step)}.")
    ends = (f"{k} are {shown(Fraction(k, answers), step)}" for k in (below, below + 1))
    return judged(
        False,
        f"No number of right answers among {answers} ({of}) gives {score}: {' and '.join(ends)}.",
    )


def _decimals(answers: int, step: Fraction) -> int:
    more = 1
    while share_reachable(answers, step / 10**more) == 1 and more < 12:
        more += 1
    return more


@lru_cache(maxsize=100_000)
def share_reachable(answers: int, step: Fraction) -> float:
    """Share of the printable values from 0 to 1 that some count of right answers gives.

    At 1 a score says nothing of its count; beyond `MOST_VALUES` values it is answers * step.
    """
    values = 1 / step if step else Fraction(0)
    if answers * step >= 1:
        return 1.0
    if values.denominator != 1 or values > MOST_VALUES or not step:
        return float(answers * step)
    count = int(values)
    printable = np.arange(count + 1)
    most = np.minimum((2 * printable + 1) * answers // (2 * count), answers)
    least = np.maximum(-(-(2 * printable - 1) * answers // (2 * count)), 0)
    return float((most >= least).mean())


class Recovered(NamedTuple):
    """Numbers of answers that give every score of a column.

    aliases: further ones, up to where any score would fit; chance: how many numbers up to the
    smallest would fit as many unrelated scores.
    """

    smallest: int | None
    aliases: list[int]
    chance: float
    distinct: int


def recovered(scores: Sequence[Figure]) -> Recovered:
    """The smallest number of answers that gives every one of the scores, and the other ones.

    The reverse of GRIM. A number with which any printed value could be reached is none of them, and
    none above `MOST_ANSWERS` is tried.
    """
    step = max(score.step for score in scores)
    alike = [score for score in dict.fromkeys(scores) if score.step == step]
    limit = min(int(1 / step), MOST_ANSWERS + 1) if step else 0
    fits: list[int] = []
    chance = 0.0
    for answers in range(1, limit):
        share = None
        if not fits:
            share = share_reachable(answers, step)
            chance += share ** len(alike)
        if all(_counts(score, answers) for score in alike) and (
            (share or share_reachable(answers, step)) < 1
        ):
            fits.append(answers)
    return Recovered(fits[0] if fits else None, fits[1:], chance, len(alike))


def _counts(score: Figure, answers: int) -> range:
    """Numbers of right answers that give a score."""
    share = score.within(0, 1)
    return integers(share.times(answers)) if share else range(0)


def items_recovered(scores: list[Figure], items: int, trials: int = 1) -> Finding:
    """Whether a column of scores fits the number of items that it is said to have, and what does.

    Args: scores as shares of 1, one for each row.
    """
    at_least(1, items=items, trials=trials)
    answers, recovery = items * trials, recovered(scores)
    apart = [score for score in scores if not _counts(score, answers)]
    of = (
        f"{answers} answers ({items} items, {trials} trials each)"
        if trials > 1
        else f"{items} items"
    )
    least = f"no number up to {MOST_ANSWERS:,} that tells anything fits all"
    if recovery.smallest:
        least = f"{recovery.smallest} is the smallest number of answers that fits all"
        least += f", then {listed(recovery.aliases)}" if recovery.aliases else ""
        least += f" (by chance {recovery.chance:.1g} such numbers up to it)"
    if apart:
        return judged(
            False,
            f"{len(apart)} of {len(scores)} scores are none of {of}, first "
            f"{listed([score.text for score in apart])}; {least}.",
        )
    step = max(score.step for score in scores)
    if share_reachable(answers, step) == 1:
        return unknown(f"{of} give any score with these decimals; {least}.", "more decimals")
    return judged(True, f"All {len(scores)} scores fit {of}; {least}.")


def standard_error(score: Figure, error: Figure, items: int) -> Finding:
    """Whether a share of independent items can have this standard error.

    sqrt(p (1 - p) / n), or n - 1 for n as lm-evaluation-harness has it; an error of clusters or of
    a bootstrap is another quantity. An error printed as 0 belongs to a score of 0 or 1, or to more
    items than these.
    """
    at_least(1, items=items)
    right = _counts(score, items)
    if not right:
        return judged(False, f"{score} is no score of {items} items, so no error of one.")
    if items < 2 or error.high < 0:
        return judged(False, f"{error} is no standard error of {items} items.")
    nearest = min(max(Fraction(items, 2).__floor__(), right[0]), right[-1])
    counts = {right[0], right[-1], nearest, min(nearest + 1, right[-1])}
    spreads = [Fraction(k * (items - k), items**2) for k in counts]
    least, most = min(spreads) / items, max(spreads) / (items - 1)
    square = Range(max(error.low, Fraction(0)) ** 2, error.high**2)
    implied = " to ".join(dict.fromkeys(f"{float(v) ** 0.5:.4g}" for v in (least, most)))
    return judged(
        square.meets(Range(least, most)),
        f"{right[0]}{f' to {right[-1]}' if len(right) > 1 else ''} right of {items} have a "
        f"standard error of {implied}; printed is {error}.",
    )


def group_error(error: Figure, parts: list[Figure], sizes: list[int]) -> Finding:
    """Whether the standard error of a group follows from those of its parts.

    Of independent parts it is the root of the summed squares, each weighted by its share of the
    items (micro) or all alike (macro); lm-evaluation-harness pools the variances of the items
    instead (`pooled_sample_stderr`). Any of the three passes.
    """
    if len(sizes) != len(parts):
        raise Unfit("sizes", f"{len(sizes)} for {len(parts)} parts")
    at_least(2, sizes=min(sizes, default=0))
    items, number = sum(sizes), len(parts)
    weights = {
        "by items": [Fraction(n, items) ** 2 for n in sizes],
        "alike": [Fraction(1, number**2)] * number,
        "pooled": [Fraction(n * (n - 1), (items - number) * items) for n in sizes],
    }
    squares = [_square(part) for part in parts]
    printed_square, implied = _square(error), {}
    for name, of_parts in weights.items():
        ends = [(square.times(w)) for square, w in zip(squares, of_parts, strict=True)]
        implied[name] = Range(sum((e.low for e in ends), Fraction()),
                              sum((e.high for e in ends), Fraction()))  # fmt: skip
    told = ", ".join(
        f"{float(square.low) ** 0.5:.4g} to {float(square.high) ** 0.5:.4g} ({name})"
        for name, square in implied.items()
    )
    return judged(
        error.high >= 0 and any(square.meets(printed_square) for square in implied.values()),
        f"Parts of {listed(sizes)} items with standard errors of {listed(parts)} give the group "
        f"{told}; printed is {error}.",
    )


def _square(figure: Figure) -> Range:
    return Range(max(figure.low, Fraction(0)) ** 2, figure.high**2)
