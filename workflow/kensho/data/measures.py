"""What is measured of each document: length, scripts, repetition, lines, personal information."""

import re
from collections import Counter
from functools import cache
from typing import Any

import numpy as np

# Code points by script; a character is of the first that has it.
SCRIPTS = {
    "hiragana": [(0x3041, 0x309F)],
    "katakana": [(0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)],
    "kanji": [
        *[(0x3005, 0x3005), (0x3007, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)],
        *[(0xF900, 0xFAFF), (0x20000, 0x323AF)],
    ],
    "latin": [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A)],
    "digits": [(0x30, 0x39), (0xFF10, 0xFF19)],
    "punctuation": [
        *[(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E), (0x2010, 0x2027)],
        *[(0x3001, 0x3003), (0x3008, 0x3020), (0x30FB, 0x30FB), (0xFF01, 0xFF0F)],
        *[(0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65)],
    ],
}
_CLASSES = np.full(0x110000, len(SCRIPTS), dtype=np.uint8)
for _place, _ranges in reversed([*enumerate(SCRIPTS.values())]):
    for _low, _high in _ranges:
        _CLASSES[_low : _high + 1] = _place
ENDS = tuple("。．！？!?.…」』）)")  # of a sentence, with what closes it
PERSONAL = {
    # from the last character before @: a whole local part would be sought anew at each of its own
    "e-mail addresses": re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]@[\w-]+(?:\.[\w-]+)+", re.A),
    "telephone numbers": re.compile(
        r"(?<![\d-])(?:\+81[- ]?[1-9]\d{0,3}|0\d{1,4})[- ]\d{1,4}[- ]\d{3,4}(?![\d-])|"
        r"(?<!\d)0[5789]0\d{8}(?!\d)",
        re.A,
    ),
    "postcodes": re.compile(r"〒\s?\d{3}[-‐－]?\d{4}", re.A),
    "card numbers": re.compile(r"(?<![\d-])(?:\d{4}[- ]){3}\d{4}(?![\d-])", re.A),
}
MEASURES = [
    *("characters", "lines"),
    *SCRIPTS,
    *("other_scripts", "japanese", "duplicated_lines", "punctuated_lines", "newline_ratio"),
    *("top_2_grams", "top_3_grams", "top_4_grams", "repetition", "personal"),
]
LONGEST_PARSE = 10_000  # characters that MeCab gets at once


def analyze_japanese_characteristics(text: str) -> dict[str, float]:
    """Shares of the scripts among all characters but white space; 0 for an empty text.

    Keys: those of ``SCRIPTS``, and ``other_scripts``.
    """
    codes = np.frombuffer("".join(text.split()).encode("utf-32-le"), dtype=np.uint32)
    counts = np.bincount(_CLASSES[codes], minlength=len(SCRIPTS) + 1)
    shares = (counts / max(1, len(codes))).tolist()
    return dict(zip([*SCRIPTS, "other_scripts"], shares, strict=True))


def lines(text: str) -> dict[str, float]:
    """Shares of lines that stood before, and that end a sentence, as FineWeb-2 counts them.

    arXiv 2506.20920, with the stop characters of Japanese and of closing brackets.
    """
    each = text.split("\n")
    full = [line for line in each if line.strip()] or [""]
    return {
        "lines": len(each),
        "duplicated_lines": 1 - len({*full}) / len(full),
        "punctuated_lines": sum(line.rstrip().endswith(ENDS) for line in full) / len(full),
    }


@cache
def _tagger() -> Any:
    import fugashi

    return fugashi.Tagger("-Owakati")


def words(text: str) -> list[str]:
    """Words of MeCab with UniDic, line by line."""
    parse = _tagger().parse
    pieces = (
        line[begin : begin + LONGEST_PARSE]
        for line in text.split("\n")
        for begin in range(0, len(line), LONGEST_PARSE)
    )
    return [word for piece in pieces for word in parse(piece).split()]


def word_measures(text: str) -> dict[str, float]:
    """Line ends per word, and what part of the text its commonest word 2-, 3- and 4-grams are.

    The ratios of Gopher (arXiv 2112.11446, table A1) as FineWeb-2 takes them, with a space between
    the words of an n-gram. Otherwise than there, one that comes once repeats nothing and counts as
    0: else every short text would be above the thresholds.
    """
    tokens = words(text)
    ratios = {"newline_ratio": text.count("\n") / max(1, len(tokens))}
    for n in (2, 3, 4):
        grams = Counter(zip(*(tokens[place:] for place in range(n)), strict=False))
        [(gram, count)] = grams.most_common(1) or [((), 0)]
        repeated = count * len(" ".join(gram)) if count > 1 else 0
        ratios[f"top_{n}_grams"] = repeated / max(1, len(text))
    return ratios


def personal(text: str) -> Counter[str]:
    """How often each pattern of personal information occurs."""
    return Counter({kind: n for kind, one in PERSONAL.items() if (n := len(one.findall(text)))})


def measured(text: str, *, with_words: bool) -> dict[str, float]:
    """Measures of one document, all of ``MEASURES`` but ``repetition``; NaN for those of words."""
    shares = analyze_japanese_characteristics(text)
    nothing = dict.fromkeys(("newline_ratio", "top_2_grams", "top_3_grams", "top_4_grams"), np.nan)
    return {
        "characters": len(text),
        **shares,
        **lines(text),
        "japanese": shares["hiragana"] + shares["katakana"] + shares["kanji"],
        **(word_measures(text) if with_words else nothing),
        "personal": sum(personal(text).values()),
    }
