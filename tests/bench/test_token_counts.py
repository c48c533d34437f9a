import shutil

import pandas as pd
import pytest
from kensho.bench import token_counts
from kensho.models.tokenizers import TextTokenizer

PAIRS = pd.DataFrame({"id": ["7", "9"], "ja": ["猫だ。", "犬!"], "en": ["A cat.", "A dog!"]})


def restored(table):
    """Sentence and whether it came back, where both sides of it say the same."""
    sides = [
        {*table[table["metric"] == f"restored_{side}"][["block", "value"]].itertuples(index=False)}
        for side in ("ja", "en")
    ]
    return {tuple(row) for row in sides[0] & sides[1]}


def test_counts_of_bytes_are_those_of_utf8(tiny_model, tmp_path):
    shutil.copy(tiny_model / "tokenizer.json", tmp_path / "bytes.json")
    table = token_counts.observe({"bytes": tmp_path / "bytes.json"}, PAIRS)
    cells = table.set_index(["block", "metric"])["value"]
    assert cells["sentence-7", "tokens_ja"] == 9 and cells["sentence-9", "tokens_ja"] == 4
    assert cells["sentence-7", "characters_ja"] == 3
    assert cells["corpus", "corpus_tokens_ja"] == 13 and cells["corpus", "corpus_tokens_en"] == 12
    assert cells["corpus", "corpus_characters_ja"] == 5 and cells["corpus", "vocabulary"] == 258
    assert restored(table) == {("sentence-7", 1), ("sentence-9", 1)}


def test_text_that_is_lost_is_told(monkeypatch):
    def unknown(path):
        return TextTokenizer(2, lambda text: [0], lambda ids: "?")

    monkeypatch.setattr(token_counts, "load", unknown)
    table = token_counts.observe({"lossy": "x.json"}, PAIRS)
    assert restored(table) == {("sentence-7", 0), ("sentence-9", 0)}


@pytest.mark.parametrize("ids", [[], list(range(40))])
def test_counts_that_cannot_be_are_refused(monkeypatch, ids):
    texts = iter([text for side in ("ja", "en") for text in PAIRS[side]])
    broken = TextTokenizer(99, lambda text: ids, lambda ids: next(texts))
    monkeypatch.setattr(token_counts, "load", lambda path: broken)
    with pytest.raises(ValueError, match="broken: "):
        token_counts.observe({"broken": "x.json"}, PAIRS)


def test_what_is_left_out_is_said():
    found = token_counts.conditions(sentences=2, left_out={"x": "no place has it"})
    assert found["fallbacks"] == ["x left out: no place has it"]
