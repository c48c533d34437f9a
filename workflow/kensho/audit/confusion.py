"""Accuracy, F1, balanced accuracy and MCC of the same answers in two classes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import isqrt
from typing import NamedTuple

import numpy as np

from kensho.audit.printed import Figure, Finding, at_least, judged, unknown

MOST_BOXES = 500_000  # of margins that are looked at before nothing is said
AT_ONCE = 1024  # of them
BEST, MANY = 16, 64  # boxes with most room that are split before so many others
Ends = tuple[np.ndarray, np.ndarray]  # lower and upper


class Matrix(NamedTuple):
    """Counts of a confusion matrix."""

    hits: int  # true positives
    alarms: int  # false positives
    missed: int
    right: int  # true negatives

    def gives(self, figure: str, printed: Figure) -> bool:
        """Whether a figure of these counts can be printed like this, in exact arithmetic."""
        positives, negatives = self.hits + self.missed, self.alarms + self.right
        of_class = Fraction(self.hits, positives), Fraction(self.right, negatives)
        if figure == "MCC":
            over = self.hits * self.right - self.alarms * self.missed
            square = positives * negatives * (self.hits + self.alarms) * (self.missed + self.right)
            signed = Fraction(over * abs(over), square) if square else Fraction(0)
            return printed.low * abs(printed.low) <= signed <= printed.high * abs(printed.high)
        if figure == "precision" and not self.hits + self.alarms:
            return printed.low <= 0 <= printed.high or printed.low <= 1 <= printed.high
        value = {
            "accuracy": lambda: Fraction(self.hits + self.right, sum(self)),
            "precision": lambda: Fraction(self.hits, self.hits + self.alarms),
            "recall": lambda: of_class[0],
            "specificity": lambda: of_class[1],
            "F1": lambda: Fraction(2 * self.hits, positives + self.hits + self.alarms),
            "balanced accuracy": lambda: sum(of_class) / 2,
        }[figure]()
        return printed.low <= value <= printed.high


def confusion(
    items: int,
    positives: int | None = None,
    accuracy: Figure | None = None,
    precision: Figure | None = None,
    recall: Figure | None = None,
    specificity: Figure | None = None,
    f1: Figure | None = None,
    balanced_accuracy: Figure | None = None,
    mcc: Figure | None = None,
) -> Finding:
    """Whether some confusion matrix of so many items has all of these figures.

    The counts are whole numbers, so each figure bounds them (the idea of DEBIT, Heathers & Brown
    2019, taken to all four cells). Figures are of the positive class, not averaged over classes,
    and both classes occur. Where a matrix makes a precision 0 / 0, 0 and 1 pass for it, for MCC
    (Matthews 1975) 0 does.
    """
    at_least(1, items=items)
    figures = {
        "accuracy": accuracy,
        "precision": precision,
        "recall": recall,
        "specificity": specificity,
        "F1": f1,
        "balanced accuracy": balanced_accuracy,
        "MCC": mcc,
    }
    told = {name: figure for name, figure in figures.items() if figure is not None}
    named = ", ".join(f"{name} {figure}" for name, figure in told.items())
    if len(told) < 2:
        return unknown(f"{named or 'Nothing'} alone.", "a second figure of the same answers")
    if positives is not None and not 0 < positives < items:
        return unknown(f"{positives} of {items} items are positive.", "items of both classes")
    for matrix in _near(told, items, positives):
        if matrix is None:
            needs = "more decimals" + " or the number of positive items" * (positives is None)
            told_of = f"The search for {named} of {items} items stopped at {MOST_BOXES:,} boxes of"
            return unknown(f"{told_of} margins, with some left.", needs)
        if all(matrix.gives(name, figure) for name, figure in told.items()):
            return judged(
                True,
                f"{matrix.hits} true and {matrix.alarms} false positives among "
                f"{matrix.hits + matrix.missed} positive of {items} items give {named}.",
            )
    among = f"{positives} positive of {items} items" if positives is not None else f"{items} items"
    return judged(False, f"No confusion matrix of {among} gives {named} together.")


def _near(told: dict[str, Figure], items: int, positives: int | None) -> Iterator[Matrix | None]:
    """Matrices that give the figures but for errors of floating point, all that give them among
    them; None at last where `MOST_BOXES` did not do.

    With both margins known, the positive items P and the predicted ones K, every figure grows with
    the true positives alone. So a box of margins, P and K each between two ends, holds a matrix
    only where the largest of its lower ends of true positives is no more than the least of its
    upper ends; boxes that do are split until P and K are single numbers.
    """
    ends, above_chance = _hits(told, items)
    slack, looked = 1e-9 * items, 0
    margins = (positives, positives) if positives else (1, items - 1)
    stack = [np.array([*margins, *_predicted(told, items)])[:, None]]
    while stack and looked <= MOST_BOXES:
        boxes = _split(stack.pop())
        looked += boxes.shape[1]
        features = _features(boxes, items)
        fewest, largest = _between(ends, features, slack)
        fewest, largest = np.ceil(fewest), np.floor(largest)
        kept = fewest <= largest
        if above_chance is not None:
            kept &= np.less_equal(*_between(above_chance, features, slack))
        order = np.flatnonzero(kept)
        order = order[np.argsort(largest[order] - fewest[order])]  # most room comes last
        boxes, fewest, largest = boxes[:, order], fewest[order], largest[order]
        single = (boxes[0] == boxes[1]) & (boxes[2] == boxes[3])
        for i in np.flatnonzero(single):
            of_class, chosen = int(boxes[0, i]), int(boxes[2, i])
            for hits in range(int(fewest[i]), int(largest[i]) + 1):
                missed, alarms = of_class - hits, chosen - hits
                yield Matrix(hits, alarms, missed, items - of_class - alarms)
        boxes = boxes[:, ~single]
        last = boxes.shape[1] - (BEST if boxes.shape[1] > MANY else 0)
        cuts = [*range(0, last, AT_ONCE // 4), last, boxes.shape[1]]
        stack += [boxes[:, i:j] for i, j in pairwise(cuts) if j > i]
    if stack:
        yield None


def _between(ends: Ends, features: Ends, slack: float) -> Ends:
    """Largest lower and least upper end in each box, of what grows or falls with each feature."""
    (least, most), (low, high) = ends, features
    return (
        (np.maximum(least, 0) @ low + np.minimum(least, 0) @ high).max(axis=0) - slack,
        (np.maximum(most, 0) @ high + np.minimum(most, 0) @ low).min(axis=0) + slack,
    )


def _predicted(told: dict[str, Figure], items: int) -> tuple[int, int]:
    """Numbers of items that can have been called positive. Of none, or all, a precision or an MCC
    is 0 / 0."""
    precision, mcc = told.get("precision"), told.get("MCC")
    undefined = mcc is None or mcc.low <= 0 <= mcc.high
    none = precision is None or any(precision.low <= x <= precision.high for x in (0, 1))
    return int(not (undefined and none)), items - int(not undefined)


def _hits(told: dict[str, Figure], items: int) -> tuple[Ends, Ends | None]:
    """Least and most true positives by each figure, as weights of the features of the margins: a
    constant, P, K, P K / n, P (n - P) / n and n times the spread of both margins.

    Balanced accuracy and MCC together bound what is above chance, P K / n, more closely.
    """
    weights = {
        "accuracy": lambda v: ((v - 1) * items / 2, 0.5, 0.5, 0, 0, 0),
        "precision": lambda v: (0, 0, v, 0, 0, 0),
        "recall": lambda v: (0, v, 0, 0, 0, 0),
        "specificity": lambda v: ((v - 1) * items, 1 - v, 1, 0, 0, 0),
        "F1": lambda v: (0, v / 2, v / 2, 0, 0, 0),
        "balanced accuracy": lambda v: (0, 0, 0, 1, 2 * v - 1, 0),
        "MCC": lambda v: (0, 0, 0, 1, 0, v),
    }
    always = ([(0,) * 6, (-items, 1, 1, 0, 0, 0)], [(0, 1, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0)])
    low = [weights[name](float(figure.low)) for name, figure in told.items()]
    high = [weights[name](float(figure.high)) for name, figure in told.items()]
    ends = np.array([*always[0], *low]), np.array([*always[1], *high])
    if not {"balanced accuracy", "MCC"} <= told.keys():
        return ends, None
    of_both = [list(told).index(name) + len(always[0]) for name in ("balanced accuracy", "MCC")]
    beyond = tuple(side[of_both] * (1, 1, 1, 0, 1, 1) for side in ends)
    return ends, (beyond[0], beyond[1])


def _features(boxes: np.ndarray, items: int) -> Ends:
    """Least and most of each feature in each box, (6, boxes) both."""
    p, k = boxes[:2], boxes[2:]
    (p_least, p_most), (k_least, k_most) = (_halves(ends, items) for ends in (p, k))
    low, high = np.ones((6, boxes.shape[1])), np.ones((6, boxes.shape[1]))
    for side, end in ((0, low), (1, high)):
        end[1], end[2], end[3] = p[side], k[side], p[side] * k[side] / items
    low[4], low[5] = p_least, np.sqrt(p_least * k_least)
    high[4], high[5] = p_most, np.sqrt(p_most * k_most)
    return low, high


def _halves(ends: np.ndarray, items: int) -> Ends:
    """Least and most of x (n - x) / n between two ends."""
    first, last = ends * (items - ends) / items
    middle = (2 * ends[0] <= items) & (items <= 2 * ends[1])
    return np.minimum(first, last), np.where(middle, items / 4, np.maximum(first, last))


def _split(boxes: np.ndarray) -> np.ndarray:
    """Boxes (4, boxes) in smaller ones, each side in as many parts as leaves `AT_ONCE` or so."""
    parts = max(2, isqrt(AT_ONCE // max(1, boxes.shape[1])))
    steps = np.arange(parts + 1)[:, None]
    p, k = (low + (high + 1 - low) * steps // parts for low, high in (boxes[:2], boxes[2:]))
    sides = [p[:-1, None], p[1:, None] - 1, k[None, :-1], k[None, 1:] - 1]
    split = np.array(np.broadcast_arrays(*sides)).reshape(4, -1)
    return split[:, (split[0] <= split[1]) & (split[2] <= split[3])]
