"""Near-duplicates of any number of documents by MinHash, found across shards.

Sketches: rensa's R-MinHash of the character 5-grams of `duplicates.key`. Documents that agree in
one of ``BANDS`` bands (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4) are
candidates, and near-duplicates where the share of equal values, an estimate of the Jaccard
similarity, reaches the threshold. A pair of similarity s is a candidate with probability
1 - (1 - s^8)^16: 0.94 at 0.8, 0.06 at 0.5. A candidate is held against the first document of its
bucket and the one before it, so that no bucket is squared.

Documents are ordered by file and row, and the earlier one stays: shards change nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rensa import RMinHash

from kensho.data.duplicates import key
from kensho.files import replacing

BANDS, ROWS = 16, 8
SIZE = BANDS * ROWS  # values of a sketch; their standard error at 0.8 is 0.035
GRAM = 5  # characters
SEED = 1
CHUNK = 1 << 15  # pairs that are compared at once
FILE_BITS = 40  # of the order of a document; below them its row
ORDER, EXACT = 0, 1  # rows of a shard's keys before those of the bands


def order(file: int, row: int) -> int:
    """Place of a document among all of its corpus."""
    return file << FILE_BITS | row


def place(number: int) -> tuple[int, int]:
    """File and row of an order."""
    return number >> FILE_BITS, number & ((1 << FILE_BITS) - 1)


def exact(text: str) -> int:
    """64 bits of the hash of what counts for equality."""
    return int.from_bytes(hashlib.blake2b(key(text).encode(), digest_size=8).digest(), "little")


def sketches(texts: Sequence[str]) -> np.ndarray:
    """MinHash values, shape (texts, SIZE), uint32; a text shorter than a gram is its own."""
    if not texts:
        return np.empty((0, SIZE), dtype=np.uint32)
    grams = [[t[i : i + GRAM] for i in range(max(1, len(t) - GRAM + 1))] for t in map(key, texts)]
    matrix = RMinHash.digest_matrix_from_token_sets(grams, SIZE, SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


def keys(orders: Sequence[int], exacts: Sequence[int], values: np.ndarray) -> np.ndarray:
    """Order, hash and a key of each band, shape (2 + BANDS, documents), uint64."""
    bands = np.zeros((2 + BANDS, len(orders)), dtype=np.uint64)
    bands[ORDER], bands[EXACT] = orders, exacts
    for band in range(BANDS):
        for value in values[:, band * ROWS : (band + 1) * ROWS].T:  # FNV-1a over the values
            bands[2 + band] = (bands[2 + band] ^ value) * np.uint64(0x100000001B3)
            bands[2 + band] ^= bands[2 + band] >> np.uint64(29)
    return bands


class Sketches(NamedTuple):
    """Files of one shard: keys, read band by band, and MinHash values, read where needed."""

    bands: Path
    values: Path


def write(files: Sketches, all_keys: np.ndarray, values: np.ndarray) -> None:
    for path, array in ((files.bands, all_keys), (files.values, values)):
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.save(file, array)


class Duplicates(NamedTuple):
    """Duplicates of a corpus in their order: each with the earlier document that it repeats."""

    order: np.ndarray  # uint64
    of: np.ndarray  # uint64
    similarity: np.ndarray  # float32; 1 of equal texts
    exact: np.ndarray  # bool


def duplicates(shards: Sequence[Sketches], threshold: float) -> Duplicates:
    """All documents that repeat an earlier one.

    Holds about ten numbers of eight bytes for each document of the corpus, and of the sketches the
    pages of candidates.
    """
    stored = [np.load(files.bands, mmap_mode="r") for files in shards]
    begins = np.concatenate([[0], np.cumsum([one.shape[1] for one in stored])])
    orders = _row(stored, ORDER)
    ranked = np.argsort(orders, kind="stable")  # from rank to place in the shards
    of = np.full(len(orders), -1, dtype=np.int64)  # ranks
    similarity = np.zeros(len(orders), dtype=np.float32)
    for later, first, _ in _buckets(_row(stored, EXACT)[ranked], np.arange(len(orders))):
        of[later], similarity[later] = first, 1
    equal = of >= 0
    different = np.flatnonzero(~equal)
    values = [np.load(files.values, mmap_mode="r") for files in shards]
    for band in range(BANDS):
        for later, first, before in _buckets(_row(stored, 2 + band)[ranked[different]], different):
            for earlier in (first, before):
                open_ = of[later] < 0
                left, right = later[open_], earlier[open_]
                agreeing = _agreement(values, begins, ranked, left, right)
                near = agreeing >= threshold
                of[left[near]], similarity[left[near]] = right[near], agreeing[near]
    repeated = np.flatnonzero(of >= 0)
    sorted_orders = orders[ranked]
    return Duplicates(
        sorted_orders[repeated],
        sorted_orders[of[repeated]],
        similarity[repeated],
        equal[repeated],
    )


def _row(stored: Sequence[np.ndarray], row: int) -> np.ndarray:
    return np.concatenate([np.asarray(one[row]) for one in stored])


def _buckets(
    band: np.ndarray, ranks: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each document but the first of its bucket, with the first and the one before, in chunks."""
    by_key = np.argsort(band, kind="stable")
    sorted_keys = band[by_key]
    new = np.ones(len(band), dtype=bool)
    new[1:] = sorted_keys[1:] != sorted_keys[:-1]
    first = np.maximum.accumulate(np.where(new, np.arange(len(band)), 0))
    later = np.flatnonzero(~new)
    for begin in range(0, len(later), CHUNK):
        part = later[begin : begin + CHUNK]
        yield ranks[by_key[part]], ranks[by_key[first[part]]], ranks[by_key[part - 1]]


def _agreement(
    values: Sequence[np.ndarray],
    begins: np.ndarray,
    ranked: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
) -> np.ndarray:
    """Share of equal values of the sketches of each pair of ranks."""
    sides = []
    for ranks in (left, right):
        places = ranked[ranks]
        shard = np.searchsorted(begins, places, side="right") - 1
        rows = np.empty((len(places), SIZE), dtype=np.uint32)
        for number in np.unique(shard):
            own = shard == number
            rows[own] = values[number][places[own] - begins[number]]
        sides.append(rows)
    return (sides[0] == sides[1]).mean(axis=1, dtype=np.float32)
