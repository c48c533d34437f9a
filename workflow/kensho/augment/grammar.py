"""The grammar check: whether a candidate joins words as nobody has written them.

A parser gives every string a tree, also where words are in each other's place; which words people
join says more. A connection is two neighbouring words by kind: a particle, auxiliary or suffix
is itself, any other word its part of speech, and all have their inflected form (走っ before ない,
が before を). Grammar beyond neighbours, such as a missing object, is not seen.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from kensho.augment import hash_order, sample_rng
from kensho.linguistics.tokens import Token, tokens

Connection = tuple[str, str]

CHECK = "grammar"
COLUMNS = ["before", "after"]
EDGE = ("^", "$")  # of a text
DEPENDENT = {"助詞", "助動詞", "接尾辞"}
MARK = "補助記号"


def kind(word: Token) -> str:
    """What of a word decides which others may stand beside it."""
    if word.pos[0] == MARK:
        return word.pos[1]
    name = word.lemma if word.pos[0] in DEPENDENT else "-".join(word.pos[:3])
    return f"{name}/{word.pos[0]}/{word.form}"


def connections(text: str) -> list[Connection]:
    """Each word of a text with the next one, by kind, its edges included."""
    return list(pairwise([EDGE[0], *map(kind, tokens(text)), EDGE[1]]))


def attested(texts: Iterable[str]) -> pd.DataFrame:
    """Connections that texts have, each once and in order, as a table of ``COLUMNS``."""
    return pd.DataFrame(
        sorted({one for text in texts for one in connections(text)}), columns=COLUMNS
    )


def unattested(text: str, parent: str, known: Collection[Connection]) -> list[Connection]:
    """Connections that neither anybody's text nor the parent has, in the text's order."""
    own = set(connections(parent))
    return [one for one in connections(text) if one not in known and one not in own]


def checked(variants: pd.DataFrame, samples: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Variants with ``unattested``, the first connection that nobody wrote, "" where there is none.

    ``known`` is a table of :func:`attested`.
    """
    written = set(known.itertuples(index=False, name=None))
    parents = variants["parent"].map(samples.set_index("id")["ja"])
    broken = (
        unattested(text, parent, written)
        for text, parent in zip(variants["ja"], parents, strict=True)
    )
    return variants.assign(unattested=[" + ".join(one[0]) if one else "" for one in broken])


def swapped(text: str, rng: np.random.Generator) -> str:
    """A text with two of its words, marks aside, in each other's place; as it is with fewer."""
    words = tokens(text)
    places = [k for k, word in enumerate(words) if word.pos[0] != MARK]
    if len(places) > 1:
        first, second = rng.choice(places, 2, replace=False)
        words[first], words[second] = words[second], words[first]
    return "".join(word.surface for word in words)


def drawn(texts: Sequence[str], left_out: Collection[str], number: int, seed: int) -> list[str]:
    """At most so many of the texts that are not left out, in a pseudo-random order of the seed."""
    others = [text for text in dict.fromkeys(texts) if text not in left_out]
    return [others[place] for place in hash_order(seed, CHECK, others)[:number]]


def calibrate(
    both: pd.DataFrame, known: pd.DataFrame, sentences: int, rejected: float, seed: int
) -> dict:
    """What the check rejects: shares of human paraphrases, and of these with two words swapped.

    ``both`` has first and second, of which the first stands for the parent; ``known`` is a table of
    :func:`attested`, made of ``sentences`` others.

    Raises:
        ValueError: it rejects more of the human ones than ``rejected`` (exact binomial test, 1 %).
    """
    written = set(known.itertuples(index=False, name=None))
    human, damaged = [], []
    for first, second in zip(both["first"], both["second"], strict=True):
        human.append(bool(unattested(second, first, written)))
        other = swapped(second, sample_rng(seed, CHECK, second))
        if other != second:
            damaged.append(bool(unattested(other, first, written)))
    if binomtest(sum(human), len(human), rejected, alternative="greater").pvalue < 0.01:
        raise ValueError(
            f"augmentation.guard.sentences: the grammar check knows {sentences} sentences and "
            f"rejects {np.mean(human):.0%} of human paraphrases, where augmentation.guard.rejected "
            f"allows {rejected:.0%}; raise one of them"
        )
    return {
        "sentences": sentences,
        "connections": len(known),
        "tested_on": len(human),
        "false_reject": float(np.mean(human)),
        "swapped": len(damaged),
        "swapped_rejected": float(np.mean(damaged)),
    }
