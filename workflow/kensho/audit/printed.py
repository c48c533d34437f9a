"""A figure as it was printed, the values that it can stand for, and what a check says of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

Rational = Fraction | int
# "1,234.5", "-0.5", ".46", "1e-5"; a leading plus and a per cent sign are taken off before.
_NUMBER = re.compile(r"-?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?(e[+-]?\d{1,2})?", re.IGNORECASE)
_MARKS = str.maketrans("−–", "--", "*_†‡")  # of emphasis and of footnotes


class Word(StrEnum):
    """What a check can say."""

    CONSISTENT = "CONSISTENT"
    IMPOSSIBLE = "IMPOSSIBLE"
    NOT_CHECKABLE = "NOT CHECKABLE"


class Finding(NamedTuple):
    """A word, the sentence with its arithmetic, and what would make the figure checkable."""

    word: Word
    sentence: str
    needs: str = ""


def unknown(sentence: str, needs: str) -> Finding:
    """What cannot be told from these figures, and what could."""
    return Finding(Word.NOT_CHECKABLE, sentence, needs)


def judged(possible: bool, sentence: str) -> Finding:
    return Finding(Word.CONSISTENT if possible else Word.IMPOSSIBLE, sentence)


@dataclass(frozen=True)
class Range:
    """A closed range of values."""

    low: Fraction
    high: Fraction

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Range) -> Range:
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Range(min(ends), max(ends))

    def __truediv__(self, other: Range) -> Range:
        """Raises ZeroDivisionError where the divisor can be 0."""
        if other.low <= 0 <= other.high:
            raise ZeroDivisionError
        return self * Range(1 / other.high, 1 / other.low)

    def times(self, factor: Rational) -> Range:
        return self * Range(Fraction(factor), Fraction(factor))

    def meets(self, other: Range) -> bool:
        """Whether a value lies in both."""
        return self.low <= other.high and other.low <= self.high

    def within(self, low: Rational, high: Rational) -> Range | None:
        """The part between two ends; None where there is none."""
        cut = max(self.low, Fraction(low)), min(self.high, Fraction(high))
        return Range(*cut) if cut[0] <= cut[1] else None


@dataclass(frozen=True)
class Figure(Range):
    """The values that a printed figure can stand for.

    step: worth of its last printed digit, 0 of an exact count.
    """

    text: str
    value: Fraction
    step: Fraction
    bold: bool = False

    def __str__(self) -> str:
        return self.text


def printed(text: str, scale: Rational = 1, decimals: int = 0) -> Figure:
    """A figure that was rounded to its last digit: [value - half a step, value + half a step].

    Args:
        text: as printed; thousands separators, a leading plus, emphasis (`**0.5**`) and a per cent
            sign are understood. A per cent sign does not change the value; `scale` does.
        scale: what 1 is printed as: 100 for shares in per cent.
        decimals: how many were printed at least, where the file drops trailing zeros.

    Raises ValueError where the text is no number.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_MARKS).strip()
    plain = plain.removesuffix("%").strip().removeprefix("+")
    if not re.search(r"\d", plain) or not _NUMBER.fullmatch(plain):
        raise ValueError(f"'{text.strip()[:40]}' is no printed number")
    number = Decimal(plain.replace(",", ""))
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    step = Fraction(10) ** min(exponent, -decimals) / scale
    value = Fraction(number) / scale
    shown = f"{number:f}" if exponent < 0 or not decimals else f"{number:.{decimals}f}"
    if 0 < -exponent < decimals:
        shown = f"{number:.{decimals}f}"
    half = step / 2
    return Figure(value - half, value + half, shown, value, step, text.strip().startswith("**"))


def exact(text: str | int, scale: Rational = 1) -> Figure:
    """A count, or a figure that was set and not measured: itself. Raises as `printed`."""
    figure = printed(str(text), scale)
    return Figure(figure.value, figure.value, figure.text, figure.value, Fraction(0))


def shown(value: Rational, step: Rational = Fraction(1, 1000)) -> str:
    """A value with one digit more than a figure of that step has, trailing zeros taken off."""
    decimals = 1
    while step and Fraction(1, 10 ** (decimals - 1)) > step and decimals < 12:
        decimals += 1
    sign, size = ("-" if value < 0 else ""), abs(Fraction(value))
    whole = (size * 10**decimals + Fraction(1, 2)).__floor__()
    text = f"{whole // 10**decimals:,}.{whole % 10**decimals:0{decimals}d}"
    return sign + text.rstrip("0").rstrip(".")


def between(values: Range, step: Rational = Fraction(1, 1000), factor: Rational = 1) -> str:
    """A range in words, in the unit that `factor` makes of it."""
    ends = [shown(end * factor, step) for end in (values.low, values.high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def integers(values: Range) -> range:
    """The whole numbers in a range."""
    return range(-(-values.low).__floor__(), values.high.__floor__() + 1)


def listed(names: Sequence[object], most: int = 4) -> str:
    """A few names and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
