"""Whether a Japanese text is in the polite style (丁寧体), by morphological analysis."""

import re
from collections.abc import Sequence

from kensho.jlce.scoring import LONGEST, morphemes, normalised

# ますよ〜, まーす, ですぅ: what a voice drags is no part of the word
DRAGGED = re.compile(r"(?<=[ぁ-ん])(?:[ーｰ〜~]+|[ぁぃぅぇぉ]+(?=[^ぁ-んァ-ヶー]|\Z))")
QUOTED = re.compile(r"[「『“](?P<inside>[^「」『』“”]*)[」』”]")
REMARK = re.compile(r"\([^()]*\)|[\[【<][^\[\]【】<>]*[\]】>]")
# a face and its arms: Σ(ﾟДﾟ), m(_ _)m; no words are in it
FACE = re.compile(
    r"(?:(?<![A-Za-z])[A-Za-z]|[Σσヽヾ\\])?\((?=[^()]*(?:_|[^\w\s]))(?![^()]*[A-Za-z]{2})"
    r"[^()ぁ-ん一-龥\d]{1,12}\)(?:[A-Za-z](?![A-Za-z])|[ノヽゞ/])?"
)
LAUGHTER = re.compile(r"(?<=[^\sA-Za-z])(?:[wW]{1,20}|笑{1,9}|泣|汗|爆|草|orz)\Z")
NESTED = 5  # quotations within quotations
SENTENCE_END = re.compile(r"[。｡!?♪☆★…\n]+|\.(?![0-9A-Za-z])")
ENDS, BEGINS = "。!?…♪\n」』”:", "「『“"
GREETING = re.compile(r"(?:ごめん|御免|お休み|おやすみ|お帰り|おかえり)なさい[ねよ]?\Z")
KATAKANA = re.compile(r"[ァ-ヶー]\Z")
FORMAL = {"こと", "もの", "もん"}  # ですこと, ですもの: at the end they are particles


def is_polite(text: str) -> bool:
    """Whether the last predicate of a text is polite: ends in です, ます, ください or their forms.

    Particles, marks, emoji, faces and remarks in brackets behind it do not count, nor does what a
    sentence only quotes or reports (行きます、とのこと). A sentence without a predicate (体言止め)
    leaves it to the one before; a text without any is not polite. なさい is plain but for greetings
    (おやすみなさい).
    """
    text = DRAGGED.sub("", normalised(text)[-LONGEST:])
    text = REMARK.sub("", FACE.sub("", text)).strip() or text
    for _ in range(NESTED):
        text = QUOTED.sub(_unquoted, text)
    for sentence in reversed(SENTENCE_END.split(text)):
        if (polite := _polite(sentence)) is not None:
            return polite
    return False


def _unquoted(quote: re.Match) -> str:
    """A quotation that stands alone is a sentence; one within a sentence is a noun of it."""
    before, after = quote.string[: quote.start()].rstrip(), quote.string[quote.end() :].lstrip()
    alone = (not before or before[-1] in ENDS) and (not after or after[0] in "。!?…♪\n" + BEGINS)
    return f"{quote['inside']}。" if alone else "これ"


def _polite(sentence: str) -> bool | None:
    """The style of the last predicate; None where the sentence ends in none."""
    sentence = _trimmed(LAUGHTER.sub("", _trimmed(sentence)))
    words, plain = morphemes(sentence), False
    for place in reversed(range(len(words))):
        word, kind = words[place], words[place].feature
        if _courteous(words, place):
            return True
        if kind.pos1 == "助動詞":
            plain = True
        elif kind.pos1 == "動詞" or (kind.pos1 == "形容詞" and kind.cForm[:3] != "連用形"):
            request = kind.lemma == "下さる" and kind.cForm == "命令形"
            return request or bool(GREETING.search(sentence)) or _homograph(words, place)
        elif not (
            kind.pos1 in {"補助記号", "空白"}
            or kind.pos2 in {"終助詞", "接続助詞", "副助詞", "準体助詞", "助動詞語幹"}
            or (word.surface in {"も", "に"} and place and _joins(words[place - 1]))
            or (word.surface in FORMAL and place and _courteous(words, place - 1))
        ):
            break
    return False if plain else _inverted(sentence)


def _trimmed(text: str) -> str:
    """A text up to its last letter or digit."""
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
    return text[:end]


def _courteous(words: Sequence, place: int) -> bool:
    """Whether a word is です or ます itself, not a name, noun or verb that looks like it."""
    word, kind = words[place], words[place].feature.cType
    before = words[place - 1] if place else None
    after = [one.surface for one in words[place + 1 : place + 3]]
    if kind == "助動詞-マス":
        if before is None or (word.surface == "まし" and not after):  # くださいまし, しないよりまし
            return before is not None and before.feature.cForm == "連用形-イ音便"
        form = before.feature.cForm or ""  # none in 夕食はます, a trout
        stem = form.startswith(("連用形", "未然形", "命令形", "仮定形"))  # MeCab's 運べ is the 3rd
        return stem or before.feature.pos2 == "接続助詞"  # 泳いでます
    if kind != "助動詞-デス" or after == ["ん", "だ"] or after[:1] == ["ます"]:  # 警告ですんだ
        return False
    if word.surface.startswith("デ"):  # 名前はエルデス
        if before is None or before.feature.pos1 == "助詞":
            return False
        return not KATAKANA.search(before.surface)
    return word.surface.startswith("で")  # not っす


def _joins(word) -> bool:
    """Whether a word makes one particle with も or に behind it: けれども, のに."""
    return word.surface in {"けれど", "けど"} or word.feature.pos2 == "準体助詞"


def _homograph(words: Sequence, place: int) -> bool:
    """Whether a verb in kana that seems to end in ます is one with ます, as it has no object.

    髪がはげました is of はげる, 弟をはげました of はげます.
    """
    verb, kind = words[place].surface, words[place].feature
    if kind.cType != "五段-サ行" or not re.fullmatch("[ぁ-ん]+ま[しすさせそ]", verb):
        return False
    other = morphemes(f"{verb[:-2]}る")
    modern = len(other) == 1 and (other[0].feature.cType or "").startswith(("上一段", "下一段"))
    return modern and all(word.surface != "を" for word in words[:place])


def _inverted(sentence: str) -> bool | None:
    """The style before the last comma, if a predicate ends there: 行きます、明日。"""
    head, comma, tail = sentence.rpartition("、")
    if tail.startswith(("と", "って")) and morphemes(tail)[0].feature.pos1 == "助詞":
        return None  # only reported: 行きます、とのこと
    ended = [w.feature for w in morphemes(head) if w.feature.pos2 != "終助詞"][-1:] if comma else []
    final = ended and (ended[0].cForm or "").startswith(("終止形", "意志推量形", "命令形"))
    return _polite(head) if final else None
