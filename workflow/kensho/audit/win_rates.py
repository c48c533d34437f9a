"""Win rates of pairs: what one side wins the other loses, and all together win half."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from kensho.audit.printed import Figure, Finding, Range, at_least, between, judged, shown, unknown

_ONE = Range(Fraction(1), Fraction(1))


def complement(wins: Figure, losses: Figure, ties: Figure | None = None) -> Finding:
    """Whether wins, losses and ties of one comparison add up to 1; without ties, the two rates do.

    Rates as shares; ties are in neither of the others where they are given.
    """
    total = wins + losses + ties if ties else wins + losses
    names = " + ".join(str(x) for x in (wins, losses, ties) if x)
    return judged(
        total.meets(_ONE), f"{names} is {between(total, wins.step)} of 1, in the unit of shares."
    )


def round_robin(rates: list[Figure]) -> Finding:
    """Whether win rates of players who all met each other equally often have the mean 1/2.

    Every comparison adds 1 to the wins of both together, a tie half to each.
    """
    if len(rates) < 2:
        return unknown("One player alone.", "the rates of all players of the round robin")
    total = Range(rates[0].low, rates[0].high)
    for rate in rates[1:]:
        total = total + rate
    mean = total.times(Fraction(1, len(rates)))
    half = Range(Fraction(1, 2), Fraction(1, 2))
    return judged(
        mean.meets(half),
        f"The mean win rate of {len(rates)} players is {between(mean, rates[0].step)}, where each "
        "meets each it is 0.5.",
    )


def cycles(first: list[str], second: list[str], rates: list[Figure]) -> Finding:
    """Whether pairwise win rates can come from answers that are in an order on each item.

    Where every answer to an item has one score and the higher wins (a tie is half a win), of
    A > B, B > C and C > A at most two hold on an item: along a cycle of k players the rates sum to
    k - 1 at most (Marschak 1960, the triangle condition; Grötschel, Jünger & Reinelt 1985, for
    longer ones). A judge of pairs is bound by no order, and a case for this check only where it
    judged scores. A cycle of majorities alone is possible (Condorcet): no ranking agrees with all
    rates then, and the sentence says so.

    Args: rates of the first over the second player, as shares; of a pair that stands there twice,
    or the other way round, all rates count.
    """
    at_least(1, len(rates), "rates")
    players = list(dict.fromkeys([*first, *second]))
    least: dict[tuple[str, str], Fraction] = {}  # share of wins, for certain
    for a, b, rate in zip(first, second, rates, strict=True):
        if a == b:
            raise ValueError(f"'{a}' against itself; delete the row")
        least[a, b] = max(rate.low, least.get((a, b), Fraction(0)))
        least[b, a] = max(1 - rate.high, least.get((b, a), Fraction(0)))
    lost = {pair: 1 - share for pair, share in least.items()}
    around, cycle = _shortest_cycle(players, lost)
    told = f"{len(rates)} rates of {len(players)} players"
    if around is None:
        return unknown(f"{told} close no cycle.", "the rates of three players among each other")
    path = " > ".join(cycle)
    if around < 1:
        wins = len(cycle) - 1 - around
        return judged(
            False,
            f"Along {path} the rates sum to {shown(wins)} at least, and {len(cycle) - 2} is the "
            "most where each item has an order.",
        )
    majority = {pair: Fraction(1) for pair, share in least.items() if share > Fraction(1, 2)}
    length, cycle = _shortest_cycle(players, majority)
    if length is not None:
        path = " > ".join(cycle)
        return judged(True, f"{told} can be, but no ranking agrees with all: {path} by majority.")
    return judged(True, f"{told}: no cycle sums to more than orders of the items allow.")


def _shortest_cycle(
    players: list[str], lengths: dict[tuple[str, str], Fraction]
) -> tuple[Fraction | None, list[str]]:
    """Length and players of the shortest cycle (Floyd 1962, Warshall 1962); of two players only one
    that is below 1, where both rates of a pair add up to more than 1."""
    best: dict[tuple[str, str], tuple[Fraction, list[str]]] = {
        pair: (length, list(pair)) for pair, length in lengths.items()
    }
    shortest: tuple[Fraction | None, list[str]] = (None, [])
    for (a, b), length in lengths.items():
        if (b, a) in lengths and length + lengths[b, a] < 1:
            shortest = length + lengths[b, a], [a, b, a]
    for over in players:  # before paths over this player count: cycles with two edges at it
        for a, b in product(players, repeat=2):
            if len({a, b, over}) < 3 or (a, b) not in best:
                continue
            if (b, over) in lengths and (over, a) in lengths:
                around = best[a, b][0] + lengths[b, over] + lengths[over, a]
                if shortest[0] is None or around < shortest[0]:
                    shortest = around, [*best[a, b][1], over, a]
        for a, b in product(players, repeat=2):
            if len({a, b, over}) == 3 and (a, over) in best and (over, b) in best:
                length = best[a, over][0] + best[over, b][0]
                if (a, b) not in best or length < best[a, b][0]:
                    best[a, b] = length, best[a, over][1] + best[over, b][1][1:]
    cycle = shortest[1]
    turn = min(range(len(cycle)), key=lambda i: players.index(cycle[i]), default=0)
    return shortest[0], [*cycle[turn:-1], *cycle[: turn + 1]]
