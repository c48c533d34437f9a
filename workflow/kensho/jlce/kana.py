"""An answer in kana to a gold in kanji (とうきょう, 東京), compared by how the gold is read.

Only an answer in kana alone is compared so: in kanji another spelling is another word, however it
sounds (橋 and 箸, 川端 and 河端). What the passage says of a gold's reading decides, in brackets
behind it: 裕子（ひろこ）. Without that two dictionaries must agree, Sudachi's and UniDic, and names
of persons and numbers are read by none: 裕子 may be ゆうこ or ひろこ, 一日 ついたち or いちにち.
Nothing is accepted where another word of the passage sounds alike, for then the answer does not say
which is meant.
"""

import re
from collections.abc import Sequence

from kensho.jlce.honorific import LONGEST
from kensho.jlce.scoring import exact_match, normalised
from kensho.linguistics.tokens import ANALYSERS, Token, tokens

KANA = re.compile(r"[ぁ-ゖァ-ヺー]+")
KANJI_AND_KANA = re.compile(r"(?=.*[一-鿿々])[ぁ-ゖァ-ヺー一-鿿々]+")
HIRAGANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def match_by_reading(answer: str, golds: Sequence[str], passage: str) -> float:
    """1 if the answer is a gold, or in kana the one reading of a gold in kanji."""
    if exact_match(answer, golds):
        return 1.0
    kana, passage = normalised(answer), normalised(passage)[:LONGEST]
    if not KANA.fullmatch(kana):
        return 0.0
    written = [gold for gold in map(normalised, golds) if KANJI_AND_KANA.fullmatch(gold)]
    return float(any(_sounds(_folded(kana), gold, written, passage) for gold in written))


def _sounds(kana: str, gold: str, golds: Sequence[str], passage: str) -> bool:
    if readings := _said(gold, passage):
        return kana in readings and not _homophone(kana, golds, passage)
    words = [tokens(gold, analyser) for analyser in ANALYSERS]
    if any(w.pos[2] == "人名" or w.pos[1] == "数詞" for analysis in words for w in analysis):
        return False
    agreed = {_reading(analysis) for analysis in words} == {kana}
    return agreed and not _homophone(kana, golds, passage)


def _folded(kana: str) -> str:
    """In katakana."""
    return kana.translate(HIRAGANA)


def _said(gold: str, passage: str) -> set[str]:
    """What stands in kana in brackets right behind the gold: 裕子(ひろこ、1950年生)."""
    behind = re.findall(re.escape(gold) + r"[」』]?\(([^()]*)\)", passage)
    parts = (re.split(r"[、,;:。/]", inside)[0].strip().replace(" ", "") for inside in behind)
    return {_folded(part) for part in parts if KANA.fullmatch(part)}


def _reading(words: Sequence[Token]) -> str | None:
    """In katakana, None where a word has none."""
    parts = [w.surface if KANA.fullmatch(w.surface) else w.reading for w in words]
    return _folded("".join(parts)) if all(parts) else None


def _homophone(kana: str, golds: Sequence[str], passage: str) -> bool:
    """Whether words of the passage that are no gold, nor in kana, are read alike."""
    words = tokens(passage)
    for first in range(len(words)):
        for end in range(first + 1, min(first + len(kana), len(words)) + 1):
            run = words[first:end]
            surface = "".join(word.surface for word in run)
            if surface not in golds and not KANA.fullmatch(surface) and _reading(run) == kana:
                return True
    return False
