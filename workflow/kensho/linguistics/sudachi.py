"""Sudachi, and the length of what it reads at once."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

LIMIT = 49_149  # bytes of UTF-8 that Sudachi takes in one call
BOUNDARY = re.compile(r"(?<=[。｡．！？!?\n])")
EXPANDED = 18  # characters that Unicode's compatibility normalisation makes of one, at most


@cache
def tokenizer():
    """Sudachi with named entities and compounds kept whole (split mode C)."""
    from sudachipy import Dictionary, SplitMode

    return Dictionary().create(mode=SplitMode.C)


def pieces(text: str) -> list[tuple[int, str]]:
    """A text as parts that Sudachi can read, each with the place where it begins.

    One part if it fits, else as many sentences and lines together as fit. Raises ValueError for a
    sentence that is too long by itself, or that is no text (a lone surrogate).
    """
    if size(text) <= LIMIT:
        return [(0, text)]
    parts: list[tuple[int, list[str]]] = []
    place = taken = 0  # characters before the sentence, bytes of the last part
    for sentence in BOUNDARY.split(text):
        if (long := size(sentence)) > LIMIT:
            raise ValueError(
                f"a sentence of {long:,} bytes ('{sentence[:10]}…'), where Sudachi reads at most "
                f"{LIMIT:,}; divide it or leave it out"
            )
        if not parts or taken + long > LIMIT:
            parts.append((place, []))
            taken = 0
        parts[-1][1].append(sentence)
        place, taken = place + len(sentence), taken + long
    return [(begin, "".join(sentences)) for begin, sentences in parts]


def check(texts: Iterable[str], where: object, first: int = 1) -> None:
    """Raise ValueError naming file or table and line if :func:`pieces` refuses one of the texts."""
    for number, text in enumerate(texts, start=first):
        try:
            pieces(text)
        except ValueError as error:
            raise ValueError(f"{where}:{number}: {error}") from None


def size(text: str) -> int:
    """Bytes of a text or, where that is more, of its normalised form, which Sudachi analyses."""
    plain = len(text.encode())
    if plain * EXPANDED <= LIMIT:
        return plain
    return max(plain, len(unicodedata.normalize("NFKC", text).encode()))
