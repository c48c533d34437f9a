"""Syntactic transformations beyond order: direct passive, and cleft with a relative clause.

    彼が窓を割った。 -> 窓が彼によって割られた。 (passive; に where a person suffers it)
    彼が窓を割った。 -> 窓を割ったのは彼だ。 (cleft: the clause becomes a relative clause of の)

Both begin from the blocks of GiNZA's parse, as the order of bunsetsu does, and rebuild the
predicate by rule. What is not surely transformed is left alone: predicates that are no plain or
polite verb in the present or past, subjects that are the speaker (a passive takes the view of its
subject: Kuno & Kaburaki 1977, "Empathy and Syntax"), agents that are no person, objects of motion
and of states.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd
from spacy.tokens import Doc, Span

from kensho.augment import Files, sample_rng, variant_rows, variant_table
from kensho.augment.bunsetsu import (
    BOUND_PARTICLES,
    INTERROGATIVES,
    NOMINALS,
    RELATIONS,
    divide,
    particle,
    worth_parsing,
)
from kensho.augment.parsing import parsed
from kensho.augment.politeness import conjugate, plain_ending, polite_ending
from kensho.augment.synonyms import inflection
from kensho.linguistics.sudachi import check
from kensho.linguistics.tokens import tokens

TECHNIQUE = "syntax"
SPEAKER = {"私", "わたし", "僕", "ぼく", "俺", "おれ", "我々", "われわれ", "私たち", "私達", "僕ら"}
PERSON = re.compile(
    ".*(?:人|者|員|生|師|手|家|官|長|父|母|兄|弟|姉|妹|子|供|男|女|親|犬|猫|君|さん|泥棒)"
)
# を with these is a path, a source, a time or a state, of which Japanese makes no direct passive.
NO_PASSIVE = {
    *("歩く", "走る", "通る", "渡る", "出る", "降りる", "離れる", "曲がる", "登る", "越える"),
    *("過ぎる", "行く", "飛ぶ", "泳ぐ", "去る", "立つ", "回る", "過ごす", "経る", "卒業", "出発"),
    *("持つ", "要る", "得る", "似る", "着る", "履く", "被る", "浴びる", "終える", "終わる"),
    *("為る", "遣る", "取る", "掛ける", "付ける", "付く", "上げる", "入れる", "立てる", "する"),
    *("呉れる", "止める", "辞める", "自慢", "切望"),
}
# Nouns that make one expression with their verb: 我を忘れる, 面倒を見る, 息を引き取る.
IDIOMS = {"我", "面倒", "世話", "息", "夢", "後ろ", "気", "声", "命"}
IDIOMS |= {"目", "口", "手", "腹", "身", "頭", "顔", "肩", "足", "腕"}  # and what has a possessor
OWN = ("自分", "互い", "自身", "それぞれ", "一人")  # would lose what they refer to
BOUND = {verb for verb, particles in BOUND_PARTICLES.items() if "が" in particles}
KEPT = {"", "で", "と", "から", "まで", "へ"}  # particles that other blocks may end in


class Predicate(NamedTuple):
    """A verb in the present or past that ends a sentence."""

    lemma: str  # normalised; of a noun with する the noun
    passive: str | None  # with what precedes the verb, in its style and tense
    plain: str  # the same in plain style
    polite: bool
    end: str  # closing punctuation


def predicate(span: Span) -> Predicate | None:
    """The predicate of a sentence, read off its words; None for all but one surely handled verb."""
    body = span.text.rstrip("。")
    words = tokens(body)
    ending = (polite_ending(words) or plain_ending(words)) if words else None
    if ending is None or ending.kind != "verb" or ending.form not in {"nonpast", "past"}:
        return None
    verb = words[ending.head]
    kind = verb.conjugation
    stem, plain = (conjugate(verb.lemma, kind, form) for form in ("negative", ending.form))
    light = kind == "サ行変格"
    noun = ending.head == 1 and words[0].pos[2].startswith("サ変")
    if stem is None or plain is None or (ending.head and not (light and noun)):
        return None  # 食べ始める and 読んでしまう among others
    before, passive = body[: verb.begin], None
    if light:
        passive = "され"
    elif kind.startswith("五段") or inflection(verb).startswith("一段"):  # no 可能: 話せる
        passive = stem.removesuffix("な") + ("れ" if kind.startswith("五段") else "られ")
    if ending.polite:
        inflected = "ました" if ending.form == "past" else "ます"
    else:
        inflected = "た" if ending.form == "past" else "る"
    return Predicate(
        lemma=before if light and noun else verb.normalised,
        passive=passive and before + passive + inflected,
        plain=before + plain,
        polite=ending.polite,
        end=span.text[len(body) :],
    )


def noun(block: Span) -> str:
    """A block without its particle."""
    return block.text.removesuffix(particle(block))


def of_subject(blocks: list[Span]) -> int | None:
    """Place of the only block that が or は marks as subject; None where there is none such."""
    marked = [k for k, block in enumerate(blocks) if particle(block) in {"が", "は"}]
    if len(marked) != 1 or any(block[-1].is_punct for block in blocks):
        return None
    top = blocks[marked[0]].root
    is_noun = top.dep_ == "nsubj" and top.pos_ in NOMINALS
    return marked[0] if is_noun and top.text not in INTERROGATIVES else None


def person(block: Span) -> bool:
    top = block.root
    return top.pos_ in {"PRON", "PROPN"} or bool(PERSON.fullmatch(top.text))


def passive(blocks: list[Span], verb: Predicate) -> tuple[str, dict] | None:
    """Direct passive: the object takes the subject's place and mark, the agent the object's."""
    subject = of_subject(blocks)
    objects = [k for k, block in enumerate(blocks) if particle(block) == "を"]
    if subject is None or len(objects) != 1 or verb.passive is None or verb.lemma in NO_PASSIVE:
        return None
    others = [b for k, b in enumerate(blocks) if k not in {subject, *objects}]
    agent, patient = blocks[subject], blocks[objects[0]]
    free = all(particle(block) in KEPT and block.root.dep_ in RELATIONS for block in others)
    own = patient.root.text in IDIOMS or any(word in b.text for b in blocks for word in OWN)
    if not person(agent) or agent.root.text in SPEAKER or not free or own:
        return None
    by = "に" if person(patient) else "によって"  # 本が彼に送られた: to him
    texts = [block.text for block in blocks]
    texts[subject], texts[objects[0]] = noun(patient) + particle(agent), noun(agent) + by
    done = {"rule": "passive", "agent": agent.text, "patient": patient.text}
    return "".join(texts) + verb.passive + verb.end, done


def cleft(blocks: list[Span], verb: Predicate) -> tuple[str, dict] | None:
    """The subject behind の and the rest of the clause, which modifies it."""
    subject = of_subject(blocks)
    if subject is None:
        return None
    others = [block for k, block in enumerate(blocks) if k != subject]
    bound = subject == len(blocks) - 1 and verb.lemma in BOUND  # 気がする, ことがある
    free = all(block.root.dep_ in RELATIONS and particle(block) != "も" for block in others)
    if not others or bound or not free:
        return None
    focus = noun(blocks[subject])
    text = "".join(block.text for block in others) + verb.plain + "のは" + focus
    return text + ("です" if verb.polite else "だ") + verb.end, {"rule": "cleft", "focus": focus}


RULES: tuple[Callable[[list[Span], Predicate], tuple[str, dict] | None], ...] = (passive, cleft)


def transform(doc: Doc) -> list[tuple[str, dict]]:
    """What the rules make of a parsed sentence, with what was done."""
    divided = divide(doc)
    verb = divided and predicate(divided[1])
    if not divided or not verb or "".join(b.text for b in divided[0]) + divided[1].text != doc.text:
        return []
    return [made for rule in RULES if (made := rule(divided[0], verb))]


def variants(
    samples: pd.DataFrame, *, seed: int, per_sample: int, probability: float
) -> pd.DataFrame:
    """Up to ``per_sample`` transformations of each sample that allows any.

    ``probability`` is the chance that a sample is taken at all.
    """
    check(samples["ja"], "samples")
    taken = [
        (sample, rng)
        for sample in samples.itertuples()
        if (rng := sample_rng(seed, TECHNIQUE, sample.id)).random() < probability
        and worth_parsing(sample.ja)
    ]
    rows = []
    transformed = parsed([sample.ja for sample, _ in taken], transform)
    for (sample, rng), made in zip(taken, transformed, strict=True):
        picked = rng.permutation(len(made))[:per_sample]
        rows += variant_rows(sample, TECHNIQUE, [made[k] for k in picked])
    return variant_table(rows)


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Transformations of every sample that allows any; ``limit`` is not reached."""
    check(samples["ja"], inputs["train"], first=2)
    return variants(samples, seed=seed, **settings)
