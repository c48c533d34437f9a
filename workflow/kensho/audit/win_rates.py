"""Win rates of pairs: what one side wins the other loses, and all together win half."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from kensho.audit.printed import (
    Figure,
    Finding,
    Range,
    Unfit,
    at_least,
    between,
    judged,
    shown,
    unknown,
)

_ONE = Range(Fraction(1), Fraction(1))
SOURCES = 256  # players whose distances are held in memory at once


def complement(wins: Figure, losses: Figure, ties: Figure | None = None) -> Finding:
    """Whether wins, losses and ties of one comparison add up to 1; without ties, the two rates do.

    Rates as shares; ties are in neither of the others where they are given.
    """
    total = wins + losses + ties if ties else wins + losses
    names = " + ".join(str(x) for x in (wins, losses, ties) if x)
    return judged(
        total.meets(_ONE), f"{names} is {between(total, wins.step)} in shares, which add up to 1."
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
    at_least(1, rates=len(rates))
    first, second = ([name.strip(" *_`") for name in side] for side in (first, second))
    players = list(dict.fromkeys([*first, *second]))
    least: dict[tuple[str, str], Fraction] = {}  # share of wins, for certain
    for i, (a, b, rate) in enumerate(zip(first, second, rates, strict=True)):
        if a == b:
            raise Unfit("second", f"'{a}' against itself", i)
        least[a, b] = max(rate.low, least.get((a, b), Fraction(0)))
        least[b, a] = max(1 - rate.high, least.get((b, a), Fraction(0)))
    told = f"{len(rates)} rates of {len(players)} players"
    around, cycle = _shortest_cycle(players, {pair: 1 - won for pair, won in least.items()})
    path = " > ".join(cycle)
    if around is not None:
        wins = len(cycle) - 1 - around
        return judged(
            False,
            f"Along {path} the rates sum to {shown(wins)} at least, and {len(cycle) - 2} is the "
            "most where each item has an order.",
        )
    if len({frozenset(pair) for pair in least}) < _pairs_of_a_cycle(players, least):
        return unknown(f"{told} close no cycle.", "the rates of three players among each other")
    half = Fraction(1, 2)
    majority = {pair: Fraction(0) for pair, won in least.items() if won > half}
    _, cycle = _shortest_cycle(players, majority)
    if cycle:
        path = " > ".join(cycle)
        return judged(True, f"{told} can be, but no ranking agrees with all: {path} by majority.")
    return judged(True, f"{told}: no cycle sums to more than orders of the items allow.")


def _pairs_of_a_cycle(players: list[str], pairs: Iterable[tuple[str, str]]) -> int:
    """Number of pairs from which on some cycle is closed."""
    from scipy import sparse  # here: every command reads the catalogue of checks
    from scipy.sparse import csgraph

    index = {name: i for i, name in enumerate(players)}
    ends = np.array([[index[a], index[b]] for a, b in pairs]).T
    graph = sparse.coo_array((np.ones(ends.shape[1]), tuple(ends)), (len(players),) * 2)
    return len(players) - csgraph.connected_components(graph, directed=False)[0] + 1


def _shortest_cycle(
    players: list[str], lengths: dict[tuple[str, str], Fraction]
) -> tuple[Fraction | None, list[str]]:
    """Length and players of a shortest cycle (Dijkstra 1959 from each player) that is below 1.

    Both rates of a pair that contradict each other are one too.
    """
    if not lengths:
        return None, []
    from scipy import sparse
    from scipy.sparse import csgraph

    index = {name: i for i, name in enumerate(players)}
    unit = math.lcm(*(length.denominator for length in lengths.values()))
    # Whole numbers, exact in floating point. Each edge is one longer than its share of `scale`:
    # scipy takes a length of 0 for none, and no path has as many edges.
    scale = len(players) + 1
    near = [(index[a], index[b], int(length * unit) * scale + 1)
            for (a, b), length in lengths.items() if length < 1]  # fmt: skip
    start, end, weight = np.array(near, dtype=float).reshape(-1, 3).T
    start, end = start.astype(int), end.astype(int)
    graph = sparse.csr_array((weight, (start, end)), (len(players),) * 2)
    shortest, path = float(unit * scale), []
    for first in range(0, len(players), SOURCES):
        sources = np.arange(first, min(first + SOURCES, len(players)))
        reach, before = csgraph.dijkstra(
            graph, indices=sources, limit=shortest, return_predecessors=True
        )
        closing = np.flatnonzero((end >= first) & (end < first + SOURCES))
        around = reach[end[closing] - first, start[closing]] + weight[closing]
        if len(around) and around.min() < shortest:
            edge = closing[around.argmin()]
            shortest, path, one = around.min(), [int(end[edge])], int(start[edge])
            while one != end[edge]:
                path.insert(1, one)
                one = int(before[end[edge] - first, one])
    if not path:
        return None, []
    turn = path.index(min(path))
    names = [players[i] for i in [*path[turn:], *path[: turn + 1]]]
    return Fraction(int(shortest) // scale, unit), names
