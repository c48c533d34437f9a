"""Item counts and scores, against every score that so many items can have."""

import random
from fractions import Fraction

import pytest
from kensho.audit.granularity import (
    group_error,
    items_recovered,
    reachable,
    recovered,
    share_reachable,
    standard_error,
)
from kensho.audit.printed import Word, exact, printed, shown


def words_of(count, total, decimals):
    """Printings of a share under both rules for halves."""
    value = Fraction(count, total) * 10**decimals
    down = value.__floor__()
    half = value - down
    whole = {down} if half < Fraction(1, 2) else {down + 1} if half > Fraction(1, 2) else {
        down, down + 1}  # fmt: skip
    return {f"{k // 10**decimals}.{k % 10**decimals:0{decimals}d}" for k in whole}


@pytest.mark.parametrize(("items", "trials", "decimals"), [(7, 1, 2), (60, 1, 3), (12, 4, 2)])
def test_reachable_is_what_some_count_of_answers_prints(items, trials, decimals):
    answers = items * trials
    every = set().union(*(words_of(k, answers, decimals) for k in range(answers + 1)))
    for k in range(10**decimals + 1):
        text = f"{k // 10**decimals}.{k % 10**decimals:0{decimals}d}"
        word = reachable(printed(text), items, trials).word
        assert (word == Word.CONSISTENT) == (text in every), text
    assert share_reachable(answers, Fraction(1, 10**decimals)) == len(every) / (10**decimals + 1)


def test_too_few_decimals_are_said_and_how_many_more_would_do():
    found = reachable(printed("0.57"), 448)
    assert found.word == Word.NOT_CHECKABLE and "1 more" in found.needs
    assert reachable(printed("0.570"), 448).word == Word.IMPOSSIBLE
    assert reachable(printed("57.0", 100), 448).word == Word.IMPOSSIBLE
    assert reachable(printed("1.2"), 5).word == Word.IMPOSSIBLE


@pytest.mark.parametrize("items", [37, 120, 448])
def test_the_number_of_items_comes_out_of_a_column(items):
    draw = random.Random(items)
    texts = [min(words_of(draw.randint(0, items), items, 3)) for _ in range(60)]
    scores = [printed(text) for text in texts]
    found = recovered(scores)
    assert found.smallest == items and found.chance < 0.001
    assert 2 * items in found.aliases or 2 * items >= 1000
    assert items_recovered(scores, items).word == Word.CONSISTENT
    other = items_recovered(scores, items - 1)
    assert other.word == Word.IMPOSSIBLE and f"{items} is the smallest" in other.sentence


def test_a_number_with_which_every_score_fits_is_not_recovered():
    scores = [printed(f"0.{k}") for k in range(10)]
    assert recovered(scores).smallest is None
    assert items_recovered(scores, 50).word == Word.NOT_CHECKABLE


@pytest.mark.parametrize(
    ("score", "error", "items", "possible"),
    [
        ("0.571", "0.0234", 448, True),
        ("0.571", "0.0240", 448, False),
        ("0.500", "0.354", 2, True),  # n in the divisor
        ("0.500", "0.500", 2, True),  # n - 1
        ("0.571", "0.000", 448, False),
        ("1.000", "0.000", 448, True),
        ("0.570", "0.0234", 448, False),  # no such score, so no error of it
        ("0.5", "-0.1", 10, False),
    ],
)
def test_a_standard_error_is_that_of_its_items(score, error, items, possible):
    found = standard_error(printed(score), printed(error), items)
    assert (found.word == Word.CONSISTENT) == possible, found.sentence


def test_the_error_of_a_group_is_one_of_three():
    parts, sizes = [printed("0.050"), printed("0.020")], [100, 400]
    of_group = {"0.019": Word.CONSISTENT, "0.027": Word.CONSISTENT, "0.035": Word.IMPOSSIBLE,
                "0.010": Word.IMPOSSIBLE, "-0.019": Word.IMPOSSIBLE}  # fmt: skip
    for text, word in of_group.items():
        found = group_error(printed(text), parts, sizes)
        assert found.word == word, found.sentence
    with pytest.raises(ValueError, match="sizes: 1 for 2 parts"):
        group_error(printed("0.019"), parts, [100])


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("16.4", "16.35", "16.45"),
        ("+49 %", "48.5", "49.5"),
        ("1,234", "1233.5", "1234.5"),
        ("−0.280", "-0.2805", "-0.2795"),
        (".46", "0.455", "0.465"),
        ("**0.5**", "0.45", "0.55"),
        ("１２", "11.5", "12.5"),
        ("1e-5", "0.000005", "0.000015"),
        ("5e3", "4500", "5500"),
        ("1.2 × 10⁻³", "0.00115", "0.00125"),
        ("57.1¹", "57.05", "57.15"),
        ("1\u2009234", "1233.5", "1234.5"),
    ],
)
def test_a_printed_figure_stands_for_what_rounds_to_it(text, low, high):
    figure = printed(text)
    assert (figure.low, figure.high) == (Fraction(low), Fraction(high))


def test_dropped_zeros_and_exact_counts():
    assert printed("0.5", decimals=3) == printed("0.500")
    assert printed("1", decimals=3).text == "1.000"
    assert exact(130).low == exact("130").high == 130
    assert (shown(Fraction(2, 3)), shown(Fraction(-7, 2), Fraction(1))) == ("0.6667", "-3.5")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "0.5.1",
        "1,23",
        "nan",
        "0.5 0.6",
        "-",
        "1e400",
        "12_3",
        "5*7",
        "0,571",
        "+-3",
        "55–60",
        "(3.2)",
        "▲3.2",
        "2^{10}",
    ],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="is no printed number"):
        printed(text)
