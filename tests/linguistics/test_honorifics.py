"""Honorific forms: classes and spans on both analysers, and our own development sentences."""

from pathlib import Path

import pandas as pd
import pytest
from kensho.linguistics.honorifics import KINDS, WORDS, tag
from kensho.linguistics.tokens import ANALYSERS

GOLD = Path(WORDS).with_name("honorifics.csv")
BOTH = pytest.mark.parametrize("analyser", ANALYSERS)
SURE = [
    ("先生が本をお書きになった。", {("sonkeigo", "お書きになっ")}),
    ("社長がおっしゃった。", {("sonkeigo", "おっしゃっ")}),
    ("明日伺います。", {("kenjougo", "伺い"), ("teineigo", "ます")}),
    ("お荷物をお届けした。", {("sonkeigo", "お荷物"), ("kenjougo", "お届けし")}),
    ("ご案内いたします。", {("kenjougo", "ご案内いたし"), ("teineigo", "ます")}),
    ("私がいたします。", {("teichougo", "いたし"), ("teineigo", "ます")}),
    ("父は田中と申します。", {("teichougo", "申し"), ("teineigo", "ます")}),
    ("弊社の本だ。", {("teichougo", "弊社")}),
    ("駅がございます。", {("teineigo", "ござい"), ("teineigo", "ます")}),
    ("お酒を飲む。", {("bikago", "お酒")}),
]
NOTHING = "その話はおかしい。|おとうさんが来た。|ご飯を食べる。|早く寝なさい。|お腹がすいた。"


@BOTH
@pytest.mark.parametrize(("text", "forms"), SURE)
def test_classes_and_spans(text, forms, analyser):
    found = tag(text, analyser)
    assert {(one.kind, text[one.begin : one.end]) for one in found if not one.possible} == forms


@BOTH
@pytest.mark.parametrize("text", NOTHING.split("|"))
def test_what_only_looks_honorific_is_not_tagged(text, analyser):
    assert not [one for one in tag(text, analyser) if one.kind != "teineigo"]


@BOTH
def test_what_words_alone_cannot_settle_is_possible(analyser):
    assert [(one.kind, one.possible) for one in tag("財布を盗まれた。", analyser)] == [
        ("sonkeigo", True)
    ]
    assert {(one.kind, one.possible) for one in tag("お話があった。", analyser)} == {
        ("sonkeigo", True),
        ("kenjougo", True),
    }
    (certain,) = tag("社長は本を読まれた。", analyser)
    assert (certain.kind, certain.possible) == ("sonkeigo", False)


@BOTH
def test_a_greeting_alone_is_no_kenjougo(analyser):
    assert "kenjougo" not in {one.kind for one in tag("いただきます。", analyser)}
    assert "kenjougo" in {one.kind for one in tag("本をいただきます。", analyser)}


def test_the_gold_sentences_cover_the_classes_in_both_halves():
    gold = pd.read_csv(GOLD)
    assert gold["sentence"].is_unique
    assert set(gold["split"]) == {"development", "held-out"}
    for _, half in gold.groupby("split"):
        assert (half[list(KINDS)].sum() >= 20).all()
        assert (half[list(KINDS)].sum(axis=1) == 0).sum() >= 20


@BOTH
def test_sure_forms_of_our_own_development_sentences(analyser):
    gold = pd.read_csv(GOLD).query("split == 'development'")
    forms = [
        {one.kind for one in tag(text, analyser) if not one.possible} for text in gold.sentence
    ]
    for kind in KINDS:
        right = sum(kind in found and label for found, label in zip(forms, gold[kind], strict=True))
        f1 = 2 * right / (sum(kind in found for found in forms) + gold[kind].sum())
        assert f1 >= 0.9, kind
