"""Characters of Japanese text: their types, their full-width form, and what a text consists of."""

from collections import Counter

import numpy as np

# The types of KyTea, by ranges of code points; Vaporetto takes the same ones.
RANGES = [
    (0x30, 0x39, "D"),
    (0x41, 0x5A, "R"),
    (0x61, 0x7A, "R"),
    (0x3040, 0x3096, "H"),
    (0x30A0, 0x30FA, "T"),
    (0x30FC, 0x30FF, "T"),
    (0x3400, 0x4DBF, "K"),
    (0x4E00, 0x9FFF, "K"),
    (0xF900, 0xFAFF, "K"),
    (0xFF10, 0xFF19, "D"),
    (0xFF21, 0xFF3A, "R"),
    (0xFF41, 0xFF5A, "R"),
    (0xFF66, 0xFF9F, "T"),
]
LOW, HIGH = (np.array([bounds[end] for bounds in RANGES]) for end in (0, 1))
LETTER = np.array([ord(letter) for *_, letter in RANGES], dtype=np.uint32)
SCRIPTS = {"hiragana": "H", "katakana": "T", "kanji": "K", "alphanumeric": "DR", "other": "O"}

# Both programs widen text before they look anything up; most signs move by a fixed distance.
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) not in "#$;\\^`|~"}
WIDE |= str.maketrans("-.\"'～－―─–｢｣､｡･", "−。”’〜ーーーー「」、。・")


def widen(text: str) -> str:
    """The text in the full-width form that KyTea's models are written in; length is kept."""
    return text.translate(WIDE)


def types(text: str) -> str:
    """One letter for each character: D digit, R roman, H hiragana, T katakana, K kanji, O other."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    place = np.searchsorted(LOW, codes, side="right") - 1
    inside = (place >= 0) & (codes <= HIGH[place])
    letters = np.where(inside, LETTER[place], ord("O")).astype("<u4")
    return letters.tobytes().decode("utf-32-le")


def analyze_japanese_characteristics(text: str) -> dict[str, float]:
    """Shares of hiragana, katakana, kanji, alphanumeric and other characters, spaces left out.

    Raises ValueError if nothing but spaces is given.
    """
    counts = Counter(types("".join(text.split())))
    if not counts:
        raise ValueError("a text without characters has no characteristics")
    total = counts.total()
    return {
        script: sum(counts[letter] for letter in letters) / total
        for script, letters in SCRIPTS.items()
    }
