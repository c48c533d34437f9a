"""Which choice a written answer names."""

import pytest
from kensho.jlce import metrics
from kensho.jlce.choice import named

PLACES = ["山", "海", "川"]
WEATHER = ["満ち潮", "夕立", "初雪"]
GRAMMAR = ["不自然", "自然"]
COMMON = [  # choices that are words of any sentence
    (["です", "海"], "答えは「海」です。", 1),
    (["です", "海"], "答えは海です。", 1),
    (["です", "海"], "答えは「です」です。", 0),
    (["です", "海"], "私は、海だと思うのです。", 1),
    (["です", "海"], "です", 0),
    (["は", "が"], "主題なので、答えは「は」です。", 0),
    (["は", "が"], "主格なので「が」が入ります。", 1),
    (["ある", "いる"], "人がいるので、答えは「いる」です。", 1),
    (["はい", "いいえ"], "はい、わかりました。答えは「いいえ」です。", 1),
    (["はい", "いいえ"], "答えはいいえです。", 1),
    (["はい", "いいえ"], "はい。", 0),
]
WITHIN = [  # choices within choices and within words
    (GRAMMAR, "助詞がないので不自然", 0),
    (GRAMMAR, "不自然に見えるが自然", 1),
    (["東京", "東京都", "京都"], "答えは東京都です。", 1),
    (["東京", "東京都", "京都"], "東京都ではなく、京都", 2),
    (["海", "海水浴"], "夏は海水浴です", 1),
    (["3", "13"], "答えは13です", 1),
    (["A", "B"], "AIを使うのでB", 1),
    (["ＡＴＭ", "銀行"], "答えは「ＡＴＭ」です", 0),
    (["ＡＴＭ", "銀行"], "ATM", 0),
]
QUOTED = [
    (WEATHER, "答え：**夕立**", 1),
    (WEATHER, "答えは『夕立』です", 1),
    (WEATHER, '答えは"夕立"です。', 1),
    (WEATHER, "Answer: 夕立", 1),
    (WEATHER, "答えは、空が暗いので夕立です。", 1),
    (WEATHER, "夕立、夕立、夕立。", 1),
    (PLACES, "答えは「海」です。山は高いところです。", 1),
    (PLACES, "海が正解です。山は木が多いからです。", 1),
    (GRAMMAR, "「自然」という語の使い方がおかしいので、不自然です", 0),
]
DENIED = [
    (PLACES, "「山」ではなく「海」です。", 1),
    (PLACES, "答えは「山」ではなく「海」です。", 1),
    (PLACES, "海です。山ではありません。", 1),
    (PLACES, "海が正しく、山は間違いです。", 1),
    (PLACES, "山は間違いなく正解です", 0),
    (PLACES, "山でなければならない。", 0),
    (PLACES, "山ではない。", None),
    (GRAMMAR, "この文は自然な日本語ではありません。", 0),
    (GRAMMAR, "不自然な点はない。", 1),
    (GRAMMAR, "自然とは言えない。", 0),
    (GRAMMAR, "自然であるとは言い難い。", 0),
    (GRAMMAR, "自然には聞こえません。", 0),
    (GRAMMAR, "自然な文であり、不自然な点はありません。", 1),
    (PLACES, "海です。山は答えではない。", 1),
    (PLACES, "海のほうが山より広いです。", 1),
    (PLACES, "海は山と違って広い。", 1),
    (GRAMMAR, "自然ではないでしょうか。", 1),
    (GRAMMAR, "自然ではないから。", 0),
]
LABELLED = [
    (["A. 海", "B. 山"], "答えはBです。", 1),
    (["A. 海", "B. 山"], "答えは山です。", 1),
    (["①海", "②山"], "②が正解です。", 1),
    (["1. 海", "2. 山"], "正解は（2）です", 1),
    (["(1) 海", "(2) 山"], "2", 1),
    (WEATHER, "2. 夕立", 1),
    (WEATHER, "答えは②です", 1),
    (WEATHER, "答えは(0)夕立です", 1),
    (WEATHER, "答えは「1. 夕立」です", 1),
    (WEATHER, "B", 1),
    (WEATHER, "答えは2つあります。", None),
    (WEATHER, "わかりません", None),
]


@pytest.mark.parametrize(
    ("choices", "answer", "index"), COMMON + WITHIN + QUOTED + DENIED + LABELLED
)
def test_the_choice_that_an_answer_names(choices, answer, index):
    assert named(answer, choices) == index
    gold = {"choices": choices, "gold": 1}
    found = metrics.labelled_answer(gold, [f"山か川か海か。</think>{answer}"])
    assert found["acc"] == (index == 1) and found["parsed"] == (index is not None)


def test_choices_that_repeat_each_other_are_one():
    doc = {"choices": ["海", "山", "海"], "gold": 2}
    assert metrics.labelled_answer(doc, ["答えは「海」です。"])["acc"] == 1
    assert metrics.labelled_answer(doc, ["答えは「山」です。"])["acc"] == 0


@pytest.mark.parametrize(
    "answer", ["", "あ" * 100_000, "海" * 30_000, "答えは海" * 9000, "「" * 20_000]
)
def test_any_answer_is_read_in_time(answer):
    assert named(answer, ["海", "海水", "です"]) in (0, None)
