"""Win rates of pairs: what one side wins the other loses, and all together win half."""

from __future__ import annotations

from fractions import Fraction

from kensho.audit.printed import Figure, Finding, Range, between, judged, unknown

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
