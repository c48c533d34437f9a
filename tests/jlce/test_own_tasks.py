"""Tasks of our own: honorific transfer, both directions of translation, kana for kanji."""

from types import SimpleNamespace

import pytest
import sacrebleu
from kensho.jlce import items, kana, metrics, observed, run, scoring
from kensho.jlce.honorific import raised

PASSAGE = (
    "大阪の橋本裕子（ひろこ、1950年生）は橋を渡り、箸を買った。川端康成の雪国を読み、歴史を学ぶ。"
    "「私立」と「市立」は違う。三月一日に一人で京都へ行く。"
)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("おおさか", "大阪"),  # kana for kanji
        ("オオサカ", "大阪"),
        ("ゆきぐに", "雪国"),
        ("ひろこ", "裕子"),  # as the passage says
        ("歴史", "歴史"),
    ],
)
def test_an_answer_in_kana_is_its_gold(answer, gold):
    assert kana.match_by_reading(answer, [gold], PASSAGE) == 1


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("ゆうこ", "裕子"),  # another reading of the name's characters
        ("かわばた", "川端"),  # a person's name that nothing in the passage reads
        ("河端", "川端"),  # a name of the same reading in other characters
        ("箸", "橋"),  # another word of the same reading
        ("はし", "橋"),  # which of the two?
        ("しりつ", "市立"),
        ("ついたち", "一日"),  # a number: its reading is a matter of sense
        ("いちにち", "一日"),
        ("おおさかし", "大阪"),  # more than the gold
        ("れきしがく", "歴史"),
        ("きょうと", "大阪"),
        ("おおさか", "オオサカ城"),
        ("", "歴史"),
    ],
)
def test_what_only_sounds_like_a_gold_or_may_mean_another_word_is_none(answer, gold):
    assert kana.match_by_reading(answer, [gold], PASSAGE) == 0


def test_one_gold_of_several_may_be_read():
    assert kana.match_by_reading("きょうと", ["京都へ", "京都"], PASSAGE) == 1
    doc = {"answers": ["雪国"], "passage": PASSAGE}
    found = metrics.reading(doc, ["ゆきぐに"])
    assert (found["match_by_reading"], found["exact_match"], found["character_f1"]) == (1, 0, 0)


HONORIFIC = items.read(items.OURS / "honorific.jsonl", "honorific")


@pytest.mark.parametrize("item", HONORIFIC, ids=lambda item: item.id)
def test_every_reference_has_the_form_and_no_text_has_it(item):
    assert not raised(item.text, item.text, item.wanted)
    for reference in item.references:
        assert raised(reference, item.text, item.wanted), reference


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("先生がその本をお読みする。", "尊敬語"),  # humble for another's act
        ("私がその本をお読みになる。", "謙譲語"),
        ("先生がその本を読みます。", "尊敬語"),  # polite, no more
        ("先生がご本を読む。", "尊敬語"),  # only the noun
        ("お荷物を持つ。", "謙譲語"),
        ("", "尊敬語"),
    ],
)
def test_other_honorifics_are_not_the_wanted_one(answer, wanted):
    assert not raised(answer, "先生がその本を読む。", wanted)


def test_a_form_alone_is_no_transfer():
    doc = {
        "text": "先生が本を読む。",
        "wanted": "尊敬語",
        "references": ["先生が本をお読みになる。"],
    }
    assert metrics.honorific(doc, ["先生が本をお読みになる。"])["joint"] == pytest.approx(1)
    assert metrics.honorific(doc, ["いらっしゃる。"])["joint"] < 0.2
    assert metrics.honorific(doc, ["先生が本を読む。"])["joint"] == 0


ANSWERS = ["猫が庭で寝ている。", "今日は雨だ。", "", "はい"]
GOLDS = [
    ["猫は庭で寝ています。"],
    ["今日は雨だ。", "きょうは雨です。"],
    ["何もない。"],
    ["そうです。"],
]


def logged(task, answers, golds):
    score = getattr(metrics, task)
    return [
        {
            "doc": {"id": str(n), "cluster": str(n), "references": gold},
            "metrics": ["chrf", "sentence_bleu", "bleu"],
            **score({"references": gold}, [answer]),
        }
        for n, (answer, gold) in enumerate(zip(answers, golds, strict=True))
    ]


@pytest.mark.parametrize(
    ("task", "answers", "golds", "tokenize", "cut"),
    [
        ("translation", ANSWERS, GOLDS, "none", scoring.words),
        (
            "translation_ja_en",
            ["A cat, asleep in the garden.", "It rains today.", "No"],
            [["The cat is asleep in the garden."], ["It is raining today."], ["Nothing at all."]],
            "13a",
            str,
        ),
    ],
)
def test_bleu_of_the_corpus_is_sacrebleus(task, answers, golds, tokenize, cut):
    logs = logged(task, answers, golds)
    most = max(map(len, golds))
    columns = [[cut(g[n]) if n < len(g) else None for g in golds] for n in range(most)]
    scorer = sacrebleu.BLEU(tokenize=tokenize, force=True)
    expected = scorer.corpus_score([cut(answer) for answer in answers], columns)
    assert metrics.bleu([log["bleu"] for log in logs]) == pytest.approx(expected.score / 100)
    signature = run.bleu_signatures({1: {f"jlce_{task}": logs}})[task]
    theirs = str(scorer.get_signature())
    ours = (
        signature if task.endswith("en") else signature.replace(signature.split("|")[3], "tok:none")
    )
    assert ours == theirs


def test_the_counts_of_bleu_are_rows_of_the_table():
    logs = logged("translation", ANSWERS[:1], GOLDS[:1])
    table = observed.observations("a", {1: {"jlce_translation": logs}}).set_index("metric")
    assert table.loc["bleu_length", "value"] == len(scoring.words(ANSWERS[0]).split())
    assert table.loc["bleu_length", "unit"] == "words" and "bleu" not in table.index
    assert 0 < table.loc["sentence_bleu", "value"] < 1
    assert table.loc["score", "value"] == table.loc["chrf", "value"]


def test_a_task_of_our_own_has_a_score_that_no_claim_on_the_sixteen_meets():
    log = {"doc": {"id": "1", "cluster": "c"}, "metrics": ["joint"], "joint": 0.5}
    rows = observed.observations("a", {1: {"jlce_honorific": [log]}}).set_index("metric")["value"]
    assert rows.to_dict() == {"joint": 0.5, "own_score": 0.5}


def test_the_long_units_are_those_of_the_same_sentences():
    short = {item.id: item for item in items.read(items.OURS / "syntax.jsonl", "syntax")}
    merged = 0
    for item in items.read(items.OURS / "long_units.jsonl", "long_units"):
        same = SimpleNamespace(**short[item.id].model_dump())
        assert (item.text, item.cluster, item.split) == (same.text, same.cluster, same.split)
        ends = {begin for begin, _ in scoring.spans(same.words)}
        assert {begin for begin, _ in scoring.spans(item.words)} <= ends
        merged += len(same.words) - len(item.words)
    assert merged > 20


def test_the_choices_of_a_zero_subject_say_no_more_than_the_text():
    for item in items.read(items.OURS / "zero_subject.jsonl", "zero_subject"):
        last = item.text.split("。")[-2]
        said = item.choices[item.answer]
        assert f"{said}は{item.predicate}" not in last and f"{said}が{item.predicate}" not in last
