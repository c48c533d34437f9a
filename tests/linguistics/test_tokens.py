"""Both analysers behind one face: places, grammar, lemmas and synonym groups."""

import pytest
from kensho.linguistics.tokens import ANALYSERS, synonym_groups, tokens

BOTH = pytest.mark.parametrize("analyser", ANALYSERS)
TEXTS = [
    "私は切符を買った。　 行く\n次の 行\tだ。",
    "a\r\n\n b",
    "  前",
    "🎌は𠮷野家の旗①㈱だ〜\u2028",
    "切符を見せた。" * 3_000,  # more than Sudachi reads at once
]


@BOTH
@pytest.mark.parametrize("text", TEXTS)
def test_words_stand_where_they_are_and_leave_only_spaces_out(analyser, text):
    words = tokens(text, analyser)
    assert all(text[w.begin : w.end] == w.surface for w in words)
    assert "".join("".join(w.surface for w in words).split()) == "".join(text.split())


@BOTH
def test_grammar_is_named_alike(analyser):
    words = tokens("先生は本を読みませんでした。", analyser)
    assert [w.lemma for w in words[-6:]] == ["読む", "ます", "ぬ", "です", "た", "。"]
    verb = words[-6]
    assert (verb.surface, verb.pos[0], verb.reading) == ("読み", "動詞", "ヨミ")
    assert (verb.conjugation, verb.form) == ("五段-マ行", "連用形-一般")
    assert [w.normalised for w in tokens("いただきます", analyser)] == ["頂く", "ます"]
    assert tokens("私", analyser)[0].normalised == "私"  # UniDic's own lemma is 私-代名詞


@BOTH
def test_synonym_groups_are_those_of_the_lemma(analyser):
    first = next(w for w in tokens("切符を買った。", analyser) if w.surface == "切符")
    second = next(w for w in tokens("チケットがある。", analyser) if w.surface == "チケット")
    assert first.groups & second.groups
    bought = next(w for w in tokens("切符を買った。", analyser) if w.lemma == "買う")
    assert bought.groups == synonym_groups("買う", "動詞")
    assert not any(w.groups for w in tokens("をがは。", analyser))


def test_an_unknown_word_has_its_surface_as_lemma():
    (name,) = tokens("Xyzzyq", "fugashi")
    assert (name.lemma, name.normalised, name.reading) == ("Xyzzyq", "Xyzzyq", "")


def test_what_cannot_be_read_is_said():
    with pytest.raises(ValueError, match="no analyser 'mecab'; take sudachi or fugashi"):
        tokens("切符。", "mecab")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="null character"):
        tokens("切\0符。", "fugashi")
