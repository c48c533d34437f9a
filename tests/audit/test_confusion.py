"""Figures of one confusion matrix, against every matrix of so many items."""

import random
from fractions import Fraction

import pytest
from kensho.audit.confusion import confusion
from kensho.audit.printed import Word, printed

NEAR = Fraction(1, 10**12)


def figures(hits, alarms, missed, right):
    """None where it is 0 / 0 and 0 or 1 stand for it."""
    items = hits + alarms + missed + right
    square = (hits + alarms) * (hits + missed) * (right + alarms) * (right + missed)
    recall, specificity = hits / (hits + missed), right / (right + alarms)
    return {
        "accuracy": (hits + right) / items,
        "precision": hits / (hits + alarms) if hits + alarms else None,
        "recall": recall,
        "specificity": specificity,
        "f1": 2 * hits / (2 * hits + alarms + missed),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": (hits * right - alarms * missed) / square**0.5 if square else 0.0,
    }


def every(items, of_class):
    return [
        figures(hits, items - positives - right, positives - hits, right)
        for positives in of_class
        for hits in range(positives + 1)
        for right in range(items - positives + 1)
    ]


def fits(value, figure):
    if value is None:
        return figure.low <= 0 <= figure.high or figure.low <= 1 <= figure.high
    return figure.low - NEAR <= Fraction(value) <= figure.high + NEAR


@pytest.mark.parametrize(("items", "known"), [(2, False), (14, False), (14, True), (31, True)])
@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_possible_is_what_some_matrix_gives(items, known, decimals):
    draw, seen = random.Random(3), set()
    for _ in range(100):
        positives = draw.randint(1, items - 1)
        matrices = every(items, [positives] if known else range(1, items))
        names = draw.sample(sorted(matrices[0]), draw.choice([2, 3, 4]))
        values = {name: draw.choice(matrices)[name] or 0.0 for name in names}
        if draw.random() < 0.7:  # of one matrix, perhaps with one figure moved
            matrix = draw.choice(matrices)
            values = {name: matrix[name] or 0.0 for name in names}
            values[names[0]] += draw.choice([0, 0, 0.01, -0.02])
        told = {name: printed(f"{value:.{decimals}f}") for name, value in values.items()}
        possible = any(all(fits(m[name], told[name]) for name in names) for m in matrices)
        word = confusion(items, positives if known else None, **told).word
        assert (word == Word.CONSISTENT) == possible, {n: str(f) for n, f in told.items()}
        seen.add(word)
    assert seen == {Word.CONSISTENT, Word.IMPOSSIBLE}


def test_a_matrix_of_many_items_is_found_and_none_is_invented():
    found = confusion(20_000, accuracy=printed("0.9012"), f1=printed("0.8034"))
    hits, alarms, positives = (int(found.sentence.split()[i]) for i in (0, 3, 7))
    right = 20_000 - positives - alarms
    assert f"{(hits + right) / 20_000:.4f}" == "0.9012"
    assert f"{2 * hits / (positives + hits + alarms):.4f}" == "0.8034"
    far = {"balanced_accuracy": printed("0.500"), "mcc": printed("0.700")}
    assert confusion(20_000, **far).word == Word.IMPOSSIBLE


@pytest.mark.parametrize(
    ("items", "positives", "told", "word"),
    [
        (1000, 420, {"accuracy": "0.853", "f1": "0.812", "mcc": "0.701"}, Word.IMPOSSIBLE),
        (1000, None, {"accuracy": "0.853", "f1": "0.812", "mcc": "0.701"}, Word.CONSISTENT),
        (100, 50, {"accuracy": "0.90", "balanced_accuracy": "0.80"}, Word.IMPOSSIBLE),
        (100, 50, {"accuracy": "0.90"}, Word.NOT_CHECKABLE),
        (50_000, None, {"accuracy": "0.90", "f1": "0.80"}, Word.CONSISTENT),
        (100, 0, {"accuracy": "0.90", "f1": "0.80"}, Word.NOT_CHECKABLE),
    ],
)
def test_known_cases(items, positives, told, word):
    figures_of = {name: printed(text) for name, text in told.items()}
    found = confusion(items, positives, **figures_of)
    assert found.word == word
    assert (found.needs != "") == (word == Word.NOT_CHECKABLE)
