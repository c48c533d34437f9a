"""Exact and near-duplicate detection on short sentences.

Similarity is the Jaccard index of character-bigram sets, taken after Unicode normalisation and
without punctuation. The join is exact (prefix filtering: Bayardo, Ma & Srikant 2007, "Scaling up
all pairs similarity search"), so a split that passes it shares no pair above the threshold.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from SetSimilaritySearch import SearchIndex, all_pairs


def key(text: str) -> str:
    """Text reduced to what counts for equality: NFKC, case-folded, letters and digits only."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def bigrams(text: str) -> set[str]:
    """Character bigrams of ``key(text)``; a text of one character (or none) is its own bigram."""
    reduced = key(text)
    return {reduced[i : i + 2] for i in range(max(1, len(reduced) - 1))}


def near_pairs(texts: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    """Index pairs (i < j) whose bigram Jaccard similarity is at least ``threshold``, sorted."""
    if not len(texts):
        return []
    sets = [bigrams(text) for text in texts]
    pairs = all_pairs(sets, similarity_func_name="jaccard", similarity_threshold=threshold)
    return sorted((min(i, j), max(i, j)) for i, j, _ in pairs)


def near(texts: Sequence[str], reference: Sequence[str], threshold: float) -> np.ndarray:
    """Whether each text has a neighbour in ``reference`` with similarity at least ``threshold``."""
    if not len(reference):
        return np.zeros(len(texts), dtype=bool)
    index = SearchIndex(
        [bigrams(text) for text in reference],
        similarity_func_name="jaccard",
        similarity_threshold=threshold,
    )
    return np.array([bool(index.query(bigrams(text))) for text in texts], dtype=bool)
