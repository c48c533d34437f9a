"""Figures that follow from others: gains, ratios, means of parts, ranks, the best of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from kensho.audit.printed import (
    Figure,
    Finding,
    Range,
    Unfit,
    between,
    judged,
    listed,
    one_unit,
    unknown,
)

Operation = Literal[
    "relative_gain", "ratio", "share", "product", "difference", "sum", "minimum", "maximum"
]
Better = Literal["higher", "lower"]
TWO = ("relative_gain", "ratio", "share", "difference")  # operations of two figures
_ONE = Range(Fraction(1), Fraction(1))


def _product(parts: Sequence[Range]) -> Range:
    total = _ONE
    for part in parts:
        total = total * part
    return total


def _sum(parts: Sequence[Range]) -> Range:
    return Range(sum((p.low for p in parts), Fraction()), sum((p.high for p in parts), Fraction()))


_OPERATIONS: dict[str, Callable[[Sequence[Range]], Range]] = {
    "relative_gain": lambda x: x[1] / x[0] - _ONE,  # before, after
    "ratio": lambda x: x[0] / x[1],
    "share": lambda x: x[0] / x[1],  # part, whole
    "difference": lambda x: x[0] - x[1],
    "sum": _sum,
    "product": _product,
    "minimum": lambda x: Range(min(p.low for p in x), min(p.high for p in x)),
    "maximum": lambda x: Range(max(p.low for p in x), max(p.high for p in x)),
}


def derived(figure: Figure, operation: Operation, parts: list[Figure], unit: str = "") -> Finding:
    """Whether a figure follows from others, each as far as its decimals tell it.

    Of 16.4 to 23.7 the gain is 43.8 to 45.3 %: both ends were rounded. In the unit `percent` a
    gain, a ratio or a share is a hundred times itself.
    """
    if operation in TWO and len(parts) != 2:
        raise Unfit("parts", f"{operation} takes two figures, not {len(parts)}")
    percent = unit == "percent" and operation in ("relative_gain", "ratio", "share")
    try:
        implied = _OPERATIONS[operation](parts).times(100 if percent else 1)
    except ZeroDivisionError:
        return unknown(
            f"{operation.replace('_', ' ')} of {listed(parts)} divides by what may be 0.",
            "more decimals of the divisor",
        )
    of = listed(parts, 6)
    return judged(
        implied.meets(figure),
        f"The {operation.replace('_', ' ')} of {of} is {between(implied, figure.step)}"
        f"{' ' + unit if unit else ''}; printed is {figure}.",
    )


def gain(before: Figure, after: Figure, printed_gain: Figure, unit: Literal["percent", "points"],
         points: int = 1) -> Finding:  # fmt: skip
    """Whether a gain follows from its two ends: per cent of the first, or points.

    Args: points is what 1 of the scores is in points: 100 where they are shares from 0 to 1.
    """
    sizes = {"points": (after - before).times(points)}
    if before.low > 0 or before.high < 0:
        sizes["percent"] = (after / before - _ONE).times(100)
    if unit not in sizes:
        return unknown(f"A gain over {before}, which may be 0.", "more decimals of the first score")
    other = "points" if unit == "percent" else "percent"
    told = f"{before} to {after} is {between(sizes[unit], printed_gain.step)} {unit}"
    possible = sizes[unit].meets(printed_gain)
    if not possible and other in sizes and sizes[other].meets(printed_gain):
        told += f" ({between(sizes[other], printed_gain.step)} {other}, which is what was printed)"
    return judged(possible, f"{told}; printed is {printed_gain} {unit}.")


def mean_of_parts(total: Figure, parts: list[Figure], weights: list[int] | None = None) -> Finding:
    """Whether an average is the mean of its parts: each alike (macro), or by `weights` (micro).

    Whether it was taken before or after the parts were rounded does not matter: both lie in the
    range.
    """
    one_unit("total", [total, *parts])
    if weights is not None and len(weights) != len(parts):
        raise Unfit("weights", f"{len(weights)} for {len(parts)} parts")
    shares = weights or [1] * len(parts)
    if sum(shares) <= 0 or min(shares) < 0:
        raise Unfit("weights", "none may be negative, and not all of them 0")
    implied = _sum([part.times(Fraction(w, sum(shares))) for part, w in
                    zip(parts, shares, strict=True)])  # fmt: skip
    how = "weighted mean" if weights else "mean"
    return judged(
        implied.meets(total),
        f"The {how} of the {len(parts)} parts is {between(implied, total.step)}; printed is "
        f"{total}.",
    )


def ranks(scores: list[Figure], places: list[int], better: Better = "higher") -> list[Finding]:
    """Whether each printed rank can be its score's: nobody behind it is better for certain.

    Equal ranks ask for nothing of each other. One finding for each row, in their order.
    """
    ends = _ends(scores, better)
    order = sorted(range(len(scores)), key=lambda i: places[i])
    findings: dict[int, Finding] = {}
    best: tuple[Fraction, int] | None = None  # largest low end among the ranks behind
    waiting: list[int] = []
    for i in reversed(order):
        if waiting and places[waiting[-1]] != places[i]:
            for j in waiting:
                best = max(best or (ends[j][0], j), (ends[j][0], j))
            waiting = []
        behind = best is not None and best[0] > ends[i][1]
        rival = f"{scores[best[1]]} on rank {places[best[1]]}" if best is not None else "nothing"
        findings[i] = judged(
            not behind,
            f"{scores[i]} on rank {places[i]} stands before {rival}, which is better."
            if behind
            else f"No score behind rank {places[i]} is better than {scores[i]} for certain.",
        )
        waiting.append(i)
    return [findings[i] for i in range(len(scores))]


def bold_is_best(scores: list[Figure], better: Better = "higher") -> Finding:
    """Whether what is printed bold in a column is the best of it."""
    bold = [score for score in scores if score.bold]
    if not bold:
        return unknown("No score is printed bold.", "a table that keeps its emphasis")
    ends = _ends(scores, better)
    (most, _), best = max(zip(ends, scores, strict=True), key=lambda pair: pair[0][0])
    wrong = [s for s, (_, high) in zip(scores, ends, strict=True) if s.bold and high < most]
    told = f"bold {listed(wrong or bold)}, best is {best}"
    return judged(not wrong, f"Of {len(scores)} scores: {told}.")


def _ends(scores: Sequence[Figure], better: Better) -> list[list[Fraction]]:
    """Least and most of each score, for an order in which more is better.

    With equal decimals the printed values are in the order of what they stand for: a column is
    rounded by one rule, and every rule keeps the order.
    """
    sign, alike = (1 if better == "higher" else -1), len({score.step for score in scores}) == 1
    return [
        [sign * s.value] * 2 if alike else sorted((sign * s.low, sign * s.high)) for s in scores
    ]
