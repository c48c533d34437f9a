"""Honorific forms of a text in the five classes of 敬語の指針 (Council for Cultural Affairs, 2007).

* ``sonkeigo`` (尊敬語) raises who acts or owns: いらっしゃる, お書きになる, お名前
* ``kenjougo`` (謙譲語I) raises whom an act is directed at: 伺う, お届けする, 読んでいただく
* ``teichougo`` (謙譲語II, 丁重語) is humble towards the listener: 参る, 申します, 弊社
* ``teineigo`` (丁寧語) is polite towards the listener: です, ます, ございます
* ``bikago`` (美化語) beautifies a thing: お酒, お料理

Rules on words and their grammar find them; single words stand in
resources/linguistics/honorific_words.csv. A form that its words alone cannot settle is
``possible``: れる may be passive or potential, お話 may be the speaker's or the listener's.
いたす is teichougo, but kenjougo in お…いたす; お…になる is sonkeigo, お世話になる none.
"""

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from kensho.linguistics.tokens import Analyser, Token, tokens

Kind = Literal["sonkeigo", "kenjougo", "teichougo", "teineigo", "bikago"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WORDS = Path(__file__).parents[3] / "resources/linguistics/honorific_words.csv"

POLITE = {"助動詞-デス": "です", "助動詞-マス": "ます"}
PREFIXES = ("お", "ご", "御", "おん")
# What follows お or ご with a verb or noun, by normalised dictionary form.
RAISING = {"為さる", "下さる", "なさる", "くださる", "遊ばす"}
HUMBLE = {"為る", "致す", "申し上げる", "申す", "頂く", "頂ける", "出来る", "願う", "頂戴"}
HUMBLE |= {"差し上げる", "仕る", "戴く", "承る", "賜る"}
CORES = {"名詞", "動詞", "形容詞", "形状詞", "副詞", "接尾辞", "代名詞"}
COPULAS = {"助動詞-ダ", "助動詞-デス"}
ASKED = ("命令形",)  # ください, なさい
STATES = {"形容詞", "形状詞", "副詞"}
WEATHER = {"寒い", "暑い", "高い", "安い", "熱い", "早い", "静か"}


class Honorific(NamedTuple):
    """One honorific form; places count characters."""

    kind: Kind
    begin: int
    end: int
    form: str  # the word or pattern: いらっしゃる, お…になる
    possible: bool  # whether other words could settle that it is of another kind, or of none


class Phrase(NamedTuple):
    """お or ご with what it stands before: words ``first`` to ``end`` (exclusive)."""

    first: int
    end: int
    core: str  # dictionary form without お or ご
    part: str  # part of speech of the core


@cache
def words_of(kind: str, part: str) -> frozenset[str]:
    """Single words of a kind, verbs or nouns.

    Beside ``KINDS``: "none" for lexicalised お and ご (ご飯), "either" for what is the speaker's or
    the listener's (お話), "own act" for what is done to nobody (お料理する), and "result" for nouns
    that one comes to be or to have (お世話になる).
    """
    with open(WORDS, encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    return frozenset(row["word"] for row in rows if (row["kind"], row["pos"]) == (kind, part))


def tag(text: str, analyser: Analyser = "sudachi") -> list[Honorific]:
    """Honorific forms of a text, in order; one form may be possible in several kinds.

    Raises ValueError as :func:`kensho.linguistics.tokens.tokens` does.
    """
    return tagged(text, tokens(text, analyser))


def tagged(text: str, words: Sequence[Token]) -> list[Honorific]:
    """:func:`tag` of a text whose words are known."""
    forms: list[Honorific] = []
    taken: set[int] = set()  # words that a pattern has explained
    for phrase in phrases(words):
        if phrase.first in taken:
            continue
        for kind, end, form, possible in pattern(words, phrase):
            begin = words[phrase.first].begin
            forms.append(Honorific(kind, begin, words[end - 1].end, form, possible))
            taken.update(range(phrase.first, end))
    for i, word in enumerate(words):
        if i not in taken:
            forms += [
                Honorific(kind, word.begin, word.end, form, possible)
                for kind, form, possible in single(words, i)
            ]
        if word.conjugation in POLITE:
            form = POLITE[word.conjugation]
            forms.append(Honorific("teineigo", word.begin, word.end, form, False))
    return sorted(set(forms), key=lambda one: (one.begin, one.end, KINDS.index(one.kind)))


def phrases(words: Sequence[Token]) -> Iterator[Phrase]:
    """お and ご before a word, or as the beginning of one (お茶 where the dictionary has it)."""
    for i, word in enumerate(words):
        core = words[i + 1] if i + 1 < len(words) else None
        # Sudachi takes some お for an interjection.
        prefix = word.normalised == "御" or (word.surface == "お" and word.pos[0] == "感動詞")
        if core is not None and prefix and core.pos[0] in CORES:
            first, name, part = i + 1, core.lemma, core.pos[0]
        elif word.surface.startswith(PREFIXES) and word.pos[0] in CORES - {"動詞", "形容詞"}:
            first, name, part = i, word.surface[1:], word.pos[0]
            if not (word.normalised.startswith("御") or name in known()):
                continue
        else:
            continue
        end = first + 1
        while end < len(words) and joins(words, end):
            end += 1
        yield Phrase(i, end, name, part)


@cache
def known() -> frozenset[str]:
    """All nouns of the list that make one word with お or ご."""
    return frozenset().union(*(words_of(kind, "noun") for kind in ("sonkeigo", "bikago", "either")))


def joins(words: Sequence[Token], i: int) -> bool:
    """Whether a word continues the compound that ends before it: お問い|合わせ, ご相談|窓口."""
    word, before = words[i], words[i - 1]
    if before.pos[0] == "動詞":  # お取り|扱いになる, お待た|せする
        causative = word.lemma in {"せる", "させる"}
        return causative or (word.pos[0] == "動詞" and word.pos[1] == "一般")
    nominal = word.pos[0] == "名詞" and word.pos[1] != "数詞" and word.pos[2] != "副詞可能"
    return nominal and before.pos[0] == "名詞" and word.normalised not in HUMBLE


def verbal(words: Sequence[Token], phrase: Phrase) -> bool:
    """Whether the phrase names an act: a verb's stem, a noun made of one, or a noun with する."""
    last = words[phrase.end - 1]
    made_of_verb = last.pos[0] == "名詞" and last.surface[-1] in STEM_ENDS
    causative = last.lemma in {"せる", "させる"}
    return causative or last.pos[0] == "動詞" or "サ変可能" in last.pos[2] or made_of_verb


STEM_ENDS = set("いきぎしちにびみりえけげせてでねべめれ")


def pattern(words: Sequence[Token], phrase: Phrase) -> list[tuple[Kind, int, str, bool]]:
    """Kinds of a phrase, with what follows it: (kind, end of the words, form, possible)."""
    surface = words[phrase.end - 1].surface
    names = {phrase.core, surface, surface.lstrip("おご御")}
    return list(as_predicate(words, phrase, names)) or list(as_noun(words, phrase, names))


def as_predicate(
    words: Sequence[Token], phrase: Phrase, names: set[str]
) -> Iterator[tuple[Kind, int, str, bool]]:
    """お…になる, お…なさる, お…する and the like; nothing where no such verb follows."""
    end = phrase.end
    after, second = [*words[end : end + 2], None, None][:2]
    if after is None:
        return
    last, act = words[end - 1], verbal(words, phrase)
    stem = last.surface[-1] in STEM_ENDS  # 緩め|に: a 形状詞 to Sudachi
    if after.surface == "に" and second is not None:
        if second.normalised == "成る" and (act or stem) and not names & words_of("result", "noun"):
            yield "sonkeigo", end + 2, "お…になる", False
        elif second.normalised in {"掛かる", "掛ける", "入れる"} and names & {"目", "耳", "覧"}:
            yield "kenjougo", end + 2, f"お{phrase.core}に{second.lemma}", False
    elif after.normalised in RAISING:
        polite = second is not None and second.conjugation == "助動詞-マス"
        greeting = after.surface == "なさい" and not polite  # お休みなさい
        yield "sonkeigo", end + 1, f"お…{after.lemma}", greeting
    elif after.normalised in HUMBLE and (act or after.normalised not in {"為る", "願う"}):
        if after.normalised == "為る" and second and second.conjugation == "助動詞-レル":
            yield "sonkeigo", end + 2, "ご…される", False
        elif not names & words_of("own act", "noun"):
            yield "kenjougo", end + 1, f"お…{after.lemma}", False
    elif after.conjugation in COPULAS or after.surface == "の":
        known = names & (words_of("bikago", "noun") | words_of("result", "noun"))
        if act and last.pos[0] == "動詞" and not known:
            yield "sonkeigo", end, "お…です", False


def as_noun(
    words: Sequence[Token], phrase: Phrase, names: set[str]
) -> Iterator[tuple[Kind, int, str, bool]]:
    """お or ご with a thing, a state or an act that is named."""
    end, last = phrase.end, words[phrase.end - 1]
    if names & words_of("none", "noun"):
        return
    if phrase.part in STATES or last.pos[2] == "形状詞可能":
        yield "sonkeigo", end, "お + state", bool(names & WEATHER)
    elif names & words_of("sonkeigo", "noun"):
        yield "sonkeigo", end, "お + noun", False
    elif names & words_of("bikago", "noun"):
        yield "bikago", end, "お + noun", False
    elif names & words_of("either", "noun"):
        yield "sonkeigo", end, "お + noun", True
        yield "kenjougo", end, "お + noun", True
    elif words[phrase.first].reading.startswith("ゴ") and verbal(words, phrase):
        yield "sonkeigo", end, "ご + act", False
    else:
        yield "sonkeigo", end, "お + noun", True
        yield "bikago", end, "お + noun", True


def single(words: Sequence[Token], i: int) -> Iterator[tuple[Kind, str, bool]]:
    """Kinds of one word outside the patterns: (kind, form, possible)."""
    word = words[i]
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    spelt = {word.lemma} if word.lemma == "いる" else {word.lemma, word.normalised}
    polite = after is not None and after.conjugation == "助動詞-マス"
    raised = after is not None and after.conjugation == "助動詞-レル"
    connected = before is not None and before.surface in {"て", "で"}
    if word.pos[0] == "動詞" or word.conjugation.startswith("五段"):
        if spelt & words_of("sonkeigo", "verb"):
            request = word.form.startswith(ASKED) and not polite
            if word.surface == "なさい" and not polite:  # 食べなさい
                return
            yield "sonkeigo", word.lemma, request
            if request and connected:  # 待ってください: the polite form of 待って
                yield "teineigo", "てください", True
        elif spelt & words_of("kenjougo", "verb"):
            if not (word.normalised == "頂く" and polite and alone(words, i)):
                yield "kenjougo", word.lemma, False
        elif word.lemma in {"おる", "居る"} and raised:
            yield "sonkeigo", "おられる", False
        elif word.lemma == "おる" or word.surface in {"居り", "おり"}:
            yield "teichougo", "おる", not (polite or connected)
        elif spelt & words_of("teichougo", "verb"):
            yield "teichougo", word.lemma, raised or not (polite or word.normalised == "致す")
        elif word.normalised == "御座る":
            yield "teineigo", "ございます", False
    elif word.conjugation == "助動詞-レル":
        yield "sonkeigo", word.lemma, not raised_by_subject(words, i)
    elif word.pos[0] in {"名詞", "代名詞", "接頭辞"}:
        for kind in ("sonkeigo", "kenjougo", "teichougo"):
            own = {word.surface, word.normalised} & words_of(kind, "noun")
            if own and (kind != "sonkeigo" or word.surface[0] in "貴御芳玉尊令高清"):
                yield kind, word.surface, False
    elif word.pos[0] == "接尾辞" and word.normalised == "様":
        yield "sonkeigo", "様", True


TITLES = {"先生", "社長", "部長", "課長", "会長", "教授", "校長", "市長", "監督", "陛下", "殿下"}
TITLES |= {"師匠", "大臣", "首相", "議長", "院長", "店長", "所長", "様", "さま", "閣下", "恩師"}


def raised_by_subject(words: Sequence[Token], i: int) -> bool:
    """Whether れる has a person of rank as its subject and no に that may mark an agent.

    The subject is the last title with は or が before it in the sentence: 先生は本を読まれる.
    """
    for j in range(i - 1, 0, -1):
        word, before = words[j], words[j - 1]
        if word.pos[1] == "句点":
            return False
        if word.pos[0] == "助詞" and word.surface in {"に", "から"} and before.pos[0] != "副詞":
            person = before.surface in TITLES or before.pos[0] == "代名詞"
            if person or j == i - 2:
                return False
        if word.surface in {"は", "が", "も"} and before.surface in TITLES:
            return True
    return False


def alone(words: Sequence[Token], i: int) -> bool:
    """Whether a verb is a greeting: いただきます with nothing before it in its sentence."""
    return i == 0 or words[i - 1].pos[0] == "補助記号"
