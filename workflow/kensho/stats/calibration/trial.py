"""Consistent figures, the same with one planted error, and how figures are printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from kensho.audit.printed import Finding

RANDOM = np.random.Generator


class Trial(NamedTuple):
    """What a check says of consistent figures, of the same with an error, and whether that is
    certain."""

    consistent: Finding
    planted: Finding
    certain: bool


def both(check: Callable[..., Finding], figures: Sequence[Any], certain: bool) -> Trial:
    """A check of the consistent figure and of the one with an error."""
    consistent, planted = (check(figure) for figure in figures)
    return Trial(consistent, planted, certain)


def as_printed(value: Fraction | float, decimals: int, rng: RANDOM) -> str:
    """A value as printed, halves up or down."""
    scaled = Fraction(value) * 10**decimals
    whole = math.floor(scaled)
    rest = scaled - whole
    half = Fraction(1, 2)
    whole += int(rest > half or (rest == half and rng.random() < 0.5))
    sign, size = ("-" if whole < 0 else ""), abs(whole)
    if not decimals:
        return f"{sign}{size}"
    return f"{sign}{size // 10**decimals}.{size % 10**decimals:0{decimals}d}"


def shifted(text: str, decimals: int, rng: RANDOM, most: int = 3) -> str:
    """A figure some last digits away."""
    step = Fraction(1, 10**decimals) * int(rng.integers(1, most + 1))
    return as_printed(Fraction(text) + (step if rng.random() < 0.5 else -step), decimals, rng)
