"""Easy data augmentation (Wei & Zou 2019, arXiv 1901.11196) for Japanese: insert, swap, delete.

The fourth operation of the paper, replacement by a synonym, is the technique ``synonyms``. Units
are words or bunsetsu; the mark that ends a sentence stays where it is. Grammar is broken on
purpose, as in the paper. A bunsetsu is read off the parts of speech: an independent word that does
not continue a compound begins one (文節 of school grammar).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from kensho.augment import Files, sample_rng, variant_rows, variant_table
from kensho.augment.synonyms import Thesaurus, attested, content_words, index, replacements
from kensho.linguistics.sudachi import check
from kensho.linguistics.tokens import Analyser, Token, tokens

TECHNIQUE = "eda"
OPERATIONS = ("insert", "swap", "delete")
Unit = Literal["word", "bunsetsu"]

INDEPENDENT = {
    *("名詞", "代名詞", "動詞", "形容詞", "形状詞", "副詞"),
    *("連体詞", "接続詞", "感動詞", "接頭辞"),
}
NOMINAL = {"名詞", "接尾辞", "接頭辞"}
MARKS = {"補助記号", "空白"}


class Text(NamedTuple):
    """A sentence as units, and what may be inserted."""

    units: list[str]
    end: str  # closing punctuation
    insertions: list[tuple[str, list[str]]]  # (a word, its unit with each of its synonyms)


def begins_bunsetsu(word: Token, before: Token | None) -> bool:
    """Whether a word begins a bunsetsu.

    A noun continues a noun or prefix, an auxiliary verb its predicate (食べて|いる is one), and
    する its noun.
    """
    if before is None:
        return True
    pos, left = word.pos, before.pos
    if pos[0] not in INDEPENDENT or left[0] == "接頭辞":
        return False
    if pos[0] in NOMINAL and left[0] in NOMINAL:
        return False
    if pos[1] == "非自立可能":
        auxiliary = left[0] in {"動詞", "助動詞"} or left[1] == "接続助詞"
        return not (auxiliary or (pos[0] == "動詞" and left[2].startswith("サ変")))
    return True


def read(text: str, thesaurus: Thesaurus, unit: Unit, analyser: Analyser = "sudachi") -> Text:
    """A sentence divided into units, with the insertions that the thesaurus offers."""
    words = tokens(text, analyser)
    end = max((word.end for word in words if word.pos[0] not in MARKS), default=0)
    starts = [
        word.begin
        for before, word in zip([None, *words], words, strict=False)
        if word.begin < end and (unit == "word" or begins_bunsetsu(word, before))
    ]
    offered = [(word, replacements(word, thesaurus)) for word in content_words(words)]
    options = [(word, others) for word, others in offered if others]
    bounds = [*starts, end]
    insertions = []
    for word, others in options:
        k = int(np.searchsorted(starts, word["begin"], side="right")) - 1
        head, tail = text[bounds[k] : word["begin"]], text[word["end"] : bounds[k + 1]]
        insertions.append((word["surface"], [head + other + tail for other in others]))
    units = [text[a:b] for a, b in zip(starts, bounds[1:], strict=True)]
    return Text(units, text[end:], insertions)


def insert(text: Text, changes: int, rng: np.random.Generator) -> tuple[list[str], list] | None:
    """Synonyms of words of the sentence at random places; None where no word has one."""
    if not text.insertions:
        return None
    units, done = text.units[:], []
    for _ in range(changes):
        word, others = text.insertions[rng.integers(len(text.insertions))]
        other, place = others[rng.integers(len(others))], int(rng.integers(len(units) + 1))
        units.insert(place, other)
        done.append([word, other, place])
    return units, done


def swap(text: Text, changes: int, rng: np.random.Generator) -> tuple[list[str], list] | None:
    """Two units in each other's place, so many times; None for a sentence of one unit."""
    units, done = text.units[:], []
    if len(units) < 2:
        return None
    for _ in range(changes):
        first, second = int(rng.integers(len(units))), int(rng.integers(len(units) - 1))
        second += second >= first
        units[first], units[second] = units[second], units[first]
        done.append([first, second])
    return units, done


def delete(text: Text, alpha: float, rng: np.random.Generator) -> tuple[list[str], list] | None:
    """Each unit deleted with probability ``alpha``, but never all; perhaps none."""
    if not text.units:
        return None
    gone = rng.random(len(text.units)) < alpha
    if gone.all():
        gone[rng.integers(len(gone))] = False
    kept = [unit for unit, lost in zip(text.units, gone, strict=True) if not lost]
    return kept, [[int(k), text.units[k]] for k in np.flatnonzero(gone)]


def changed(
    text: Text, operations: Sequence[str], alpha: float, rng: np.random.Generator
) -> list[tuple[str, dict]]:
    """New texts by the operations in turn, with what was done; those that cannot be are left out.

    ``alpha`` of the units are inserted or swapped, one at least, as in the paper.
    """
    changes, made = max(1, int(alpha * len(text.units))), []
    for operation in operations:
        if operation == "insert":
            new = insert(text, changes, rng)
        elif operation == "swap":
            new = swap(text, changes, rng)
        else:
            new = delete(text, alpha, rng)
        if new is not None:
            made.append(("".join(new[0]) + text.end, {operation: new[1]}))
    return made


def variants(
    samples: pd.DataFrame,
    *,
    seed: int,
    per_sample: int,
    alpha: float,
    unit: Unit,
    words: pd.DataFrame,
    minimum_count: int = 3,
    analyser: Analyser = "sudachi",
) -> pd.DataFrame:
    """Up to ``per_sample`` candidates of each sample, an equal share by each operation.

    Which operation leads is drawn for each sample, so that all of them are among the first
    candidates too, which an arm of a study takes alone. Draws may repeat each other and a deletion
    may draw nothing: the selection counts both. ``words`` is an inventory of attested words
    (:func:`kensho.augment.synonyms.inventory`).
    """
    check(samples["ja"], "samples")
    thesaurus = index(words, minimum_count)
    rows = []
    for sample in samples.itertuples():
        rng = sample_rng(seed, TECHNIQUE, sample.id)
        first = int(rng.integers(len(OPERATIONS)))
        operations = [OPERATIONS[(first + k) % len(OPERATIONS)] for k in range(per_sample)]
        made = changed(read(sample.ja, thesaurus, unit, analyser), operations, alpha, rng)
        rows += variant_rows(sample, TECHNIQUE, made)
    return variant_table(rows)


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Candidates of every sample; ``limit`` is not reached."""
    check(samples["ja"], inputs["train"], first=2)
    return variants(samples, words=attested(inputs, settings), seed=seed, **settings)
