"""Several corpora in one, by weight; what is taken and its order follow from seed and ids."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kensho.data.schema import SCHEMA
from kensho.files import replacing

BATCH = 2000
HELD = 100_000_000  # characters
MOST_RANGES = 500  # files that are open at a time


class Drawn(NamedTuple):
    """What is taken of one corpus: every document whose rank is at most ``rank``."""

    corpus: str
    rank: int
    documents: int
    characters: int


def ranks(seed: int, mixture: str, corpus: str, ids: Sequence[str]) -> np.ndarray:
    """Place of each document in a pseudo-random order of all documents, uint64."""
    stem = f"{seed}\0{mixture}\0{corpus}\0"
    digests = (hashlib.sha256(f"{stem}{name}".encode()).digest()[:8] for name in ids)
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)


def draw(
    shards: Mapping[str, Sequence[Path]],
    weights: Mapping[str, float],
    *,
    size: int,
    unit: str,
    seed: int,
    mixture: str,
) -> list[Drawn]:
    """How much of each corpus (its shards as Parquet) a mixture takes.

    Each corpus gives its share of ``size``, in documents, which add up to it, or in characters
    (then the last document may go beyond it). Holds two numbers for each document. Raises
    ValueError for a corpus that has less than its share, as nothing is repeated in silence, and
    for a share without a document.
    """
    *parts, total = accumulate((weights[corpus] for corpus in shards), initial=0.0)
    ends = [round(size * part / total) for part in (*parts, total)]
    drawn = []
    for (corpus, paths), (begin, end) in zip(shards.items(), pairwise(ends), strict=True):
        wanted = end - begin if unit == "documents" else size * weights[corpus] / total
        order, lengths = _ranked(paths, seed, mixture, corpus)
        amounts = lengths if unit == "characters" else np.ones(len(order), dtype=np.int64)
        place = np.argsort(order, kind="stable")
        sums = np.cumsum(amounts[place])
        count = int(wanted) if unit == "documents" else int(np.searchsorted(sums, wanted)) + 1
        if not count:
            raise ValueError(
                f"{mixture}: {corpus} has a weight that takes no document of {size:,}; raise its "
                "weight, or the size"
            )
        if count > len(order):
            there = int(sums[-1]) if len(sums) else 0
            raise ValueError(
                f"{mixture}: {corpus} has {there:,} {unit} of the {wanted:,.0f} that its weight "
                "takes; lower its size, or change the weights"
            )
        chosen = place[:count]
        drawn.append(Drawn(corpus, int(order[chosen[-1]]), count, int(lengths[chosen].sum())))
    return drawn


def write(
    shards: Mapping[str, Sequence[Path]],
    drawn: Sequence[Drawn],
    to: Sequence[Path],
    *,
    seed: int,
    mixture: str,
    scratch: str | None = None,
) -> Counter[str]:
    """Write the documents drawn, in the order of their ranks; returns how many of each corpus.

    Output files are ranges of ranks, so that however many there are, one after the other they hold
    the same documents in the same order. A range of about ``HELD`` characters is held at a time, as
    long as ``MOST_RANGES`` suffice.
    """
    counts: Counter[str] = Counter()
    columns = pa.schema([pa.field("rank", pa.uint64()), *SCHEMA])
    limits = {one.corpus: one.rank for one in drawn}
    wanted = 1 + sum(one.characters for one in drawn) // (len(to) * HELD)
    ranges = min(wanted, max(1, MOST_RANGES // len(to)))  # of each output file
    with TemporaryDirectory(dir=scratch) as folder:
        with ExitStack() as stack:
            parts = [
                stack.enter_context(
                    pq.ParquetWriter(Path(folder, f"{place}"), columns, write_statistics=False)
                )
                for place in range(len(to) * ranges)
            ]
            for corpus, paths in shards.items():
                for batch in (b for path in paths for b in _read(path, SCHEMA.names)):
                    order = ranks(seed, mixture, corpus, batch.column("id").to_pylist())
                    chosen = np.flatnonzero(order <= np.uint64(limits[corpus]))
                    counts[corpus] += len(chosen)
                    _deal(batch, order, chosen, parts, drawn, columns)
        for place, path in enumerate(to):
            with (
                replacing(path) as temporary,
                pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as file,
            ):
                for part in range(place * ranges, (place + 1) * ranges):
                    rows = pq.read_table(Path(folder, f"{part}"))
                    rows = rows.sort_by([("rank", "ascending"), ("id", "ascending")])
                    file.write_table(rows.drop_columns("rank").cast(SCHEMA))
    return counts


def lowest(paths: Sequence[Path | str], count: int, seed: int, corpus: str) -> pd.DataFrame:
    """The ``count`` documents of the lowest ranks, or all there are, as columns id and text."""
    best: list[tuple[int, str, str]] = []
    for batch in (b for path in paths for b in _read(path, SCHEMA.names)):
        order = ranks(seed, "sample", corpus, batch.column("id").to_pylist())
        rows = np.argsort(order, kind="stable")[:count]
        for rank, record in zip(order[rows], batch.take(pa.array(rows)).to_pylist(), strict=True):
            turns = "\n".join(turn["text"] for turn in record["turns"] or [])
            text = record["text"] or record["ja"] or turns
            best.append((int(rank), record["id"], text))
        best = sorted(best)[:count]
    return pd.DataFrame([row[1:] for row in best], columns=["id", "text"])


def counted(drawn: Sequence[Drawn]) -> pd.DataFrame:
    """What a mixture holds: columns corpus, documents, characters, and the shares of both."""
    table = pd.DataFrame([one._asdict() for one in drawn]).drop(columns="rank")
    for column in ("documents", "characters"):
        table[f"share_of_{column}"] = table[column] / table[column].sum()
    return table


def _deal(
    batch: Any,
    order: np.ndarray,
    chosen: np.ndarray,
    parts: list,
    drawn: Sequence[Drawn],
    columns: pa.Schema,
) -> None:
    """Rows of a batch to the parts in whose range their ranks lie.

    Ranges are of as many characters each, as far as ranks are spread evenly in each corpus.
    """
    # of all that is drawn, what has no higher rank: it grows with the rank, so parts are in order
    ranked = order[chosen].astype(float)
    share = sum(one.characters * np.minimum(ranked / (one.rank + 1), 1) for one in drawn)
    part_of = share / sum(one.characters for one in drawn) * len(parts)
    part_of = np.minimum(part_of.astype(np.int64), len(parts) - 1)
    for part in np.unique(part_of):
        rows = chosen[part_of == part]
        taken = batch.take(pa.array(rows))
        arrays = [pa.array(order[rows]), *(taken.column(name) for name in SCHEMA.names)]
        parts[part].write_table(pa.Table.from_arrays(arrays, schema=columns))


def _ranked(
    paths: Sequence[Path], seed: int, mixture: str, corpus: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rank and characters of each document of a corpus."""
    orders, lengths = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for batch in (b for path in paths for b in _read(path, SCHEMA.names)):
        orders.append(ranks(seed, mixture, corpus, batch.column("id").to_pylist()))
        lengths.append(np.array([*map(_characters, batch.to_pylist())], dtype=np.int64))
    return np.concatenate(orders), np.concatenate(lengths)


def _characters(record: Mapping[str, Any]) -> int:
    sides = sum(len(record[key] or "") for key in ("text", "ja", "en"))
    return sides + sum(len(turn["text"]) for turn in record["turns"] or [])


def _read(path: Path | str, columns: list[str]):
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(BATCH, columns=columns)
