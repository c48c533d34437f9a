"""Text that Sudachi cannot read at once: divided at sentences, or refused in one line."""

import pandas as pd
import pytest
from kensho.augment import bunsetsu, politeness, synonyms
from kensho.bench.segmentation.programs import read_lines
from kensho.linguistics import sudachi

LONG = "あ" * 17_000  # 51,000 bytes without an end of a sentence
SENTENCES = "切符を見せた。" * 3_000
LINES = "切符を見せた\n" * 3_000
SPREAD = "㍿" * 16_000  # 48,000 bytes, and four times as many once they are normalised
REFUSED = [LONG, SPREAD, "\ud800。"]
TECHNIQUES = {
    "synonyms": lambda table: synonyms.variants(
        table, seed=1, per_sample=1, probability=1, words=synonyms.inventory(["切符。"])
    ),
    "bunsetsu": lambda table: bunsetsu.variants(table, seed=1, per_sample=1, probability=1),
    "politeness": lambda table: politeness.variants(table, seed=1, per_sample=1, probability=1),
}


@pytest.mark.parametrize("text", [SENTENCES, LINES, SENTENCES + LINES, "切符。", ""])
def test_parts_are_whole_sentences_that_sudachi_reads(text):
    found = sudachi.pieces(text)
    assert "".join(part for _, part in found) == text
    for begin, part in found:
        assert text[begin:].startswith(part) and len(part.encode()) <= sudachi.LIMIT
        assert "".join(word.surface() for word in sudachi.tokenizer().tokenize(part)) == part
    assert all(part.endswith(("。", "\n")) for _, part in found[:-1])


@pytest.mark.parametrize("text", [SENTENCES, LINES])
def test_words_of_a_long_text_stand_where_they_are(text):
    found = synonyms.occurrences(text)
    assert len(found) == 3_000 * len(synonyms.occurrences("切符を見せた。"))
    assert all(text[word["begin"] : word["end"]] == word["surface"] for word in found)


@pytest.mark.parametrize("text", [SENTENCES, LINES])
def test_a_long_text_is_no_sentence_to_turn(text):
    assert politeness.transform(text) is None
    assert not bunsetsu.worth_parsing(text)


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("text", [LONG, SPREAD, SENTENCES + LONG])
def test_a_sample_that_cannot_be_read_is_named(technique, text):
    table = pd.DataFrame({"id": ["1", "2"], "ja": ["切符。", text], "en": ["a", "b"]})
    with pytest.raises(ValueError, match=r"^samples:2: .+") as caught:
        TECHNIQUES[technique](table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", REFUSED)
def test_a_row_of_a_file_is_named_by_its_line(text):
    with pytest.raises(ValueError, match=r"^train\.csv:3: "):
        sudachi.check(["切符。", text], "train.csv", first=2)
    with pytest.raises(ValueError, match=r"^texts:1: "):
        synonyms.inventory([text])


@pytest.mark.parametrize("line", [LONG, SPREAD, SENTENCES])
def test_a_timed_line_that_is_too_long_is_named(tmp_path, line):
    (tmp_path / "text.txt").write_text(f"切符。\n{line}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"text\.txt:2: [\d,]+ bytes, where Sudachi reads at most"):
        read_lines(tmp_path)
