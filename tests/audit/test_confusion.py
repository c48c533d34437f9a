"""Figures of one confusion matrix, against every matrix of so many items."""

import random
from fractions import Fraction

import pytest
from kensho.audit.confusion import confusion
from kensho.audit.printed import Word, printed

ITEMS = 14
NEAR = Fraction(1, 10**12)


def figures(hits, alarms, missed, right):
    """None where it is 0 / 0 and 0 or 1 stand for it."""
    square = (hits + alarms) * (hits + missed) * (right + alarms) * (right + missed)
    recall, specificity = hits / (hits + missed), right / (right + alarms)
    return {
        "accuracy": (hits + right) / ITEMS,
        "precision": hits / (hits + alarms) if hits + alarms else None,
        "recall": recall,
        "specificity": specificity,
        "f1": 2 * hits / (2 * hits + alarms + missed),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": (hits * right - alarms * missed) / square**0.5 if square else 0.0,
    }


EVERY = [
    figures(hits, ITEMS - positives - right, positives - hits, right)
    for positives in range(1, ITEMS)
    for hits in range(positives + 1)
    for right in range(ITEMS - positives + 1)
]


def fits(value, figure):
    if value is None:
        return figure.low <= 0 <= figure.high or figure.low <= 1 <= figure.high
    return figure.low - NEAR <= Fraction(value) <= figure.high + NEAR


def test_possible_is_what_some_matrix_gives():
    draw, seen = random.Random(3), set()
    for _ in range(400):
        names = draw.sample(sorted(EVERY[0]), draw.choice([2, 3, 4]))
        values = {name: draw.choice(EVERY)[name] or 0.0 for name in names}
        if draw.random() < 0.7:  # of one matrix, perhaps with one figure moved
            matrix = draw.choice(EVERY)
            values = {name: matrix[name] or 0.0 for name in names}
            values[names[0]] += draw.choice([0, 0, 0.01, -0.02])
        told = {name: printed(f"{value:.2f}") for name, value in values.items()}
        possible = any(all(fits(m[name], told[name]) for name in names) for m in EVERY)
        word = confusion(ITEMS, **told).word
        assert (word == Word.CONSISTENT) == possible, {n: str(f) for n, f in told.items()}
        seen.add(word)
    assert seen == {Word.CONSISTENT, Word.IMPOSSIBLE}


@pytest.mark.parametrize(
    ("items", "positives", "told", "word"),
    [
        (1000, 420, {"accuracy": "0.853", "f1": "0.812", "mcc": "0.701"}, Word.IMPOSSIBLE),
        (1000, None, {"accuracy": "0.853", "f1": "0.812", "mcc": "0.701"}, Word.CONSISTENT),
        (100, 50, {"accuracy": "0.90", "balanced_accuracy": "0.80"}, Word.IMPOSSIBLE),
        (100, 50, {"accuracy": "0.90"}, Word.NOT_CHECKABLE),
        (50_000, None, {"accuracy": "0.90", "f1": "0.80"}, Word.NOT_CHECKABLE),
        (100, 0, {"accuracy": "0.90", "f1": "0.80"}, Word.NOT_CHECKABLE),
    ],
)
def test_known_cases(items, positives, told, word):
    figures_of = {name: printed(text) for name, text in told.items()}
    found = confusion(items, positives, **figures_of)
    assert found.word == word
    assert (found.needs != "") == (word == Word.NOT_CHECKABLE)
