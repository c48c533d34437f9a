"""Synonym replacement with the inflection kept (claim F-6).

Synonymy is Sudachi's: words that share a synonym group. The dictionary in use holds group numbers
but no member lists, so the members are those attested in a corpus, each with its inflected form;
a replacement is thus always a form that somebody has written.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd

from kensho.augment import Files, sample_rng, variant_rows, variant_table
from kensho.data.corpus import read_table
from kensho.linguistics.sudachi import check
from kensho.linguistics.tokens import Analyser, Token, tokens

TECHNIQUE = "synonyms"
INVENTORY_COLUMNS = ["lemma", "pos", "form", "context", "groups", "surface", "count"]

KANA = re.compile("[ぁ-ゖー]+")
CONTENT_NOUNS = {"一般", "サ変可能", "形状詞可能", "サ変形状詞可能", "副詞可能"}
COMPOUNDING = {"名詞", "接尾辞", "接頭辞"}
# What precedes る in 一段 verbs; Sudachi normalises 可能 verbs to their 五段 verb (話せる: 話す).
ICHIDAN_STEMS = set("いきぎしじちにひびみりえけげせぜてでねへべめれ見着居似煮出寝経得診射")
ATTEMPTS = 3  # draws per wanted variant, for draws may repeat each other
SHARED_GROUPS = 0.5  # Jaccard index of the two words' synonym groups: keeps homonyms apart


def is_content(word: Token, before: Token | None) -> bool:
    """Whether a word may be replaced: no names, numbers, auxiliaries or ambiguous short kana.

    A verb that can be an auxiliary counts as a main verb where no predicate comes right before.
    """
    surface, pos = word.surface, word.pos
    if KANA.fullmatch(surface) and (pos[0] == "動詞" or len(word.lemma) < 4):
        return False
    if pos[0] == "名詞":
        if surface.endswith(("たち", "達")):  # 子供たち would change the number
            return False
        return pos[1] == "普通名詞" and pos[2] in CONTENT_NOUNS
    if pos[0] == "動詞" and pos[1] == "非自立可能":
        left = before.pos if before is not None else ("",) * 4
        return left[0] in {"名詞", "代名詞", "副詞"} or left[1] in {"格助詞", "係助詞"}
    return pos[0] in {"副詞", "形状詞"} or (pos[0] in {"動詞", "形容詞"} and pos[1] == "一般")


def inflection(word: Token) -> str:
    """Inflected form with what decides which auxiliaries may follow it.

    Verbs keep their type (五段, 一段, サ変): it chooses れる or られる, せる or させる, う or よう.
    Among 五段 verbs the row matters where た follows: ガ行 voices it, サ行 has no 音便.
    """
    kind, form = word.conjugation, word.form
    family = kind.split("-")[0].replace("上一段", "一段").replace("下一段", "一段")
    if family == "一段" and word.normalised[-2] not in ICHIDAN_STEMS:
        family = "可能"
    row = kind[-2:] if kind in {"五段-ガ行", "五段-サ行"} and form.startswith("連用形") else ""
    return f"{family}{row}:{form}"


def context(words: list[Token], i: int) -> str:
    """The neighbour that governs the word: for predicates the one before, else the one after."""
    before_predicate = words[i].pos[0] in {"動詞", "形容詞"}
    j = i - 1 if before_predicate else i + 1
    if not 0 <= j < len(words):
        return ""
    pos, lemma = words[j].pos[0], words[j].lemma
    return lemma if pos in {"助詞", "助動詞"} or lemma in {"する", "なる", "ない"} else pos


def in_compound(words: list[Token], i: int) -> bool:
    """Whether a noun stands next to a noun or an affix, where a synonym seldom fits."""
    if words[i].pos[0] not in {"名詞", "形状詞"}:
        return False
    around = words[max(0, i - 1) : i] + words[i + 1 : i + 2]
    return any(w.pos[0] in COMPOUNDING for w in around)


def occurrences(text: str, analyser: Analyser = "sudachi", *, grouped: bool = True) -> list[dict]:
    """Content words of a text with their span, synonym groups and the slot they fill.

    Only those that have a synonym group, if ``grouped``.
    """
    words = content_words(tokens(text, analyser))
    return [word for word in words if word["groups"] or not grouped]


def content_words(words: list[Token]) -> list[dict]:
    """The same of analysed words."""
    return [
        {
            "begin": word.begin,
            "end": word.end,
            "surface": word.surface,
            "lemma": word.normalised,
            "groups": word.groups,
            "pos": "-".join(word.pos),
            "form": inflection(word),
            "context": context(words, i),
        }
        for i, word in enumerate(words)
        if is_content(word, words[i - 1] if i else None) and not in_compound(words, i)
    ]


def inventory(
    texts: Iterable[str], analyser: Analyser = "sudachi", *, grouped: bool = True
) -> pd.DataFrame:
    """Attested content words: lemma, part of speech, inflected form, neighbour, groups, surface.

    ``groups`` are Sudachi's synonym groups, space-separated; ``count`` counts occurrences. Only
    words that have such a group, if ``grouped``.
    """
    check(texts := list(texts), "texts")
    slots = itemgetter(*INVENTORY_COLUMNS[:-1])
    counts = Counter(
        slots(word) for text in texts for word in occurrences(text, analyser, grouped=grouped)
    )
    rows = [(*slot, count) for slot, count in counts.items()]
    table = pd.DataFrame(rows, columns=INVENTORY_COLUMNS)
    table["groups"] = [" ".join(map(str, sorted(groups))) for groups in table["groups"]]
    return table.sort_values(INVENTORY_COLUMNS, ignore_index=True)


class Thesaurus(NamedTuple):
    """An inventory indexed for look-up."""

    members: dict[tuple[int, str, str], dict[str, str]]  # (group, pos, form) -> lemma -> surface
    contexts: set[tuple[str, str, str]]  # (lemma, pos, context) seen
    groups: dict[tuple[str, str], frozenset[int]]  # (lemma, pos) -> all its groups


def index(words: pd.DataFrame, minimum_count: int) -> Thesaurus:
    """Index an inventory, without lemmas attested fewer than ``minimum_count`` times."""
    words = words[words.groupby(["lemma", "pos"])["count"].transform("sum") >= minimum_count]
    words = words.sort_values(["count", "surface"], kind="stable")  # the commonest surface wins
    members: dict[tuple[int, str, str], dict[str, str]] = defaultdict(dict)
    groups: dict[tuple[str, str], frozenset[int]] = defaultdict(frozenset)
    for w in words.itertuples():
        own = frozenset(map(int, w.groups.split()))
        groups[w.lemma, w.pos] |= own
        for group in own:
            members[group, w.pos, w.form][w.lemma] = w.surface
    return Thesaurus(members, set(zip(words.lemma, words.pos, words.context, strict=True)), groups)


def replacements(word: dict, thesaurus: Thesaurus) -> list[str]:
    """Surfaces that may stand for a word: other lemma, same group, slot and inflected form."""
    surfaces = set()
    for group in word["groups"]:
        for lemma, surface in thesaurus.members.get((group, word["pos"], word["form"]), {}).items():
            theirs = thesaurus.groups[lemma, word["pos"]]
            overlap = len(word["groups"] & theirs) / len(word["groups"] | theirs)
            seen = (lemma, word["pos"], word["context"]) in thesaurus.contexts
            if lemma != word["lemma"] and seen and overlap >= SHARED_GROUPS:
                surfaces.add(surface)
    return sorted(surfaces - {word["surface"]})


def replace(
    text: str,
    options: list[tuple[dict, list[str]]],
    probability: float,
    rng: np.random.Generator,
) -> tuple[str, dict]:
    """Text with each word replaced with the given probability, and one in any case."""
    chosen = rng.random(len(options)) < probability
    chosen[rng.integers(len(options))] |= not chosen.any()
    replaced = []
    for (word, surfaces), take in zip(reversed(options), reversed(chosen), strict=True):
        if take:
            new = str(rng.choice(surfaces))
            text = text[: word["begin"]] + new + text[word["end"] :]
            replaced.append([word["surface"], new])
    return text, {"replaced": replaced[::-1]}


def variants(
    samples: pd.DataFrame,
    *,
    seed: int,
    per_sample: int,
    probability: float,
    words: pd.DataFrame,
    minimum_count: int = 3,
    analyser: Analyser = "sudachi",
) -> pd.DataFrame:
    """Up to ``per_sample`` distinct variants of each sample with synonyms put in.

    ``words`` is an :func:`inventory`; ``probability`` is the chance that a word with synonyms is
    replaced. Samples without such a word give nothing.
    """
    check(samples["ja"], "samples")
    thesaurus = index(words, minimum_count)
    rows = []
    for sample in samples.itertuples():
        options = [
            (w, others)
            for w in occurrences(sample.ja, analyser)
            if (others := replacements(w, thesaurus))
        ]
        if not options:
            continue
        rng = sample_rng(seed, TECHNIQUE, sample.id)
        made = dict(
            replace(sample.ja, options, probability, rng) for _ in range(ATTEMPTS * per_sample)
        )
        rows += variant_rows(sample, TECHNIQUE, list(made.items())[:per_sample])
    return variant_table(rows)


def attested(inputs: Files, settings: Mapping, *, grouped: bool = True) -> pd.DataFrame:
    """The :func:`inventory` of the attested sentences that a technique reads."""
    sentences = read_table(inputs["attested"])["ja"]
    check(sentences, inputs["attested"], first=2)
    return inventory(sentences, settings.get("analyser", "sudachi"), grouped=grouped)


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Variants with words that the attested sentences hold too; ``limit`` is not reached."""
    check(samples["ja"], inputs["train"], first=2)
    return variants(samples, words=attested(inputs, settings), seed=seed, **settings)
