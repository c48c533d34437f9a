"""What a sentence says of a word in it, by UniDic's analysis: that it is the answer, or is not.

The words behind it are read up to the end of their clause. The last one with a meaning of its own
is the predicate; 文, 点, 言う, 思う and their like only carry it (resources/linguistics). From the
predicate on, negations and words of unfitness (誤り, 不適切, 違和感) are counted: an odd number
denies (山は不適切です), an even one does not (山に違いない, 山でなければならない). What says
something else of a word (山は水がない) neither denies nor asserts that it is the answer.
"""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from kensho.jlce.scoring import morphemes

DENIED, ASIDE, NEGATED, MENTIONED, ASSERTED, CHOSEN = range(-3, 3)

NEGATION = {"無い", "ない", "ず", "まい", "難い", "無し", "兼ねる"}
PREFIXES = {"不", "非", "未", "無"}
LEXICON = Path(__file__).parents[3] / "resources/linguistics/predicates.csv"
FUNCTION = {"助詞", "助動詞", "補助記号", "空白", "副詞", "接尾辞", "接続詞", "連体詞", "感動詞"}
COPULA = {"だ", "です"}
TOPICAL, ANSWERS = {"が", "は", "も", "を", "こそ"}, {"答え", "解答", "回答"}
ASKING = ["でしょう", "か"], ["だろう", "か"], ["の", "か"]
REASONS = {"理由", "原因", "根拠"}
CLAUSAL = {"が", "けれど", "けれども", "けど", "から", "し"}


class Word(NamedTuple):
    """A word of a text and where it stands."""

    begin: int
    end: int
    surface: str
    lemma: str
    pos: str
    kind: str
    form: str


def analysed(text: str) -> list[Word]:
    """The words of a text, in order."""
    words, end = [], 0
    for word in morphemes(text):
        begin, kind = text.index(word.surface, end), word.feature
        end = begin + len(word.surface)
        lemma = (kind.lemma or word.surface).partition("-")[0]
        words.append(
            Word(begin, end, word.surface, lemma, kind.pos1, kind.pos2 or "", kind.cForm or "")
        )
    return words


@cache
def lexicon(*kinds: str) -> frozenset[str]:
    """UniDic's lemmas of some kinds of resources/linguistics/predicates.csv."""
    with open(LEXICON, encoding="utf-8", newline="") as table:
        return frozenset(row["lemma"] for row in csv.DictReader(table) if row["kind"] in kinds)


def clause(words: Sequence[Word]) -> tuple[Sequence[Word], bool]:
    """The first clause of some words of one sentence, and whether that is where it ends."""
    for place, word in enumerate(words):
        before = words[place - 1] if place else None
        if word.surface in {"(", ")", "[", "]"}:
            return words[:place], True
        if word.kind == "接続助詞" and word.surface in CLAUSAL and place:
            return words[:place], False
        if word.surface == "の" and [w.surface for w in words[place + 1 : place + 2]] == ["で"]:
            rest = words[place + 2 : place + 3]
            if not rest or (rest[0].surface not in {"は", "も"} and rest[0].lemma != "有る"):
                return words[:place], False  # ので
        if word.kind == "読点" and before and place:
            if before.form.startswith(("終止形", "意志推量形")):
                return words[:place], True
            if before.form.startswith("連用形") or before.surface in {"て", "ため", "し"}:
                return words[:place], False
    return words, True


def verdict(after: Sequence[Word], ends: bool, several: bool = False) -> int:
    """What the words behind a word say of it (``several``: of it and others, 山や川は…).

    ``ends`` says whether they are all that the sentence holds. DENIED (山は不適切です); ASIDE where
    it is doubted or absent (山かどうか); NEGATED where something else is denied of it
    (山は水がない); ASSERTED where the sentence states it (塩辛いのは海です); CHOSEN where it is
    said to fit (海が入ります); else MENTIONED.
    """
    after = [w for w in after if w.kind not in {"括弧開", "括弧閉"} and w.surface not in "*_:\"'"]
    words, finite = clause(after)
    ends, after = finite and (ends or len(words) < len(after)), words
    if not after or after[0].kind == "読点":  # いいえ、正しくありません
        return MENTIONED if after else ASSERTED * ends
    first, second = after[0].surface, after[1].surface if len(after) > 1 else ""
    if first == "か" and second not in {"も", "な"}:
        return ASIDE
    if first in TOPICAL and second in ANSWERS and not _weight(after, 0):
        return CHOSEN * ends
    if {word.lemma for word in after[1:3]} & REASONS:  # 不自然である理由は
        return MENTIONED
    head = _head(after)
    odd = _weight(after, max(head, 0)) % 2
    lemma = after[head].lemma if head >= 0 else ""
    if lemma in {"違う", "違い", "異なる"} and (several or after[head - 1].surface == "と"):
        return MENTIONED
    question = after[-1].surface == "か"
    if head < 0:
        return _bare(after) if odd else ASSERTED * (ends and not question and _stated(after))
    negated = after[head].pos != "動詞" and first == "な"  # 自然な語順ではない
    fitting = lemma in lexicon("unfit", "fit", "choice") or (
        head and after[head - 1].surface in PREFIXES
    )
    if odd:
        if fitting or negated:
            return DENIED
        quoted = "と" in (first, second)  # 自然だと感じる人はいない
        return ASIDE if quoted else NEGATED if {"は", "も"} & {first, second} else MENTIONED
    chosen = lemma in lexicon("choice") and first in TOPICAL
    if chosen or (first == "な" and _stated(after)):
        return (CHOSEN if chosen else ASSERTED) * (ends and not question)
    return MENTIONED


def _head(words: Sequence[Word]) -> int:
    """Place of the last word with a meaning of its own, -1 where there is none."""
    for place in reversed(range(len(words))):
        word = words[place]
        carried = word.pos in FUNCTION and word.lemma not in lexicon("unfit")
        possible = word.lemma == "得る" and words[place - 1].lemma == "有る"  # あり得ない
        if possible or not (carried or word.lemma in lexicon("light", "report") | NEGATION):
            return place
    return -1


def _weight(words: Sequence[Word], head: int) -> int:
    """How many words from a predicate on deny."""
    count = int(words[0].surface in {"しか", "以外", "ほど"})
    count += bool(head) and words[head - 1].surface in PREFIXES
    for place in range(head, len(words)):
        if words[place].lemma in lexicon("unfit"):
            count += 1
        elif words[place].lemma in NEGATION:
            before = words[max(0, place - 2) : place]
            rest = [word.surface for word in words[place + 1 : place + 3]]
            may = any(word.lemma == "知れる" for word in before)  # かもしれない
            only = before and before[0].surface in {"だけ", "のみ"}  # だけでなく
            question = rest[:1] == ["か"] and rest[1:] not in (["も"], ["ら"])  # ではないか
            count += not (may or only or question or rest in ASKING)
    return count


def _bare(after: Sequence[Word]) -> int:
    """A negation whose predicate is the word itself: no 海, not 海, or there is none."""
    lemmas = {w.lemma for w in after if w.pos not in {"助詞", "補助記号"}}
    if after[0].surface in {"が", "を"} and not lemmas & ANSWERS:
        return MENTIONED
    absent = lemmas <= NEGATION | {"有る", "居る", "ます", "です", "た", "だ"}
    topical = after[0].surface in {"が", "は", "も"} and after[0].pos == "助詞"
    return ASIDE if absent and topical else DENIED


def _stated(after: Sequence[Word]) -> bool:
    """Whether the word is a sentence's predicate: 海です, 海と思う, 自然な文である."""
    first, rest, light = after[0], list(after[1:]), lexicon("light", "report")
    if first.surface == "な":
        while rest and rest[0].pos not in {"助詞", "助動詞"} and rest[0].lemma in light:
            rest.pop(0)
        return not rest or (len(rest) < len(after) - 1 and _stated(rest))
    if first.surface == "に":
        return bool(rest) and rest[0].lemma == "成る"
    if first.surface in {"と", "だ"}:
        rest = rest[1:] if rest and rest[0].surface == "と" else rest
        final = not rest or rest[0].pos == "助詞"  # だよ
        return final or rest[0].lemma in lexicon("report")
    if first.surface == "で" and rest:
        return rest[0].lemma == "有る"
    copula = first.pos == "助動詞" and first.lemma in COPULA
    return (copula and first.surface not in {"なら", "で"}) or first.kind == "終助詞"
