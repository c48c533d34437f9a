"""Text augmentation for Japanese sentence pairs: what all techniques share.

A technique is a module with ``variants(samples, *, seed, per_sample, probability, ...)``. It takes
a table ``id, ja, en`` and returns the new samples as a table with ``COLUMNS``; the English side
stays that of the parent. Each sample draws from its own random stream, so neither the order of the
table nor its other rows change what becomes of a sample.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

Files = Mapping[str, Any]  # paths that a technique reads, or lists of them, by name
COLUMNS = ["id", "parent", "ja", "en", "technique", "operation"]


def sample_rng(seed: int, technique: str, sample: str) -> np.random.Generator:
    """Random stream of one sample under one technique."""
    digest = hashlib.sha256(f"{seed}\0{technique}\0{sample}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def hash_order(seed: int, technique: str, samples: Iterable[str]) -> list[int]:
    """Positions of ``samples`` in a pseudo-random order that depends on seed and ids alone."""
    digests = [
        hashlib.sha256(f"{seed}\0{technique}\0{s}\0order".encode()).digest() for s in samples
    ]
    return sorted(range(len(digests)), key=digests.__getitem__)


def variant_rows(sample, technique: str, made: Iterable[tuple[str, dict]]) -> list[dict]:
    """Rows of one sample's variants, numbered from 0, from (new text, what was done) pairs."""
    return [
        {
            "id": f"{sample.id}-{technique}-{k}",
            "parent": sample.id,
            "ja": text,
            "en": sample.en,
            "technique": technique,
            "operation": json.dumps(operation, ensure_ascii=False, separators=(",", ":")),
        }
        for k, (text, operation) in enumerate(made)
    ]


def converted(
    samples: pd.DataFrame,
    technique: str,
    convert: Callable[[str], tuple[str, dict] | None],
    *,
    seed: int,
    per_sample: int,
    probability: float,
) -> pd.DataFrame:
    """One variant of each sample that ``convert`` (new text, what was done; or None) can change.

    ``probability`` is the chance that a sample is taken.
    """
    rows = []
    for sample in samples.itertuples():
        taken = sample_rng(seed, technique, sample.id).random() < probability
        if taken and per_sample and (made := convert(sample.ja)):
            rows += variant_rows(sample, technique, [made])
    return variant_table(rows)


def variant_table(rows: list[dict]) -> pd.DataFrame:
    """Rows of :func:`variant_rows` as a table, all columns strings."""
    return pd.DataFrame(rows, columns=COLUMNS).astype(str)
