"""How a claimed figure, in the claim's unit, reads on the scale on which its test is stated.

A ratio is stated as itself, a difference or a level in the unit of the observations, a share from
0 to 1, a dose in its own unit. Words with a fixed meaning are converted; whatever else speaks of
percent is refused with the word to use, since it could be read in two ways.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

Convert = Callable[[float], float]

GAINS = ("gain", "percent gain", "percent less")  # they speak of the distance from a ratio of 1
_POINTS = "percentage points"
_BARE_POINTS = re.compile(r"\bpoints?\b|\bpts?\b|ポイント|点", re.IGNORECASE)
_PERCENT = re.compile(r"%|％|percent|per cent|\bpct\b|\bpp\b|パーセント", re.IGNORECASE)
_RATIOS: dict[str, Convert] = {
    "ratio": lambda x: x,
    "gain": lambda x: 1 + x,
    "percent gain": lambda x: 1 + x / 100,
    "percent less": lambda x: 1 - x / 100,
}
_SHARES: dict[str, Convert] = {"percent": lambda x: x / 100, "share": lambda x: x}


def same(x: float) -> float:
    return x


def speaks_of_points(unit: str) -> bool:
    """Whether a unit is points without saying of what: of shares 1 of them is 0.01, or is it 1?"""
    return unit != _POINTS and bool(_BARE_POINTS.search(unicodedata.normalize("NFKC", unit)))


def on_scale(unit: str, scale: str, score_range: Sequence[float | None] | None = None) -> Convert:
    """From a figure in a claim's unit to the scale of its test.

    Args:
        scale: ratio, difference, level, share or dose.
        score_range: of a difference or a level, what the observations can be: [0, 1], [0, 100];
            None where that is not declared, None for an end that is open.

    Raises ValueError with the unit, or the declaration, to use instead.
    """
    if scale == "ratio":
        return _known(unit, _RATIOS, "a ratio", "'percent gain' (10 is 1.1), 'percent less' (10 is "
                      "0.9) or 'ratio'")  # fmt: skip
    if scale == "share":
        return _known(unit, _SHARES, "a share", "'percent' or 'share'")
    if scale == "dose":
        return _known(unit, {}, "a dose", "the dose itself")
    return _of_scores(unit, scale, score_range)


def _known(unit: str, words: dict[str, Convert], what: str, mend: str) -> Convert:
    if unit in words:
        return words[unit]
    if _PERCENT.search(unit):
        raise ValueError(f"unit: '{unit}' of {what} can be read in more than one way: write {mend}")
    return same  # a figure in a unit of its own: GB over GB is a ratio


def _of_scores(unit: str, scale: str, score_range: Sequence[float | None] | None) -> Convert:
    ends = None if score_range is None else tuple(score_range)
    if unit == _POINTS:
        if ends not in ((0, 1), (0, 100)):
            raise ValueError(
                f"unit: '{unit}' needs test.range, what the scores can be: [0, 1] (5 points are "
                "0.05) or [0, 100] (5 points are 5); on any other scale write unit: points"
            )
        return same if ends == (0, 100) else lambda x: x / 100
    if unit in _RATIOS or _PERCENT.search(unit):
        raise ValueError(
            f"unit: '{unit}' is none of a {scale}: write '{_POINTS}', 'points' (the scores' own), "
            "or choose a design of a ratio for a relative gain ('percent gain')"
        )
    low, high = ends or (None, None)
    if speaks_of_points(unit) and low is not None and high is not None and -1 <= low <= high <= 1:
        mend = f"'{_POINTS}' (5 is 0.05)" if ends == (0, 1) else "'score'"
        raise ValueError(
            f"unit: '{unit}' of scores from {low:g} to {high:g} can be read in more than "
            f"one way: write {mend}"
        )
    if unit == "share" and ends != (0, 1):
        raise ValueError(f"unit: '{unit}' needs test.range: [0, 1]; else write unit: points")
    return same


def on_range(
    region: Sequence[float | None], sesoi: float, scale: str, ends: Sequence[float | None]
) -> None:
    """Hold a region and the smallest effect against what scores between `ends` can reach.

    Raises ValueError for a region that is out of reach, or holds whatever is observed, and for a
    smallest effect of interest that no difference exceeds.
    """
    low, high = ends
    if low is None or high is None:
        return
    lowest, highest = (low, high) if scale in ("level", "share") else (low - high, high - low)
    reach = scale if scale == "share" else f"{scale} of scores from {low:g} to {high:g}"
    if scale == "difference" and (low, high) == (0, 1):
        reach += " (5 percentage points are 0.05)"
    for end in region:
        if end is not None and not lowest <= end <= highest:
            raise ValueError(f"region: {end:g} is no {reach}: it must be one")
    above, below = region
    if (above is None or above <= lowest) and (below is None or below >= highest):
        raise ValueError(f"region: must be narrower, it would hold for any {reach}")
    if scale != "difference":
        return
    if above == highest or below == lowest:
        raise ValueError(f"region: must be wider, it holds no {reach} but the farthest")
    if sesoi >= highest:
        raise ValueError(f"sesoi: must be smaller, no {reach} is larger than {sesoi:g}")
