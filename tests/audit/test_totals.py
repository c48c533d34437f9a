"""Figures that follow from others; win rates, machines and places."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest
from kensho.audit import physics, places, totals, win_rates
from kensho.audit.printed import Word, exact, printed
from scipy import optimize

POSSIBLE, WRONG = Word.CONSISTENT, Word.IMPOSSIBLE


def figures(*texts):
    return [printed(text) for text in texts]


@pytest.mark.parametrize(
    ("operation", "parts", "figure", "unit", "word"),
    [
        ("relative_gain", figures("16.4", "23.7"), "49", "percent", WRONG),
        ("relative_gain", figures("16.4", "23.7"), "44", "percent", POSSIBLE),
        ("relative_gain", figures("16.4", "23.7"), "45", "percent", POSSIBLE),
        ("relative_gain", figures("16.4", "23.7"), "46", "percent", WRONG),
        ("relative_gain", figures("4", "5"), "0.25", "", POSSIBLE),
        ("ratio", [exact(45000), exact(15000)], "3", "", POSSIBLE),
        ("share", [exact(130), exact(165)], "78.5", "percent", WRONG),
        ("share", [exact(130), exact(165)], "78.8", "percent", POSSIBLE),
        ("difference", figures("39.4", "32.0"), "7.4", "", POSSIBLE),
        ("difference", figures("39.4", "32.0"), "7.6", "", WRONG),
        ("sum", [exact(4)] * 4, "16", "", POSSIBLE),
        ("sum", [exact(4)] * 4, "17", "", WRONG),
        ("product", [exact("0.25"), exact(192)], "48", "GB", POSSIBLE),
        ("minimum", [exact(51), exact(48)], "48", "GB", POSSIBLE),
        ("maximum", [exact(51), exact(48)], "48", "GB", WRONG),
        ("ratio", figures("3", "0.0"), "3", "", Word.NOT_CHECKABLE),
    ],
)
def test_operations_take_the_rounding_of_both_ends(operation, parts, figure, unit, word):
    found = totals.derived(printed(figure), operation, parts, unit)
    assert found.word == word, found.sentence


def test_the_gain_of_the_sentence_is_shown_with_both_ends():
    found = totals.derived(printed("49"), "relative_gain", figures("16.4", "23.7"), "percent")
    assert "43.8 to 45.3 percent; printed is 49" in found.sentence


def test_points_are_no_per_cent():
    before, after = figures("16.4", "23.7")
    assert totals.gain(before, after, printed("7.3"), "points").word == POSSIBLE
    found = totals.gain(before, after, printed("7.3"), "percent")
    assert found.word == WRONG and "points, which is what was printed" in found.sentence
    shares = figures("0.164", "0.237")
    assert totals.gain(*shares, printed("7.3"), "points", points=100).word == POSSIBLE
    assert totals.gain(*figures("0.0", "0.2"), printed("7"), "percent").word == Word.NOT_CHECKABLE


def test_means_of_parts_before_and_after_rounding():
    draw = random.Random(0)
    for _ in range(200):
        parts = [Fraction(draw.randint(0, 10**6), 10**6) for _ in range(7)]
        rounded = figures(*(f"{float(part):.3f}" for part in parts))
        for mean in (sum(parts) / 7, sum(part.value for part in rounded) / 7):
            assert totals.mean_of_parts(printed(f"{float(mean):.3f}"), rounded).word == POSSIBLE
        moved = printed(f"{float(sum(parts)) / 7 + 0.003:.3f}")
        assert totals.mean_of_parts(moved, rounded).word == WRONG


def test_weights_make_another_mean():
    parts = figures("0.50", "0.90")
    assert totals.mean_of_parts(printed("0.70"), parts).word == POSSIBLE
    assert totals.mean_of_parts(printed("0.70"), parts, [100, 300]).word == WRONG
    assert totals.mean_of_parts(printed("0.80"), parts, [100, 300]).word == POSSIBLE
    with pytest.raises(ValueError, match="weights: 1 for 2 parts"):
        totals.mean_of_parts(printed("0.80"), parts, [1])


def test_ranks_against_every_pair():
    draw = random.Random(1)
    for _ in range(100):
        scores = figures(*(f"{draw.randint(0, 20) / 20:.2f}" for _ in range(8)))
        order = [draw.randint(1, 6) for _ in scores]
        wrong = [
            any(order[j] > order[i] and scores[j].value > scores[i].value for j in range(8))
            for i in range(8)
        ]
        words = [found.word for found in totals.ranks(scores, order)]
        assert [word == WRONG for word in words] == wrong


def test_lower_can_be_better_and_of_unequal_decimals_ranges_that_meet_are_no_order():
    assert [f.word for f in totals.ranks(figures("1.2", "3.4"), [2, 1], "lower")] == [
        POSSIBLE,
        WRONG,
    ]
    assert {f.word for f in totals.ranks(figures("0.4", "0.45"), [1, 2])} == {POSSIBLE}
    assert [f.word for f in totals.ranks(figures("0.4", "0.5"), [1, 2])] == [WRONG, POSSIBLE]


def test_bold_is_the_best_of_its_column():
    assert totals.bold_is_best(figures("**0.52**", "0.51", "0.4")).word == POSSIBLE
    assert totals.bold_is_best(figures("**0.52**", "0.60", "0.4")).word == WRONG
    assert totals.bold_is_best(figures("**0.52**", "0.40"), "lower").word == WRONG
    assert totals.bold_is_best(figures("**0.570**", "0.571")).word == WRONG
    assert totals.bold_is_best(figures("**0.57**", "0.571")).word == POSSIBLE
    assert totals.bold_is_best(figures("0.5", "0.6")).word == Word.NOT_CHECKABLE


def test_win_rates_add_up():
    rates = [printed(text, 100) for text in ("61.2", "30.1", "8.7")]
    assert win_rates.complement(*rates).word == POSSIBLE
    assert win_rates.complement(*rates[:2]).word == WRONG
    assert win_rates.round_robin(figures("0.70", "0.50", "0.30")).word == POSSIBLE
    assert win_rates.round_robin(figures("0.70", "0.50", "0.40")).word == WRONG


def possible_by_orders(rates, players):
    """Whether some mixture of orders of the items, ties among them, has these rates."""
    pairs = list(rates)
    orders = {
        tuple(0.5 * (1 + np.sign(places[a] - places[b])) for a, b in pairs)
        for places in itertools.product(range(players), repeat=players)
    }
    columns = np.array(list(orders)).T
    found = optimize.linprog(
        np.zeros(columns.shape[1]),
        A_ub=np.vstack([columns, -columns]),
        b_ub=[
            float(x) for x in [r.high for r in rates.values()] + [-r.low for r in rates.values()]
        ],
        A_eq=np.ones((1, columns.shape[1])),
        b_eq=[1],
    )
    return found.status == 0


def test_cycles_against_every_mixture_of_orders():
    draw, seen = random.Random(4), set()
    for _ in range(150):
        players = draw.choice([3, 4])
        pairs = [p for p in itertools.combinations(range(players), 2) if draw.random() < 0.9]
        pairs = [p if draw.random() < 0.5 else p[::-1] for p in pairs]
        if len(pairs) < 3:
            continue
        rates = {pair: printed(f"{draw.choice([0.1, 0.3, 0.7, 0.9, 0.55]):.2f}") for pair in pairs}
        names = [[f"m{pair[side]}" for pair in pairs] for side in (0, 1)]
        found = win_rates.cycles(*names, list(rates.values()))
        if found.word != Word.NOT_CHECKABLE:
            assert (found.word == POSSIBLE) == possible_by_orders(rates, players), found.sentence
        seen.add(found.word)
    assert seen >= {POSSIBLE, WRONG}


def test_many_players_and_the_shortest_of_several_cycles():
    draw = random.Random(7)
    names = [f"m{i}" for i in range(600)]
    first, second = names[:-1], names[1:]
    rates = figures(*(f"{draw.uniform(0.5, 0.9):.2f}" for _ in first))
    assert win_rates.cycles(first, second, rates).word == Word.NOT_CHECKABLE
    ends = [[*first, "m599", "m2", "m9"], [*second, "m0", "m0", "m7"]]
    closed = [*rates, *figures("0.50", "1.00", "0.50")]
    closed[0] = closed[1] = printed("1.00")
    found = win_rates.cycles(*ends, closed)
    assert found.word == WRONG
    assert "m0 > m1 > m2 > m0 the rates sum to 2.985 at least, and 2 is" in found.sentence


def test_a_cycle_of_majorities_is_possible_and_said():
    rates = figures("0.60", "0.60", "0.60")
    found = win_rates.cycles(list("abc"), list("bca"), rates)
    assert found.word == POSSIBLE and "a > b > c > a by majority" in found.sentence
    found = win_rates.cycles(list("abc"), list("bca"), figures("0.70", "0.70", "0.70"))
    assert found.word == WRONG and "sum to 2.085 at least, and 2 is" in found.sentence
    assert win_rates.cycles(["a", "b"], ["b", "a"], figures("0.7", "0.6")).word == WRONG
    assert win_rates.cycles(["a"], ["b"], figures("0.7")).word == Word.NOT_CHECKABLE
    with pytest.raises(ValueError, match="second: 'a' against itself"):
        win_rates.cycles(["a"], ["a"], figures("0.7"))


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (physics.weights_in_memory(printed("14.2"), printed("6.74"), 16), POSSIBLE),
        (physics.weights_in_memory(printed("11"), printed("6.74"), 16), WRONG),
        (physics.weights_in_memory(printed("12.6"), printed("6.74"), 16), POSSIBLE),  # GiB
        (physics.file_size(printed("4.9"), printed("8.03"), 4), POSSIBLE),
        (physics.file_size(printed("3.2"), printed("8.03"), 4), WRONG),
        (physics.file_size(printed("9.9"), printed("8.03"), 4), WRONG),
        (physics.bandwidth(printed("300"), printed("8.03"), 16, exact(5300)), POSSIBLE),
        (physics.bandwidth(printed("350"), printed("8.03"), 16, exact(5300)), WRONG),
        (physics.peak(printed("70000"), printed("8.03"), exact(1307)), POSSIBLE),
        (physics.peak(printed("90000"), printed("8.03"), exact(1307)), WRONG),
        (physics.cost(printed("48"), printed("1.5"), exact(4), 8), POSSIBLE),
        (physics.cost(printed("80"), printed("1.5"), exact(4), 8), WRONG),
        (places.within(printed("1.0"), exact(0), exact(1)), POSSIBLE),
        (places.within(printed("71.3"), exact(0), exact(1)), WRONG),
        (places.same(printed("0.46"), printed("0.463")), POSSIBLE),
        (places.same(printed("0.46"), printed("0.466")), WRONG),
        (places.dated("2025-04-25", "2024-02-01"), POSSIBLE),
        (places.dated("2023-04-25", "2024-02-01"), WRONG),
        (places.dated("2023", "2024-02-01"), WRONG),
        (places.dated("2024-01", "2024-02-01"), WRONG),
        (places.dated("2024-02", "2024-02-01"), POSSIBLE),
        (places.dated("2024-02", "2024-02-29"), Word.NOT_CHECKABLE),
        (places.dated("2024-03", "2024-02"), POSSIBLE),
        (places.dated("2024/02/01", "2024-02-01"), POSSIBLE),
        (places.dated("spring", "2024-02-01"), Word.NOT_CHECKABLE),
    ],
)
def test_machines_and_places(found, word):
    assert found.word == word, found.sentence
