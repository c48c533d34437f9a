from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from kensho.bench.segmentation import characters, kytea_format, pointwise
from kensho.bench.segmentation.programs import PROGRAMS

PARTS = [
    ["私", "彼女", "先生", "トム", "ＡＢＣ", "子供たち"],
    ["は", "も"],
    ["本", "りんご", "コンピューター", "3冊", "手紙"],
    ["を"],
    ["読む", "買った", "見せました"],
    ["。", "？"],
]
SENTENCES = [list(words) for words in product(*PARTS)]
LINES = [
    *("".join(words) for words in SENTENCES[::7]),
    "私もa-B. (12)を見た!",
    "𠮷野家で鯖を読む。",
    "あ",
    "子供たちは「コンピューター」を買ったそうです。それは手紙？",
]


@pytest.fixture(scope="module")
def model():
    words = {word for part in PARTS for word in part if word != "りんご"}
    return pointwise.fit(SENTENCES[::2], words, cost=1.0, seed=0)


@pytest.fixture
def cut_by(tmp_path):
    """Words of lines as a program reads them off a model's file."""

    def cut(program, model):
        (tmp_path / "model.bin").write_bytes(kytea_format.dumps(model))
        split = PROGRAMS[program].load(tmp_path / "model.bin")
        return [split(line) for line in LINES]

    return cut


def scores(model, line):
    """The model's definition, one boundary, feature and place at a time."""
    text, found = characters.widen(line), []
    strings = text, characters.types(text)
    for boundary in range(len(text) - 1):
        score = model.bias
        for string, grams, weights in zip(strings, model.grams, model.weights):
            rows = dict(zip(grams, weights))
            for end in range(boundary - 2, boundary + 4):
                for n in (1, 2, 3):
                    begin = end - n + 1
                    inside = max(boundary - 2, 0) <= begin and end < len(string)
                    row = rows.get(string[begin : end + 1]) if inside else None
                    score += 0 if row is None else row[boundary - end + 3]
        for n in range(1, 5):
            after = text[boundary + 1 : boundary + 1 + n]
            before = text[max(boundary + 1 - n, 0) : boundary + 1]
            score += model.word_weights[n - 1, 0] * (len(after) == n and after in model.words)
            score += model.word_weights[n - 1, 1] * (len(before) == n and before in model.words)
        found.append(score)
    return found


def test_the_model_learns_to_find_words(model):
    held_out = SENTENCES[1::2]
    found = pointwise.segment(model, ["".join(words) for words in held_out])
    assert pointwise.f1(held_out, found) > 0.95


def test_words_are_cut_where_the_score_is_positive(model):
    for line, words in zip(LINES, pointwise.segment(model, LINES)):
        ends = np.cumsum([len(word) for word in words])[:-1] - 1
        assert "".join(words) == line
        assert list(ends) == [i for i, score in enumerate(scores(model, line)) if score > 0]


@pytest.mark.parametrize("program", ["vaporetto-words", "kytea-words"])
def test_both_programs_cut_as_the_model_says(model, cut_by, program):
    assert cut_by(program, model) == pointwise.segment(model, LINES)
    every = replace(model, bias=pointwise.LARGEST, weights=tuple(0 * w for w in model.weights))
    assert cut_by(program, every) == [list(line) for line in LINES]
    none = replace(every, bias=-pointwise.LARGEST, word_weights=0 * model.word_weights)
    assert cut_by(program, none) == [[line] for line in LINES]


def test_long_words_are_no_features(model):
    assert "子供たち" in model.words and "コンピューター" not in model.words


def test_more_characters_than_the_format_numbers_are_refused(model):
    many = pd.Index([chr(code) for code in range(0x10000, 0x20000)])
    weights = np.zeros((len(many), pointwise.SPAN), dtype=int)
    wide = replace(model, grams=(many, model.grams[1]), weights=(weights, model.weights[1]))
    with pytest.raises(ValueError, match="do not fit"):
        kytea_format.dumps(wide)


def test_f1_counts_words_with_both_ends_right():
    gold, found = [["今日", "は", "雨"], ["猫"]], [["今", "日", "は", "雨"], ["猫"]]
    assert pointwise.f1(gold, found) == pytest.approx(2 * 3 / (4 + 5))


def test_conllu_gives_words_of_sentences_without_spaces(tmp_path):
    rows = ["1 猫 SpaceAfter=No", "2 だ _", "", "1 Tom _", "2 だ _"]
    columns = [row.split() and [*row.split()[:2], *"_" * 7, row.split()[2]] for row in rows]
    path = tmp_path / "x.conllu"
    path.write_text("# text\n" + "\n".join(map("\t".join, columns)) + "\n\n", encoding="utf-8")
    assert pointwise.read_conllu(path) == [["猫", "だ"]]


def test_characteristics_are_shares_of_scripts():
    found = characters.analyze_japanese_characteristics("ひらがな カタ漢字A1。・")
    count = {"hiragana": 4, "katakana": 2, "kanji": 2, "alphanumeric": 2, "other": 2}
    assert found == {script: n / 12 for script, n in count.items()}
    with pytest.raises(ValueError, match="without characters"):
        characters.analyze_japanese_characteristics(" \n")
