"""Politeness transformation: plain and polite style of the sentence-final predicate (claim F-6).

The predicate is read off Sudachi's analysis and rebuilt by rule: 行った ⇄ 行きました, 食べない ⇄
食べません, 学生だ ⇄ 学生です, ないだろう ⇄ ないでしょう, 見つけたの? ⇄ 見つけたのですか?. What is
not surely handled (requests, imperatives, particles of one style only, homographs in kana) is left
alone. So is every verb of resources/linguistics/lexical_verbs.csv: the dictionary form of a humble
or honorific verb is not its plain counterpart, and some others inflect by themselves. So are
phrases of that kind: お or ご with a verb or noun and する, できる, になる, にかかる (お持ちする,
お目にかかる), and nouns in 拝 with する. Adjectives that end in ない (もったいない) take です.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from kensho.augment import Files, converted
from kensho.linguistics.sudachi import check, pieces
from kensho.linguistics.tokens import Analyser, Token, tokens

TECHNIQUE = "politeness"

ROWS = {
    "カ": ("かきこ", "いた"),
    "ガ": ("がぎご", "いだ"),
    "サ": ("さしそ", "した"),
    "タ": ("たちと", "った"),
    "ナ": ("なにの", "んだ"),
    "バ": ("ばびぼ", "んだ"),
    "マ": ("まみも", "んだ"),
    "ラ": ("らりろ", "った"),
    "ワア": ("わいお", "った"),
}  # 五段 rows: 未然形, 連用形 and 意志形 vowels, past ending
# Verbs whose style is lexical (humble, honorific), and irregular ones; by dictionary form.
LEXICAL = Path(__file__).parents[3] / "resources/linguistics/lexical_verbs.csv"
HONOURS = {"成る", "掛かる", "かかる", "掛ける", "かける", "入れる", "与る", "あずかる"}  # お…に
NAI_VERBS = {"くだる", "下る", "つまる", "詰まる"}  # くだらない is an adjective
ROUGH = {"俺", "おれ", "オレ", "お前", "おまえ", "貴様", "てめえ", "やがる", "くそ", "クソ"}
OTHER_FORMS = ("命令形", "仮定形", "意志推量形", "終止形", "連体形")  # 運べます: not of 運ぶ
EXISTS = {"ある", "有る", "在る"}  # ない, not あらない
FINITE = {"終止形-一般", "連体形-一般"}
ADJECTIVES = {"形容詞", "助動詞-タイ", "助動詞-ラシイ"}
COPULA_HOSTS = {"名詞", "代名詞", "形状詞", "接尾辞", "副詞"}
COPULA_PARTICLES = {"から", "まで", "だけ", "ばかり", "の", "ん", "くらい", "ぐらい"}
TAILS = {"", "よ", "ね", "よね", "か"}
KANA = re.compile("[ぁ-ん]+")


@cache
def lexical_verbs() -> frozenset[str]:
    """Dictionary forms of the verbs that are left alone."""
    with open(LEXICAL, encoding="utf-8", newline="") as table:
        return frozenset(row["verb"] for row in csv.DictReader(table))


def is_lexical(words: Sequence[Token], head: int) -> bool:
    """Whether a verb, or the one under its passive or causative, is one of :func:`lexical_verbs`.

    Its spelling does not matter (戴く: 頂く), but いる is spelt 居る only by Sudachi. Behind a verb
    とる and どる are ておる.
    """
    while head and words[head].conjugation == "助動詞-レル":
        head -= 1
    lemma = words[head].lemma
    if lemma in {"とる", "どる"}:
        return head > 0 and is_verb(words[head - 1])
    spelt = {lemma} if lemma in {"いる", "居る"} else {lemma, words[head].normalised}
    return bool(spelt & lexical_verbs())


def is_honorific(words: Sequence[Token], head: int) -> bool:
    """Whether a verb or copula ends a humble or honorific phrase: お持ちする, お待ちだ."""
    while head and words[head].conjugation == "助動詞-レル":
        head -= 1
    place, verb = head - 1, words[head].normalised
    honours = verb in HONOURS and place > 0 and words[place].pos[:2] == ("助詞", "格助詞")
    if honours and words[place].surface == "に":
        place -= 1
    elif verb not in {"為る", "出来る", "です", "だ"}:
        return False
    if place < 0:
        return False
    word, before = words[place], words[place - 1] if place else None
    noun, kind = word.normalised, word.pos
    if verb in {"です", "だ"} and kind[0] != "動詞":  # お待ちです, but お茶です
        return noun in {"御覧", "御存知"}
    if verb == "為る" and (noun.startswith("拝") or noun == "頂戴"):
        return True
    whole = noun.startswith("御") and (kind[2].startswith("サ変") or noun == "御覧")  # お世話する
    if whole or before is None:
        return whole
    return before.pos[0] == "接頭辞" and before.normalised == "御"


def conjugate(lemma: str, kind: str, form: str) -> str | None:
    """Plain form of a verb in modern inflection, None for a verb not surely handled.

    ``kind`` is Sudachi's conjugation type; ``form`` one of ``stem`` (before ます), ``nonpast``,
    ``past``, ``negative`` (before い/かった) and ``volitional``. Verbs in ずる (感ずる) are given
    their modern form in じる.
    """
    if lemma in lexical_verbs():
        return None
    if kind == "サ行変格" and lemma.endswith("ずる"):
        lemma, kind = lemma[:-2] + "じる", "上一段-ザ行"
    if form == "nonpast":
        return lemma
    if kind.startswith("五段-") and (row := ROWS.get(kind[3:-1])):
        (a, i, o), past = tuple(row[0]), row[1]
        if lemma in EXISTS and form == "negative":
            return "な"
        if lemma.endswith(("行く", "いく")):
            past = "った"
        ending = {"stem": i, "past": past, "negative": a + "な", "volitional": o + "う"}[form]
        return lemma[:-1] + ending
    ending = {"stem": "", "past": "た", "negative": "な", "volitional": "よう"}[form]
    if kind == "下一段-ア行" and lemma == "うる":  # ありうる, but ありえます
        return "え" + ending
    if kind.startswith(("上一段-", "下一段-")) or kind == "助動詞-レル":
        return lemma[:-1] + ending
    if kind == "サ行変格" and lemma.endswith("する"):
        known = lemma == "する" or form in {"stem", "past"}  # 愛する: 愛さない
        return lemma[:-2] + "し" + ending if known else None
    if kind == "カ行変格" and lemma.endswith("来る"):
        return lemma[:-1] + ending
    if kind == "カ行変格" and lemma.endswith("くる"):
        return lemma[:-2] + ("き" if form in {"stem", "past"} else "こ") + ending
    return None


class Ending(NamedTuple):
    """A sentence-final predicate: where it starts and what it is."""

    polite: bool
    head: int  # index of the verb, adjective or copula; what precedes it stays
    form: str  # nonpast, past, negative, negative-past, volitional, presumptive
    kind: str  # verb, adjective, copula, nai (ない or なかった as a word of its own)


def is_verb(word: Token) -> bool:
    """Whether a word is a verb, or an auxiliary that inflects like one, in modern inflection."""
    verbal = word.conjugation.startswith(("五段-", "上一段-", "下一段-", "サ行変格", "カ行変格"))
    return verbal or word.conjugation == "助動詞-レル"


def hosts_copula(word: Token) -> bool:
    """Whether だ and です can follow a word."""
    pos = word.pos
    return (
        (pos[0] in COPULA_HOSTS and word.conjugation == "*")  # no 覚えやすい
        or word.surface == "べき"
        or (pos[0] == "助詞" and word.surface in COPULA_PARTICLES)
    )


def polite_ending(words: Sequence[Token]) -> Ending | None:
    """The polite predicate that ``words`` end in."""
    lemmas = [w.lemma for w in words]
    n = len(words)
    for tail, form in (
        (["ます", "ぬ", "です", "た"], "negative-past"),
        (["ます", "ぬ"], "negative"),
        (["ます", "た"], "past"),
        (["ます"], "nonpast"),
    ):
        if lemmas[-len(tail) :] == tail and n > len(tail) and is_verb(words[n - len(tail) - 1]):
            if words[-1].surface == "ましょう":
                form = "volitional"
            elif words[-1].form not in FINITE | {"終止形-撥音便"}:
                return None
            verb = words[n - len(tail) - 1].lemma
            if form.startswith("negative") and verb in NAI_VERBS and KANA.fullmatch(verb):
                return None  # くだりません is not くだらない
            return Ending(True, n - len(tail) - 1, form, "verb")
    if words[-1].surface == "でしょう" and n > 1:
        return Ending(True, n - 1, "presumptive", "copula")
    past = lemmas[-2:] == ["です", "た"]
    head = n - 2 if past else n - 1
    if lemmas[head] != "です" or head < 1 or words[-1].form not in FINITE:
        return None
    host = words[head - 1]
    if hosts_copula(host):
        return Ending(True, head, "past" if past else "nonpast", "copula")
    adjectival = host.conjugation in ADJECTIVES | {"助動詞-ナイ"} or (
        lemmas[head - 1] == "た" and words[head - 2].conjugation in ADJECTIVES | {"助動詞-ナイ"}
    )
    return Ending(True, head, "nonpast", "adjective") if adjectival and not past else None


def plain_ending(words: Sequence[Token]) -> Ending | None:
    """The plain predicate that ``words`` end in."""
    last, n = words[-1], len(words)
    if last.surface == "だろう" and n > 1:
        return Ending(False, n - 1, "presumptive", "copula")
    if is_verb(last) and last.form == "意志推量形":
        return Ending(False, n - 1, "volitional", "verb")
    if last.form not in FINITE:
        return None
    past = last.conjugation == "助動詞-タ"
    head = n - 2 if past else n - 1
    if head < 0:
        return None
    word, form = words[head], "past" if past else "nonpast"
    before = words[head - 1] if head else None
    if word.lemma in {"ない", "無い"}:
        if past and not word.surface.endswith("かっ"):  # 感動してないた: 泣いた
            return None
        if word.conjugation == "形容詞":
            if before is not None and before.pos[1] == "接続助詞":
                return None  # 混んで(い)なかった
            if before is not None and before.pos[0] in {"名詞", "副詞"}:
                return Ending(False, n, form, "adjective")  # もったいない, とんでもない
            return Ending(False, head, "negative-past" if past else "negative", "nai")
        if before is not None and is_verb(before):
            if before.lemma in NAI_VERBS:
                return Ending(False, n, form, "adjective")
            return Ending(False, head - 1, "negative-past" if past else "negative", "verb")
        return None
    if word.conjugation in ADJECTIVES:
        return Ending(False, n, form, "adjective")
    if word.lemma == "だ" and before is not None and hosts_copula(before):
        return Ending(False, head, form, "copula") if word.surface in {"だ", "だっ"} else None
    if is_verb(word):
        return Ending(False, head, form, "verb")
    return None


def ambiguous(words: Sequence[Token], head: int) -> bool:
    """Whether a verb in kana may be another one (あった: 会う), or である, which has no ます."""
    word, before = words[head], words[head - 1].surface if head else ""
    lemma = word.lemma
    onbin = "音便" in word.form
    if lemma == "ある" and (before == "で" or (onbin and before in {"に", "と"})):
        return True
    if before in {"て", "で"} or not KANA.fullmatch(word.surface):
        return False
    short = len(lemma) == 2 and onbin and lemma not in {"なる", "やる", "ある"}
    return short or lemma in {"かえる", "きる", "へる", "くる"}


def predicate(words: Sequence[Token], ending: Ending) -> str | None:
    """The predicate in the other style, without particles."""
    polite, head, form, kind = ending
    if kind == "nai":
        return "ありません" + ("でした" if form == "negative-past" else "")
    if kind == "adjective":
        return "" if polite else "です"
    if head < len(words) and is_honorific(words, head):
        return None
    if kind == "copula":
        plain = {"nonpast": "だ", "past": "だった", "presumptive": "だろう"}
        courteous = {"nonpast": "です", "past": "でした", "presumptive": "でしょう"}
        return (plain if polite else courteous)[form]
    verb = words[head]
    other = head + 1 < len(words) and verb.form.startswith(OTHER_FORMS)
    if ambiguous(words, head) or is_lexical(words, head) or other:
        return None
    lemma = verb.lemma
    if not polite:
        stem = conjugate(lemma, verb.conjugation, "stem")
        ends = {"nonpast": "ます", "past": "ました", "volitional": "ましょう"}
        ends |= {"negative": "ません", "negative-past": "ませんでした"}
        return stem and stem + ends[form]
    base = conjugate(lemma, verb.conjugation, form.removesuffix("-past"))
    return base and base + {"negative": "い", "negative-past": "かった"}.get(form, "")


def explanatory(words: Sequence[Token], particles: str, question: bool) -> tuple | None:
    """の-sentences, 行くの? ⇄ 行くのですか?, 行くのか。 ⇄ 行くのですか。: (start, new, polite)."""
    nominal = words[-1].pos[1] == "準体助詞"
    if (particles.startswith("の") and particles[1:] in TAILS) or (nominal and particles == "か"):
        host = words[-2] if nominal else words[-1]
        rest = particles if nominal else particles[1:]
        if host.form not in FINITE:
            return None
        ending = "か" if question and not rest else rest
        return (words[-1].begin if nominal else words[-1].end), "のです" + ending, False
    asks = particles == "か" and len(words) > 2 and words[-1].surface == "です"
    if asks and words[-2].pos[1] == "準体助詞":
        return words[-2].begin, "の" if question else "のか", True
    return None


def particles_after(ending: Ending, particles: str, question: bool) -> str | None:
    """Final particles that the other style takes, None where it takes none of these."""
    _, _, form, kind = ending
    if particles not in TAILS:
        return None
    if form == "presumptive":
        return particles
    if not ending.polite:
        if kind == "copula" and form == "nonpast" and (question or particles == "か"):
            return None
        return "か" if question and not particles else particles
    if particles != "か" or form == "volitional":
        return particles
    if question:
        return ""
    return "か" if form == "negative" else "のか"  # 行きませんか invites


def transform(text: str, analyser: Analyser = "sudachi") -> tuple[str, dict] | None:
    """The sentence in the other style and what was done, None if it is not surely convertible."""
    if len(pieces(text)) > 1:
        return None
    words = tokens(text, analyser)
    while words and words[-1].pos[1] == "句点":
        words.pop()
    if len(words) < 2 or any(w.pos[1] == "句点" for w in words):
        return None
    end = words[-1].end
    question = "?" in unicodedata.normalize("NFKC", text[end:])
    particles = ""
    while words and words[-1].pos[1] == "終助詞":
        particles = words.pop().surface + particles
    lemmas = [w.lemma for w in words]
    if len(words) < 2 or ROUGH & set(lemmas):
        return None
    if edit := explanatory(words, particles, question):
        start, new, polite = edit
        form, head = "explanatory", len(words) - polite
    else:
        ending = polite_ending(words) or plain_ending(words)
        if ending is None:
            return None
        kept = particles_after(ending, particles, question)
        stated = predicate(words, ending)
        if kept is None or stated is None:
            return None
        polite, head, form, kind = ending
        asks_copula = polite and kind == "copula" and form == "nonpast" and particles == "か"
        if asks_copula:  # 学生ですか? → 学生?, 学生ですか。 → 学生なのか。
            stated, kept = "", "" if question else "なのか"
        start, new = (words[head].begin if head < len(words) else words[-1].end), stated + kept
        form = f"{kind} {form}"
    if any(lemma == "ます" or lemma.startswith("です") for lemma in lemmas[:head]):
        return None  # a polite clause before it
    rule = "polite to plain" if polite else "plain to polite"
    operation = {"rule": rule, "form": form, "from": text[start:end], "to": new}
    return text[:start] + new + text[end:], operation


def variants(
    samples: pd.DataFrame,
    *,
    seed: int,
    per_sample: int,
    probability: float,
    analyser: Analyser = "sudachi",
) -> pd.DataFrame:
    """Each convertible sample in the other style; a sample has one such variant at most.

    ``probability`` is the chance that a sample is taken.
    """
    check(samples["ja"], "samples")
    return converted(
        samples,
        TECHNIQUE,
        partial(transform, analyser=analyser),
        seed=seed,
        per_sample=per_sample,
        probability=probability,
    )


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Each convertible sample in the other style; ``limit`` is not reached."""
    check(samples["ja"], inputs["train"], first=2)
    return variants(samples, seed=seed, **settings)
