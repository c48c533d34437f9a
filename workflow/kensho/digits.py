"""How many digits are printed, so that what is printed decides as the numbers themselves do."""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

MOST = 25  # decimals; enough to part any two numbers that are not tiny


def as_written(value: float) -> str:
    """A registered number in full, as the claim writes it; thousands grouped."""
    return f"{Decimal(repr(float(value))).normalize():,f}"


def significant(value: float, digits: int) -> int:
    """Decimals that show so many significant digits of a value; 0 of a value that has none."""
    if not value or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def telling(values: Iterable[float], edges: Iterable[float | Fraction | None], least: int) -> int:
    """The fewest decimals, ``least`` or more, that leave each value on its side of each edge.

    Below, at or above: rounded to so many decimals a value compares with an edge as it does in
    full. Edges that are None or infinite part nothing.
    """
    ends = [Decimal(repr(float(e))) for e in edges if e is not None and math.isfinite(e)]
    finite = [float(value) for value in values if math.isfinite(value)]
    sides = [(v, e, Decimal(repr(v)).compare(e)) for v in finite for e in ends]
    return next(
        (
            decimals
            for decimals in range(least, MOST)
            if all(Decimal(f"{v:.{decimals}f}").compare(e) == side for v, e, side in sides)
        ),
        least,
    )
