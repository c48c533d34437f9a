"""Scores against reference implementations and hand counts; known wrong scorers differ."""

import numpy as np
import pytest
import sacrebleu
from kensho.jlce import scoring
from sklearn.metrics import f1_score


def test_a_gold_answer_is_whole_and_a_foreign_one_nothing():
    for score in (scoring.exact_match, scoring.character_f1, scoring.levenshtein_ratio):
        assert score(" 聖武天皇\n", ["桓武天皇", "聖武天皇"]) == 1
        assert score("xyz", ["聖武天皇"]) == 0
        assert score("", ["聖武天皇"]) == 0
    assert scoring.exact_match("ＡＢＣ１", ["ABC1"]) == 1


def test_character_f1_counts_characters_and_levenshtein_their_order():
    # the same characters in another order: bags are equal, strings are not
    assert scoring.character_f1("皇天武聖", ["聖武天皇"]) == 1
    assert scoring.levenshtein_ratio("皇天武聖", ["聖武天皇"]) == 0
    assert scoring.character_f1("東京都", ["東京"]) == pytest.approx(2 * 2 / 5)
    assert scoring.levenshtein_ratio("東京都", ["東京"]) == pytest.approx(2 / 3)


def slow_distance(first, second):
    table = np.zeros((len(first) + 1, len(second) + 1), dtype=int)
    table[:, 0], table[0] = range(len(first) + 1), range(len(second) + 1)
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)
            )
    return table[-1, -1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kitten", "sitting"),
        ("", "abc"),
        ("すもももももももものうち", "もものうちのすもも"),
        ("a", ""),
    ],
)
def test_distance_is_that_of_the_textbook(first, second):
    assert scoring._distance(first, second) == slow_distance(first, second)
    assert scoring._distance(second, first) == slow_distance(first, second)


def test_spans_and_labels():
    gold = ["庭で", "白い", "猫が", "寝ている。"]
    assert scoring.f1(set(scoring.spans(gold)), set(scoring.spans(gold))) == 1
    found = set(scoring.spans(["庭で白い", "猫が", "寝ている。"]))
    assert scoring.f1(found, set(scoring.spans(gold))) == pytest.approx(2 * 2 / 7)
    other = set(scoring.spans(["雨が", "赤い"]))  # as long as the gold pieces, and other words
    assert scoring.f1(other, set(scoring.spans(gold))) == 0
    tags = [("庭", "NOUN"), ("で", "ADP")]
    assert scoring.labelled_f1(tags, tags) == 1
    assert scoring.labelled_f1([("庭", "VERB"), ("で", "ADP")], tags) == 0.5
    assert scoring.labelled_f1([("庭で", "NOUN")], tags) == 0
    assert scoring.labelled_f1([], tags) == 0


def test_attachment_counts_words_whose_head_is_right():
    gold = [2, 0, 2], ["nsubj", "root", "obl:tmod"]
    assert scoring.attachment([2, 0, 2], ["nsubj", "root", "obl"], gold) == (1, 1)
    assert scoring.attachment([2, 0, 1], ["obj", "root", "obl"], gold) == (2 / 3, 1 / 3)
    assert scoring.attachment([2], ["nsubj"], gold) == (1 / 3, 1 / 3)


def test_rouge_is_on_words():
    gold = "猫が庭で寝ている。"
    assert scoring.rouge(gold, [gold]) == {"rouge1": 1, "rouge2": 1, "rougeL": 1}
    found = scoring.rouge("犬が庭で走っている。", [gold])
    words, other = (set(scoring.words(t).split()) for t in (gold, "犬が庭で走っている。"))
    assert found["rouge1"] == pytest.approx(scoring.f1(words, other))


def test_chrf_is_sacrebleus():
    one, other = "猫が寝ている。", "猫が庭で寝ている。"
    assert scoring.chrf(one, [other]) == sacrebleu.sentence_chrf(one, [other]).score / 100


@pytest.mark.parametrize("answer", ["", " ", "あ" * 100_000, "<b>答え</b>\x00\x1b[31m", "\u200b"])
def test_any_answer_gets_a_score(answer):
    for score in (scoring.exact_match, scoring.character_f1, scoring.levenshtein_ratio):
        assert 0 <= score(answer, ["答え"]) <= 1
    assert 0 <= scoring.rouge(answer, ["答え"])["rougeL"] <= 1
    assert 0 <= scoring.chrf(answer, ["答え"]) <= 1


def test_f1_of_binary_labels_is_scikit_learns():
    gold, found = [1, 1, 0, 1, 0, 0], [1, 0, 0, 1, 1, 0]
    ours = scoring.f1({i for i, x in enumerate(found) if x}, {i for i, x in enumerate(gold) if x})
    assert ours == pytest.approx(f1_score(gold, found))
