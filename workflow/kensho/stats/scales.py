"""Scales of an estimand: where it is stated, where it is estimated, and what no effect means.

A claim, its region and its interval live on the claim's own scale (a ratio, a difference in the
metric's unit, a share, a level, a dose). Means and t intervals are taken on the working scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Number = float | Fraction
Interval = tuple[float, float]
Transform = Callable[[ArrayLike], np.ndarray]
Region = Sequence[float | None]  # low and high on the claim's scale, None for an open end


@dataclass(frozen=True)
class Scale:
    """`null` is the value that means no effect, None where the estimand has none.

    `gain` marks a ratio of which the claim states the distance from 1: "+10 %", "10 % less".
    """

    name: str
    null: float | None
    forward: Transform
    back: Transform
    gain: bool = False

    def ends(self, region: Region) -> Interval:
        """Ends of a region on the working scale, open ends as infinities."""
        low, high = region
        return (
            -math.inf if low is None else float(self.forward(low)),
            math.inf if high is None else float(self.forward(high)),
        )

    def beyond(self, direction: str | None, sesoi: float) -> Region:
        """The effects in a direction that are large enough to matter, as a region.

        `sesoi` multiplies the null of a ratio and is added to any other. Without a direction or
        without a null the region is empty: (inf, -inf).
        """
        if direction is None or self.null is None:
            return math.inf, -math.inf
        if self.name == "ratio":
            return (
                (self.null * sesoi, None) if direction == "greater" else (None, self.null / sesoi)
            )
        return (self.null + sesoi, None) if direction == "greater" else (None, self.null - sesoi)

    @property
    def from_null(self) -> bool:
        """Whether effects are distances from the null: all but those stated as a ratio."""
        return self.null is not None and (self.gain or self.name != "ratio")

    def effect(self, value: Number) -> Number:
        """A value as an effect to halve or double."""
        return value if self.null is None or not self.from_null else value - self.null


def _identity(x: Any) -> Any:
    return x


RATIO = Scale("ratio", 1.0, np.log, np.exp)
GAIN = replace(RATIO, gain=True)
DIFFERENCE = Scale("difference", 0.0, _identity, _identity)
SHARE = Scale("share", 0.5, _identity, _identity)
LEVEL = Scale("level", None, _identity, _identity)
DOSE = Scale("dose", None, np.log2, np.exp2)
BY_NAME = {scale.name: scale for scale in (RATIO, DIFFERENCE, SHARE, LEVEL, DOSE)}
