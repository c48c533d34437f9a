"""Bunsetsu-order shuffling that keeps the dependencies (claim F-6).

Japanese lets the dependents of a predicate change places ("scrambling") while the predicate stays
last. A block is one dependent of the root with everything below it, by GiNZA's dependency parse;
blocks move whole, so no dependency inside them is touched. Only arguments and adjuncts move:
clauses, conjunctions, quotations and the like are barriers that nothing crosses.
"""

import re
from collections.abc import Mapping
from itertools import chain, combinations, pairwise, permutations, product
from typing import Any, cast

import ginza
import pandas as pd
from spacy.tokens import Doc, Span

from kensho.augment import Files, hash_order, sample_rng, variant_rows, variant_table
from kensho.augment.parsing import parsed, parser, recognised
from kensho.linguistics.sudachi import check, pieces

TECHNIQUE = "bunsetsu"
MAX_RUN = 5  # neighbouring movable blocks: at most 5! orders

CASE_PARTICLES = {"が", "を", "に", "で", "へ", "と", "から", "まで", "は", "も"}
RELATIONS = {"nsubj", "obj", "iobj", "obl", "advmod", "dislocated"}
PREDICATES = {"VERB", "ADJ", "NOUN", "PROPN", "PRON"}
NOMINALS = {"NOUN", "PROPN", "PRON"}
# Words that look at their neighbour or at the whole sentence, and floating quantifiers.
FIXED_WORDS = re.compile(
    "とても|もっと|かなり|すごく|非常に|最も|一番|いちばん|あまり|あんまり|全く|"
    "まったく|少し|ちょっと|ずっと|やや|より|さらに|ほとんど|大変|本当|なんて|"
    "なぜ|どうして|もし|たとえ|まるで|例えば|実は|みんな|皆|みな|全部|全員|"
    "すべて|全て|お互い|互い|たくさん|一緒|限り|"
    "理由|原因|目的|前提|条件|皮切り|胸"
)
FORMAL_NOUNS = re.compile("こと|の|もの|事|物|はず|つもり|わけ|ため|よう|ところ|まま|ほう|方|気")
BOUND_PARTICLES = dict.fromkeys(
    ["する", "なる", "つく", "付く", "いう", "言う", "呼ぶ"], "がをにとも"
)
BOUND_PARTICLES |= dict.fromkeys(["ある", "いる", "ない", "無い", "できる", "出来る"], "がをも")
INTERROGATIVES = {"誰", "だれ", "何", "なに", "なん", "どこ", "どれ", "いつ", "どちら"}
SENTENCE_END = "。.!?"
MARKS = set("「」『』()[]〈〉《》【】“”\"'―…・:;~" + SENTENCE_END)


def worth_parsing(text: str) -> bool:
    """Whether a text may have two blocks that can swap: one sentence, no brackets, two candidates.

    A candidate is an adverb, or a noun with its only particle; one of two adverbs or two different
    particles is needed. It is read off the words, which costs a fiftieth of a parse.
    """
    inner = text.rstrip(SENTENCE_END)
    if not MARKS.isdisjoint(inner) or len(pieces(inner)) > 1:
        return False
    sudachi = cast(Any, parser().tokenizer).tokenizer
    words = [(m.surface(), m.part_of_speech()) for m in sudachi.tokenize(inner)]
    marks: set[str] = set()
    edge = ("", ("",) * 6)
    for before, (word, pos), after in zip([edge, *words], words, words[1:], strict=False):
        if pos[0] == "副詞" or pos[2] == "副詞可能":
            attached = after[1][0] in {"助詞", "助動詞", "接尾辞"}
            if attached or FIXED_WORDS.fullmatch(word):
                continue
            if "" in marks:
                return True
            marks.add("")
        elif pos[0] == "助詞" and word in CASE_PARTICLES:
            clause = before[1][0] in {"", "動詞", "形容詞", "助動詞"} or pos[1] == "接続助詞"
            if not clause and after[1][0] not in {"助詞", "助動詞"}:
                marks.add(word)
    return len(marks) > 1


def divide(doc: Doc) -> tuple[list[Span], Span] | None:
    """The root's dependents as two or more contiguous blocks, and the predicate; else None."""
    roots = [sentence.root for sentence in doc.sents]
    if len(roots) != 1 or roots[0].n_lefts < 2:
        return None
    root = roots[0]
    starts = {span.start for span in ginza.bunsetu_spans(recognised(doc))}
    predicate = doc[max(i for i in starts if i <= root.i) :]
    blocks, position = [], 0
    for child in root.lefts:
        if child.i >= predicate.start:
            break
        block = doc[child.left_edge.i : child.right_edge.i + 1]
        if block.start != position or position not in starts:
            return None
        blocks.append(block)
        position = block.end
    return (blocks, predicate) if position == predicate.start else None


def particle(block: Span) -> str:
    """The particle a block ends in, "" for none."""
    word = [t for t in block if not t.is_punct][-1:]
    return word[0].text if word and word[0].tag_.startswith("助詞") else ""


def movable(block: Span, predicate: Span) -> bool:
    """Whether a block is an argument or adjunct of the predicate that may change places."""
    top, mark = block.root, particle(block)
    fixed = any(FIXED_WORDS.fullmatch(w) for w in (top.text, block[0].text)) or any(
        t.dep_ == "cop" for t in top.children
    )
    if fixed or top.dep_ not in RELATIONS:
        return False
    if not mark:  # an adverb or a noun of time, but no clause as in 着いたとき
        time = "副詞可能" in top.tag_ and not any(t.dep_ == "acl" for t in top.children)
        return top.pos_ == "ADV" or (time and not FORMAL_NOUNS.fullmatch(top.text))
    if top.pos_ not in NOMINALS or mark not in CASE_PARTICLES:
        return False
    if mark == "も" and (INTERROGATIVES | {"人", "度"}) & {t.text for t in block}:
        return False
    # Next to the predicate it may be one expression with it: 世話をする, ことがある, 気に入る.
    light = mark in BOUND_PARTICLES.get(predicate.root.lemma_, ())
    return block.end != predicate.start or not (light or FORMAL_NOUNS.fullmatch(top.text))


def may_cross(left: Span, right: Span, predicate: Span) -> bool:
    """Whether two movable blocks may swap.

    Blocks with equal particles may not (彼が私が), and nothing crosses the topic that is an adverb
    or, where the predicate is no verb, a nominative (象は鼻が長い).
    """
    marks = particle(left), particle(right)
    if "は" in marks:
        verbal = predicate.root.pos_ == "VERB"
        adverb = any(b.root.pos_ == "ADV" and not particle(b) for b in (left, right))
        return marks[0] != marks[1] and not adverb and (verbal or "が" not in marks)
    return marks[0] != marks[1] or marks[0] == ""


def orders(blocks: list[Span], predicate: Span) -> list[tuple[int, ...]]:
    """The permitted new orders, as permutations of the block indices."""
    runs: list[list[int]] = []
    previous = False  # whether the block before is movable
    listed = [particle(b) for b in blocks].count("も") > 1  # 英語も仏語も
    bound = False  # whether the block before leans on this one (私たち皆は)
    for i, block in enumerate(blocks):
        free = movable(block, predicate) and not bound and not (listed and particle(block) == "も")
        if free and previous:
            runs[-1].append(i)
        else:
            runs.append([i])
        bound = not free and particle(block) in {"", "か"} and not block[-1].is_punct
        previous = free
    if max(map(len, runs), default=0) > MAX_RUN:
        return []

    def allowed(run: tuple[int, ...]) -> bool:
        swapped = [(b, a) for a, b in combinations(run, 2) if a > b]
        return (
            all(may_cross(blocks[a], blocks[b], predicate) for a, b in swapped)
            # スイスとドイツは would read as a coordination
            and not any(particle(blocks[a]) == "と" and b != a + 1 for a, b in pairwise(run))
            and (run[-1] == max(run) or not blocks[run[-1]][-1].is_punct)
        )

    choices = [[r for r in permutations(run) if allowed(r)] for run in runs]
    candidates = [tuple(chain.from_iterable(choice)) for choice in product(*choices)]
    return [order for order in candidates if order != tuple(range(len(blocks)))]


def reorder(doc: Doc) -> list[tuple[str, dict]]:
    """All permitted rearrangements of a parsed sentence, with the blocks' old positions."""
    divided = divide(doc)
    if divided is None or divided[1].root.pos_ not in PREDICATES:
        return []
    blocks, predicate = divided
    texts = [b.text_with_ws for b in blocks]
    return [
        ("".join(texts[i] for i in order) + predicate.text, {"blocks": texts, "order": order})
        for order in orders(blocks, predicate)
    ]


def variants(
    samples: pd.DataFrame,
    *,
    seed: int,
    per_sample: int,
    probability: float,
    limit: int | None = None,
) -> pd.DataFrame:
    """Up to ``per_sample`` rearrangements of each sample that allows any.

    ``probability`` is the chance that a sample is taken at all. Samples are visited in a seeded
    order and parsing stops once there are ``limit`` variants.
    """
    check(samples["ja"], "samples")
    table = list(samples.itertuples())
    visited = [table[i] for i in hash_order(seed, TECHNIQUE, [sample.id for sample in table])]
    taken = [
        (sample, rng)
        for sample in visited
        if (rng := sample_rng(seed, TECHNIQUE, sample.id)).random() < probability
        and worth_parsing(sample.ja)
    ]
    reordered = parsed([sample.ja for sample, _ in taken], reorder)
    rows: list[dict] = []
    for (sample, rng), orders_of_it in zip(taken, reordered, strict=True):
        if limit is not None and len(rows) >= limit:
            break
        arrangements = [made for made in orders_of_it if sorted(made[0]) == sorted(sample.ja)]
        picked = rng.permutation(len(arrangements))[:per_sample]
        rows += variant_rows(sample, TECHNIQUE, [arrangements[i] for i in picked])
    return variant_table(rows[:limit])


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Rearrangements, ``limit`` of them at most."""
    check(samples["ja"], inputs["train"], first=2)
    return variants(samples, seed=seed, limit=limit, **settings)
