"""Recomputing the figures of a source that follow from its other figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

import pandas as pd

from kensho.claims.model import Arithmetic, Claim

COLUMNS = ["claim", "text", "operation", "given", "recomputed", "agrees", "finding"]

_OPERATIONS: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "relative_gain": lambda x: x[1] / x[0] - 1,  # [before, after]
    "ratio": lambda x: x[0] / x[1],
    "share": lambda x: x[0] / x[1],  # [part, whole]
    "difference": lambda x: x[0] - x[1],
    "sum": lambda x: sum(x, Fraction()),
    "product": lambda x: math.prod(x, start=Fraction(1)),
    "minimum": lambda x: min(x),
    "maximum": lambda x: max(x),
}
_AS_PERCENT = {"relative_gain", "ratio", "share"}


def lint(claims: Iterable[Claim]) -> pd.DataFrame:
    """Recompute every arithmetic component of the claims: one row each, columns COLUMNS.

    `recomputed` is in the component's unit; `agrees` says whether it rounds, half away from zero
    at the component's decimals, to the figure given; `finding` is a sentence where it does not.
    Raises ValueError naming the claim where an operation divides by zero.
    """
    rows = [_check(claim.id, item) for claim in claims for item in claim.arithmetic]
    return pd.DataFrame(rows, columns=COLUMNS)


def _check(claim: str, item: Arithmetic) -> dict[str, object]:
    exact = recompute(item, claim)
    agrees = _rounded(exact, item.decimals) == _exact(item.given)
    digits = max(item.decimals, 1)
    value = f"{float(_rounded(exact, digits)):,.{digits}f}"
    stated = f"{item.given:,.{item.decimals}f}"
    finding = f"{item.text}: the figures give {value} {item.unit}, not {stated}."
    return {
        "claim": claim,
        "text": item.text,
        "operation": item.operation,
        "given": item.given,
        "recomputed": float(exact),
        "agrees": agrees,
        "finding": "" if agrees else finding,
    }


def recompute(item: Arithmetic, claim: str = "") -> Fraction:
    """Exact value of a component in its unit, from the decimal figures as they were written."""
    try:
        value = _OPERATIONS[item.operation]([_exact(x) for x in item.operands])
    except ZeroDivisionError:
        raise ValueError(f"{claim}: arithmetic '{item.text}' divides by zero") from None
    return value * 100 if item.unit == "percent" and item.operation in _AS_PERCENT else value


def _exact(number: float) -> Fraction:
    """The decimal as written: repr gives the shortest decimal that reads back as this float."""
    return Fraction(repr(number))


def _rounded(value: Fraction, decimals: int) -> Fraction:
    scale = 10**decimals
    size = Fraction(math.floor(abs(value) * scale + Fraction(1, 2)), scale)
    return size if value >= 0 else -size
