"""Idempotent normalisation of Japanese text.

NFKC (Unicode Standard Annex 15) with exceptions: characters whose compatibility form loses what a
reader sees. ``～`` would become ``~``, ``①`` a bare 1, ``㈱`` the three characters (株); ``ー`` and
``−`` (U+2212) have no such form and stand on the list so that no later rule takes them either.
"""

import re
import unicodedata
from functools import cache

KEPT = "～ー−" + "".join(map(chr, [*range(0x2460, 0x2500), *range(0x3200, 0x3248)]))
MARKS = re.compile("[ぁ-ゖ][ゝゞ]|[ァ-ヺ][ヽヾ]")
VOICED_MARK = "\u3099"


def normalise(text: str, kept: str = KEPT) -> str:
    """NFKC of all but the characters ``kept``, and single spaces.

    A second call changes nothing. The default exceptions are ～, ー, −, and the enclosed
    characters of U+2460-24FF and U+3200-3247.
    """
    if kept:
        parts = exceptions(kept).split(text)
        parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
        text = "".join(parts)
    else:
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


@cache
def exceptions(kept: str) -> re.Pattern[str]:
    """One of the characters ``kept``, as a group, so that splitting keeps it."""
    return re.compile(f"([{re.escape(kept)}])")


def without_iteration_marks(text: str) -> str:
    """Kana iteration marks as the kana that they repeat: こゝろ as こころ, すゞめ as すずめ.

    The reading stays. ゝ behind a voiced kana (づゝ is づつ, ぶゝ is ぶぶ), marks behind what is no
    kana, and 々, which is standard spelling, are left. A second call changes nothing.
    """
    written = ""
    for character in text:
        marked = MARKS.fullmatch(written[-1:] + character)
        written += (repeated(written[-1], character) if marked else "") or character
    return written


def repeated(kana: str, mark: str) -> str:
    """The kana that a mark behind another stands for, "" where it is not sure."""
    decomposed = unicodedata.normalize("NFD", kana)
    if mark in "ゝヽ":
        return kana if len(decomposed) == 1 else ""
    voiced = unicodedata.normalize("NFC", decomposed[0] + VOICED_MARK)
    return voiced if len(voiced) == 1 else ""
