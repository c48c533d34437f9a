"""Means and deviations of judges' scores, against every set of scores there is."""

from itertools import combinations_with_replacement

import pytest
from kensho.audit.printed import Word, printed
from kensho.audit.spread import judge_scores


@pytest.mark.parametrize(("items", "lowest", "highest"), [(4, 1, 5), (6, 1, 4), (5, 0, 6)])
def test_possible_is_what_some_set_of_scores_prints(items, lowest, highest):
    every = set()
    for scores in combinations_with_replacement(range(lowest, highest + 1), items):
        mean = sum(scores) / items
        squares = sum((x - mean) ** 2 for x in scores)
        every.add((f"{mean:.2f}", f"{(squares / (items - 1)) ** 0.5:.2f}"))
    means = {mean for mean, _ in every}
    for mean in sorted(means):
        for cents in range(0, 100 * (highest - lowest), 3):
            pair = mean, f"{cents / 100:.2f}"
            found = judge_scores(*map(printed, pair), items, lowest, highest, divisor=1).word
            assert pair not in every or found == Word.CONSISTENT, pair
            if found == Word.CONSISTENT and pair not in every:  # the other rule for halves
                assert _on_a_half(pair, items, lowest, highest), pair


def _on_a_half(pair, items, lowest, highest):
    low_mean, low_deviation = (float(text) - 0.005 - 1e-9 for text in pair)
    for scores in combinations_with_replacement(range(lowest, highest + 1), items):
        mean = sum(scores) / items
        deviation = (sum((x - mean) ** 2 for x in scores) / (items - 1)) ** 0.5
        if 0 <= mean - low_mean <= 0.01 + 2e-9 and 0 <= deviation - low_deviation <= 0.01 + 2e-9:
            return True
    return False


@pytest.mark.parametrize(
    ("mean", "deviation", "items", "ends", "word"),
    [
        ("7.3", "2.51", 12, (1, 10), Word.IMPOSSIBLE),  # the example of scrutiny's GRIMMER
        ("2.7", "1.9", 130, (1, 5), Word.CONSISTENT),  # the example of unsum's CLOSURE
        ("3.44", "2.47", 18, (1, 7), Word.IMPOSSIBLE),
        ("4.90", "1.20", 80, (1, 5), Word.IMPOSSIBLE),  # more than the top of the scale allows
        ("4.90", "0.30", 80, (1, 5), Word.CONSISTENT),
        ("5.20", "0.30", 80, (1, 5), Word.IMPOSSIBLE),
        ("3.00", "0.00", 80, (1, 5), Word.CONSISTENT),
        ("3.50", "0.00", 80, (1, 5), Word.IMPOSSIBLE),
        ("3.5", "1.0", 1, (1, 5), Word.NOT_CHECKABLE),
    ],
)
def test_known_cases(mean, deviation, items, ends, word):
    assert judge_scores(printed(mean), printed(deviation), items, *ends).word == word


def test_either_divisor_passes_unless_it_is_said():
    for divisor, word in ((0, "CONSISTENT"), (2, "CONSISTENT"), (1, "IMPOSSIBLE")):
        found = judge_scores(printed("1.500"), printed("0.500"), 10, 1, 2, divisor)
        assert found.word == word
