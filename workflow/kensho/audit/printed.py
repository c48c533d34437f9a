"""A figure as it was printed, the values that it can stand for, and what a check says of it."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

Rational = Fraction | int
# "1,234.5", "+0.5", ".46", "1e-5"; groups of three by comma or by a space that does not break.
_NUMBER = re.compile(
    r"[+-]?(?:[1-9][0-9]{0,2}(?:[,\u00a0\u2009\u202f][0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?"
    r"(?:e[+-]?[0-9]{1,2})?",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_MARKS = "*_`†‡§¶#↑ \t\u00a0\u2009\u202f"  # of emphasis and of footnotes, and what stands around
_BOLD = re.compile(r"\*\*[^*].*?\*\*|__[^_].*?__|<(b|strong)\b[^>]*>.*?</\1>", re.IGNORECASE)
_REFERENCE = re.compile(r"\[\^[^\]]*\]")  # Markdown's [^1]
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_RAISED = re.compile(r"<sup>(.*?)</sup>", re.IGNORECASE)
_TAG = r"</?(?:b|strong|i|em|u|span|font|small|mark|code)\b[^>]*>"
_TAGS = re.compile(rf"(?P<inside>(?<=[0-9.])(?:{_TAG})+(?=[0-9.]))|{_TAG}", re.IGNORECASE)
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_TIMES = re.compile(r"^[x×]\s*(?=[0-9])|(?<=[0-9])\s*[x×]$", re.IGNORECASE)  # x3, 3x
_POWER = re.compile(
    r"(?:([0-9.]+)\s*[×x·]\s*|(?<![0-9.,]))10\^\{?\s*([+-]?[0-9]{1,2})\s*\}?", re.IGNORECASE
)
_FOOTNOTE = re.compile(r"\^(?:\{[^{}]*\}|\S|$)")
_NARROW = {ord("\u3000"): " ", ord("−"): "-", ord("–"): "-", ord("‐"): "-", ord("‑"): "-",
           ord("﹣"): "-"}  # fmt: skip
_NARROW |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
_NARROW |= dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF], "")  # nothing to be seen
_NOTHING = {"", "n/a", "na", "n.a.", "nan", "null", "none", "nil", "~", "tbd", "…", "..."}


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

    step: worth of its last printed digit, 0 of an exact count. percent: whether a per cent sign
    stands behind it.
    """

    text: str
    value: Fraction
    step: Fraction
    bold: bool = False
    percent: bool = False

    def __str__(self) -> str:
        return self.text


def narrow(text: str) -> str:
    """A text with full-width forms as ASCII, one kind of minus, no entities of HTML, and nothing
    that cannot be seen."""
    return html.unescape(text).translate(_NARROW)


@lru_cache(maxsize=100_000)
def _plain(text: str) -> str:
    """A cell without its emphasis and footnote marks, powers of ten as 1e-5."""
    text = _RAISED.sub(r"^{\1}", _ESCAPE.sub("", _REFERENCE.sub(" ", narrow(text))))
    text = _SUPERSCRIPT.sub(lambda m: f"^{{{m[0].translate(_LOWERED)}}}", text)
    text = _TAGS.sub(lambda m: " " if m["inside"] else "", text)
    text = _POWER.sub(lambda m: f"{m[1] or 1}e{m[2]}", text.strip(_MARKS))
    if "." in text or not re.search(r"\^\{?[0-9]", text):  # 2^10 is no 2 with a footnote
        text = _FOOTNOTE.sub(" ", text)
    return text.strip(_MARKS)


def absent(text: str) -> bool:
    """Whether a cell holds nothing: it is empty, a dash, or says so."""
    plain = _plain(text)
    dashes = all(unicodedata.category(sign) == "Pd" or sign in "ー" for sign in plain)
    return dashes or plain.casefold() in _NOTHING


def per_cent(text: str) -> bool:
    """Whether a figure is printed with a per cent sign."""
    return _plain(text).endswith("%")


def printed(text: str, scale: Rational = 1, decimals: int = 0) -> Figure:
    """A figure that was rounded to its last digit: [value - half a step, value + half a step].

    Args:
        text: as printed; thousands separators, a leading plus, full-width digits, emphasis
            (`**0.5**`), marks of footnotes at its ends, powers of ten, a sign of multiplication
            (x3) and a per cent sign are understood. A per cent sign does not change the value;
            `scale` does.
        scale: what 1 is printed as: 100 for shares in per cent.
        decimals: how many were printed at least, where the file drops trailing zeros.

    Raises ValueError where the text is no number, or more than one.
    """
    plain = _TIMES.sub("", _plain(text).removesuffix("%").strip(_MARKS))
    if not re.search(r"[0-9]", plain) or not _NUMBER.fullmatch(plain):
        comma = " (decimals follow a point)" if _COMMA.fullmatch(plain) else ""
        raise ValueError(f"'{text.strip()[:40]}' is no printed number{comma}")
    number = Decimal(re.sub(r"[,\u00a0\u2009\u202f]", "", plain))
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    digits = min(exponent, -decimals) if decimals else exponent
    step, value = Fraction(10) ** digits / scale, Fraction(number) / scale
    half = step / 2
    return Figure(
        value - half, value + half, f"{number:.{max(0, -digits)}f}", value, step,
        bool(_BOLD.search(text)), per_cent(text),
    )  # fmt: skip


def whole(text: str) -> int:
    """A count as printed. Raises ValueError for what is none."""
    try:
        figure = printed(text)
    except ValueError:
        raise ValueError(f"'{text.strip()[:40]}' is no whole number") from None
    if figure.step != 1 or figure.value < 0:
        raise ValueError(f"'{text.strip()[:40]}' is no whole number")
    return int(figure.value)


class Unfit(ValueError):
    """An argument of a check, by name, that cannot be what it is there for; of a column the
    number of the cell."""

    def __init__(self, argument: str, problem: str, cell: int = 0) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument, self.cell = argument, cell


def at_least(least: int, **counts: int | None) -> None:
    """Raise Unfit for a count that is too small to be one."""
    for argument, count in counts.items():
        if count is not None and count < least:
            raise Unfit(argument, f"{count}, which is fewer than {least}")


def one_unit(argument: str, figures: Sequence[Figure]) -> None:
    """Raise Unfit where some of the figures have a per cent sign, and others that were printed have
    none: 57.1 % beside 0.571 may be of one value."""
    signs = {figure.percent: figure for figure in figures if figure.step}
    if len(signs) == 2:
        raise Unfit(
            argument, f"{signs[False]} beside {signs[True]} %, which may be a hundredth of it"
        )


def cut_off(figure: Figure) -> Figure:
    """The figure as wide as if its further digits may have been cut off instead of rounded."""
    up, down = figure.value >= 0, figure.value <= 0
    return replace(
        figure,
        low=min(figure.low, figure.value - figure.step * down),
        high=max(figure.high, figure.value + figure.step * up),
    )


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
