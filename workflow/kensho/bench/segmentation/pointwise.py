"""Pointwise word segmentation: a linear model decides between each two characters on its own.

Features are character n-grams and character-type n-grams (n up to 3) within three characters of
the boundary, and dictionary words that begin or end at it (Neubig, Nakata and Mori 2011,
"Pointwise Prediction for Robust, Adaptable Japanese Morphological Analysis"). Weights come from a
support vector machine with L1 regularisation, liblinear's L1R_L2LOSS_SVC, and are rounded to 16
bits as in KyTea's models.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from kensho.bench.segmentation.characters import types, widen

WINDOW = 3  # characters on either side of a boundary
LONGEST = 3  # n-grams
SPAN = 2 * WINDOW  # weights of an n-gram, by the distance of its end from the boundary
# Longer words are left out: KyTea adds the weight of a length class once for a boundary, Vaporetto
# once for each word, which is the same as long as the words of a class have one length.
WORD = 4
LARGEST = 2**15 - 1
GAP = "\n"  # of a window's width between sentences; part of no feature


@dataclass(frozen=True)
class Model:
    """Integer weights; a boundary stands where their sum and ``bias`` is above 0.

    ``grams`` holds n-grams of characters and of types, ``weights`` for each a row of SPAN weights:
    column j is for the boundary j - WINDOW places after the n-gram's last character. Rows of
    ``word_weights`` are word lengths, columns the boundary before and after a word. Times
    ``multiplier`` the integers are the trained weights.
    """

    grams: Sequence[pd.Index]  # two
    weights: Sequence[np.ndarray]
    words: tuple[str, ...]
    word_weights: np.ndarray
    bias: int
    multiplier: float


def fit(sentences: Sequence[Sequence[str]], words: Collection[str], *, cost: float, seed: int):
    """The model learnt from segmented sentences, with ``words`` as its dictionary."""
    words = sorted({widen(word) for word in words if len(word) <= WORD})
    text, kinds = _texts(["".join(sentence) for sentence in sentences])
    grams = _frequent(text), _frequent(kinds)
    classifier = LinearSVC(
        penalty="l1", loss="squared_hinge", dual=False, C=cost, tol=0.01, random_state=seed
    ).fit(_features(text, kinds, grams, words), np.concatenate([_ends(s) for s in sentences]))
    weights, bias = classifier.coef_[0], float(classifier.intercept_[0])
    multiplier = max(np.abs(weights).max(), abs(bias)) / LARGEST
    whole = np.rint(weights / multiplier).astype(int)
    parts = np.split(whole, np.cumsum([len(part) * SPAN for part in grams]))
    rows = [part.reshape(-1, SPAN) for part in parts[:2]]
    used = [row.any(axis=1) for row in rows]
    return Model(
        grams=[part[use] for part, use in zip(grams, used, strict=True)],
        weights=[row[use] for row, use in zip(rows, used, strict=True)],
        words=tuple(words),
        word_weights=parts[2].reshape(WORD, 2),
        bias=round(bias / multiplier),
        multiplier=float(multiplier),
    )


def segment(model: Model, lines: Sequence[str]) -> list[list[str]]:
    """Words of each line, by the model's definition and none of the programs that read it."""
    text, kinds = _texts(lines)
    weights = np.concatenate(
        [*(part.ravel() for part in model.weights), model.word_weights.ravel()]
    )
    cut = _features(text, kinds, model.grams, model.words) @ weights + model.bias > 0
    segmented, begin = [], 0
    for line in lines:
        ends = np.flatnonzero(cut[begin : begin + len(line) - 1]) + 1
        begin += len(line) - 1
        segmented.append([line[a:b] for a, b in zip([0, *ends], [*ends, len(line)], strict=True)])
    return segmented


def f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """F1 of words: a word is right where both its ends are."""
    right = sum(len(_spans(a) & _spans(b)) for a, b in zip(gold, predicted, strict=True))
    return 2 * right / (sum(map(len, gold)) + sum(map(len, predicted)))


def read_conllu(path: Path) -> list[list[str]]:
    """Words of each sentence of a CoNLL-U file; sentences with spaces in them are left out."""
    sentences = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if not line.startswith("#")]
        words = [row[1] for row in rows if row[0].isdigit()]
        spaced = any("SpaceAfter=No" not in row[9] for row in rows[:-1])
        if words and not spaced and not any(map(str.isspace, "".join(words))):
            sentences.append(words)
    return sentences


def _texts(lines: Sequence[str]) -> tuple[str, str]:
    """All lines in one text with gaps between them, and the types of its characters."""
    gap = GAP * WINDOW
    text = gap + gap.join(map(widen, lines)) + gap
    kinds = GAP.join(map(types, text.split(GAP)))
    return text, kinds


def _ends(sentence: Sequence[str]) -> np.ndarray:
    """Whether a word ends at each boundary inside a sentence."""
    lengths = list(map(len, sentence))
    ends = np.zeros(sum(lengths), dtype=bool)
    ends[np.cumsum(lengths)[:-1] - 1] = True
    return ends[:-1]


def _spans(sentence: Sequence[str]) -> set[tuple[int, int]]:
    ends = np.cumsum([len(word) for word in sentence]).tolist()
    return set(zip([0, *ends], ends, strict=False))


def _grams(text: str, n: int) -> list[str]:
    """The n-gram that ends at each character; the first of them are short and never looked up."""
    return [text[max(end - n, 0) : end] for end in range(1, len(text) + 1)]


def _frequent(text: str) -> pd.Index:
    """N-grams that occur at least twice; those seen once teach nothing."""
    counts = Counter(gram for n in range(1, LONGEST + 1) for gram in _grams(text, n)[n - 1 :])
    return pd.Index(sorted(g for g, count in counts.items() if count > 1 and GAP not in g))


def _features(text: str, kinds: str, grams, words: Collection[str]) -> csr_matrix:
    """Boundaries x weights, in the order of the model: n-grams, types, words; all 0 or 1."""
    characters = np.array(list(text)) != GAP
    places = np.flatnonzero(characters[:-1] & characters[1:])  # the character before a boundary
    rows, columns, first = [], [], 0

    def add(column: np.ndarray) -> None:
        there = np.flatnonzero(column >= 0)
        rows.append(there)
        columns.append(column[there])

    for string, known in zip((text, kinds), grams, strict=True):
        for n in range(1, LONGEST + 1):
            number = known.get_indexer(_grams(string, n))
            for j in range(SPAN - n + 1):
                at = number[places + WINDOW - j]
                add(np.where(at >= 0, first + at * SPAN + j, -1))
        first += len(known) * SPAN
    words = set(words)
    for n in range(1, WORD + 1):
        ending = np.array([word in words for word in _grams(text, n)])
        for side, here in enumerate((ending[places + n], ending[places])):  # begins, ends
            add(np.where(here, first + 2 * (n - 1) + side, -1))
    shape = (len(places), first + 2 * WORD)
    row, column = np.concatenate(rows), np.concatenate(columns)
    return csr_matrix((np.ones(len(row)), (row, column)), shape=shape)
