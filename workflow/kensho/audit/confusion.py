"""Accuracy, F1, balanced accuracy and MCC of the same answers in two classes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor

from kensho.audit.printed import Figure, Finding, at_least, judged, unknown

MOST_ITEMS = 2000  # beyond which the number of positive items must be known
MOST_TRIED = 200_000  # numbers of true positives and tables before nothing is said


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
    at_least(1, items, "items")
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
    if positives is None and items > MOST_ITEMS:
        return unknown(f"{named} of {items} items.", "the number of positive items")
    if positives is not None and not 0 < positives < items:
        return unknown(f"{positives} of {items} items are positive.", "items of both classes")
    tried = 0
    for of_class in range(1, items) if positives is None else (positives,):
        negatives = items - of_class
        for hits in _whole(*_hits(told, of_class, items), 0, of_class):
            low, high = _false_alarms(told, hits, of_class, negatives)
            tried += 1
            if tried > MOST_TRIED:
                needs = "more decimals" if positives else "the number of positive items"
                return unknown(f"{named} of {items} items leave too many tables.", needs)
            for alarms in _whole(low, high, 0, negatives):
                tried += 1
                if _correlated(mcc, hits, alarms, of_class, negatives):
                    cells = f"{hits} true and {alarms} false positives"
                    return judged(
                        True, f"{cells} among {of_class} positive of {items} items give {named}."
                    )
    among = f"{positives} positive of {items} items" if positives is not None else f"{items} items"
    return judged(False, f"No confusion matrix of {among} gives {named} together.")


def _whole(low: Fraction, high: Fraction, least: int, most: int) -> Iterator[int]:
    return iter(range(max(ceil(low), least), min(floor(high), most) + 1))


def _hits(told: dict[str, Figure], positives: int, items: int) -> tuple[Fraction, Fraction]:
    """True positives that recall and accuracy leave."""
    low, high = Fraction(0), Fraction(positives)
    if "recall" in told:
        low, high = (end * positives for end in (told["recall"].low, told["recall"].high))
    if "accuracy" in told:  # at most all negatives are right beside, at least none
        low = max(low, told["accuracy"].low * items - (items - positives))
        high = min(high, told["accuracy"].high * items)
        f1 = told.get("F1")
        if f1 is not None and 0 < f1.high < 1:  # F1 = 2 hits / (2 hits + wrong answers)
            fewest, most = ((1 - told["accuracy"].high) * items, (1 - told["accuracy"].low) * items)
            low = max(low, fewest * max(f1.low, Fraction(0)) / (2 * (1 - f1.low)))
            high = min(high, most * f1.high / (2 * (1 - f1.high)))
    return low, high


def _false_alarms(
    told: dict[str, Figure], hits: int, positives: int, negatives: int
) -> tuple[Fraction, Fraction]:
    """False positives that the figures leave beside so many true ones."""
    ends = [(Fraction(0), Fraction(negatives))]
    items = positives + negatives
    for name, figure in told.items():
        low, high = figure.low, figure.high
        if name == "accuracy":
            right = hits + negatives
            ends.append((right - high * items, right - low * items))
        elif name == "specificity":
            ends.append(((1 - high) * negatives, (1 - low) * negatives))
        elif name == "balanced accuracy":
            recall = Fraction(hits, positives)
            ends.append(((1 + recall - 2 * high) * negatives, (1 + recall - 2 * low) * negatives))
        elif name == "precision":
            ends.append(_denominator(hits, figure, hits))
        elif name == "F1":
            ends.append(_denominator(2 * hits, figure, hits + positives))
    return max(low for low, _ in ends), min(high for _, high in ends)


def _denominator(over: int, figure: Figure, rest: int) -> tuple[Fraction, Fraction]:
    """Whole numbers x with over / (rest + x) in the figure's range, as a range.

    0 / 0 passes for 0 and for 1.
    """
    low, high, everything = figure.low, figure.high, Fraction(10**12)
    zero = low <= 0 <= high
    if over == 0:
        undefined = rest == 0 and low <= 1 <= high
        return Fraction(0 if zero or undefined else 1), everything if zero else Fraction(0)
    if high <= 0:
        return Fraction(1), Fraction(0)
    return over / high - rest, over / low - rest if low > 0 else everything


def _correlated(mcc: Figure | None, hits: int, alarms: int, positives: int, negatives: int) -> bool:
    """Whether the cells have this MCC: compared by squares, with the sign of the numerator."""
    if mcc is None:
        return True
    missed, right = positives - hits, negatives - alarms
    over = hits * right - alarms * missed
    square = (hits + alarms) * positives * negatives * (right + missed)
    if square == 0:
        return mcc.low <= 0 <= mcc.high
    value = Fraction(over * abs(over), square)  # signed square
    low, high = (end * abs(end) for end in (mcc.low, mcc.high))
    return low <= value <= high
