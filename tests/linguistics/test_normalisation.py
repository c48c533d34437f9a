"""Normalisation: a second pass changes nothing, and exceptions stay."""

import os
import random
import sys
from pathlib import Path

import pandas as pd
import pytest
from kensho.data import corpus
from kensho.linguistics.normalisation import KEPT, normalise, without_iteration_marks

ASSIGNED = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
JAPANESE = [c for c in ASSIGNED[:0x10000] if 0x3000 <= ord(c) < 0x3400 or ord(c) >= 0xFE00]


@pytest.mark.parametrize("alphabet", [ASSIGNED, JAPANESE, ASSIGNED[:0x370]])
def test_a_second_pass_changes_nothing_in_random_unicode(alphabet):
    draw = random.Random(0)
    for _ in range(5_000):
        text = "".join(draw.choices(alphabet, k=20))
        for kept in (KEPT, ""):
            assert normalise(normalise(text, kept), kept) == normalise(text, kept)
        assert corpus.normalise(corpus.normalise(text)) == corpus.normalise(text)
        marked = without_iteration_marks(text)
        assert without_iteration_marks(marked) == marked


def test_each_character_alone_is_stable_and_exceptions_are_kept():
    for character in ASSIGNED:
        assert normalise(normalise(character)) == normalise(character)
    assert normalise(KEPT) == KEPT
    assert normalise("ｶﾞｰﾃﾞﾝ　①㈱Ａ～Ｂ　−ー") == "ガーデン ①㈱A～B −ー"
    assert normalise("～①㈱", kept="") == "~1(株)"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("こゝろ", "こころ"),
        ("すゞめ", "すずめ"),
        ("ハヽヽ", "ハハハ"),
        ("いすゞ", "いすず"),
        ("ぶゝ漬け", "ぶゝ漬け"),
        ("時々", "時々"),
        ("ゝ、ア゙ゞあヽ", "ゝ、ア゙ゞあヽ"),
    ],
)
def test_kana_iteration_marks(text, plain):
    assert without_iteration_marks(text) == plain


def test_a_second_pass_changes_nothing_in_real_texts():
    if not (mirror := os.environ.get("KENSHO_MIRROR")):
        pytest.skip("needs the corpora of a mirror (KENSHO_MIRROR)")
    keico = pd.read_csv(next(Path(mirror, "keico").glob("*.csv")), dtype=str)["本文"]
    novels = sorted(Path(mirror).glob("aozora/**/*.txt"))[:5]
    texts = [*keico, *(path.read_text(encoding="utf-8", errors="replace") for path in novels)]
    assert len(texts) > len(keico)
    for text in texts:
        once = normalise(text)
        assert normalise(once) == once
        marked = without_iteration_marks(once)
        assert without_iteration_marks(marked) == marked
