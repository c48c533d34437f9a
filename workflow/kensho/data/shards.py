"""One shard of a corpus: read, cleaned, measured and sketched, a batch at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kensho.data import measures, minhash, readers
from kensho.data.cleaning import Cleaned, Cleaner, normalised
from kensho.data.minhash import Duplicates, Sketches
from kensho.data.records import Reading
from kensho.data.rows import Fault, Row, running_text
from kensho.data.schema import schema
from kensho.files import replacing

BATCH = 1000  # documents held at once, and rows of a row group
CHARACTERS = 4_000_000  # from which a batch ends before it has as many documents
SHOWN = 100  # characters of a document that is dropped
DROPS = pa.schema(
    [(name, pa.string()) for name in ("id", "stage", "filter", "reason", "like", "text")]
)
MEASURES = pa.schema(
    [
        *[("id", pa.string()), ("kept", pa.bool_())],
        *((name, pa.float32()) for name in measures.MEASURES),
    ]
)


@dataclass(frozen=True)
class File:
    """A file of a corpus: its number among all of them, and how its rows are named."""

    number: int
    name: str
    path: Path
    licence_class: str


@dataclass(frozen=True)
class Written:
    """What a shard leaves: documents, their measures and those of dropped ones, drops, sketches."""

    documents: Path
    measures: Path
    drops: Path
    sketches: Sketches


def rows_of(
    files: Sequence[File], how: Reading, shard: int, shards: int
) -> Iterator[tuple[File, Row | Fault]]:
    """Rows of each unit that is a shard's turn, or with 0 ``shards`` of all units of its files."""
    counted: readers.Counted = {}
    units = [(file, unit) for file in files for unit in readers.units(file.path, how.form)]
    for file, unit in units[shard::shards] if shards else units:
        for row in readers.rows(unit, how, file.name, counted):
            yield file, row


def make(
    corpus: str,
    rows: Iterable[tuple[File, Row | Fault]],
    cleaner: Cleaner,
    language: str,
    numbers: Sequence[str],
    to: Written,
) -> Counter[tuple[str, str, str]]:
    """Clean rows and write what a shard leaves. Returns how many fell, by stage, filter and reason.

    Bounded: a batch of documents is held, and of each document its sketch.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    all_keys: list[np.ndarray] = []
    all_values: list[np.ndarray] = []
    with ExitStack() as stack:
        documents = _writer(stack, to.documents, schema(numbers))
        measured = _writer(stack, to.measures, MEASURES)
        drops = _writer(stack, to.drops, DROPS)
        for batch in _batches(rows):
            kept, texts, orders, sizes, dropped = [], [], [], [], []
            for file, row in batch:
                counts["read", "", "rows"] += 1
                name = f"{file.name}:{row.number}"
                if isinstance(row, Fault):
                    dropped.append(_drop(name, "read", "", row.reason))
                    continue
                row = _normalised(row, language)
                clean = cleaner(running_text(row), row.numbers, row.en or "")
                sizes.append({"id": name, "kept": not clean.rejected, **clean.measures})
                if clean.rejected:
                    dropped.append(_drop(name, "clean", *clean.rejected, text=clean.text))
                    continue
                kept.append(
                    {
                        "id": name,
                        "document": row.document,
                        "source": corpus,
                        "licence_class": file.licence_class,
                        "language": language,
                        **_sides(row, clean),
                        **{f"number.{key}": row.numbers.get(key) for key in numbers},
                    }
                )
                texts.append(clean.text)
                orders.append(minhash.order(file.number, row.number))
            counts.update((one["stage"], one["filter"], one["reason"]) for one in dropped)
            _append(documents, kept)
            _append(measured, sizes)
            _append(drops, dropped)
            values_of = minhash.sketches(texts)
            all_keys.append(minhash.keys(orders, [*map(minhash.exact, texts)], values_of))
            all_values.append(values_of)
    empty = minhash.sketches([])
    all_keys.append(minhash.keys([], [], empty))
    minhash.write(to.sketches, np.hstack(all_keys), np.vstack([*all_values, empty]))
    return counts


def without_repeats(
    documents: Path, repeats: Path, numbers: Sequence[str], kept: Path, drops: Path
) -> Counter[tuple[str, str, str]]:
    """Write the documents of a shard that repeat no earlier one, and those that do."""
    counts: Counter[tuple[str, str, str]] = Counter()
    own = pq.read_table(documents, columns=["id"]).column("id").combine_chunks()
    with pq.ParquetFile(repeats) as file:  # of the whole corpus
        found = (batch.filter(pc.is_in(batch["id"], own)) for batch in file.iter_batches())
        repeat_of = {row["id"]: row for batch in found for row in batch.to_pylist()}
    with ExitStack() as stack, pq.ParquetFile(documents) as file:
        target = _writer(stack, kept, schema(numbers))
        dropped = _writer(stack, drops, DROPS)
        for group in range(file.num_row_groups):
            batch = file.read_row_group(group)
            names = batch.column("id").to_pylist()
            mask = pa.array([name not in repeat_of for name in names])
            target.write_table(batch.filter(mask).cast(schema(numbers)))
            lines = []
            for name, record in zip(names, batch.to_pylist(), strict=True):
                if name not in repeat_of:
                    continue
                earlier = repeat_of[name]
                kind = "exact" if earlier["exact"] else "near"
                reason = {"exact": "equal text", "near": "near-duplicate"}[kind]
                turns = record["turns"] or [{"text": ""}]
                shown = record["text"] or record["ja"] or turns[0]["text"]
                lines.append(_drop(name, "duplicates", kind, reason, shown, earlier["of"]))
                counts["duplicates", kind, reason] += 1
            _append(dropped, lines)
    return counts


def write_repeats(path: Path, duplicated: Duplicates, names: Sequence[str]) -> None:
    """Duplicates of a corpus as a table id, of, similarity, exact; ``names`` are its files'."""

    def named(order: int) -> str:
        file, row = minhash.place(order)
        return f"{names[file]}:{row}"

    columns = {
        "id": [*map(named, duplicated.order.tolist())],
        "of": [*map(named, duplicated.of.tolist())],
        "similarity": duplicated.similarity,
        "exact": duplicated.exact,
    }
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _writer(stack: ExitStack, path: Path, columns: pa.Schema) -> pq.ParquetWriter:
    """A writer whose file takes its name when the block succeeded."""
    temporary = stack.enter_context(replacing(path))
    return stack.enter_context(pq.ParquetWriter(temporary, columns, compression="zstd"))


def _append(writer: pq.ParquetWriter, records: list) -> None:
    if records:
        writer.write_table(pa.Table.from_pylist(records, schema=writer.schema))


def _batches(
    rows: Iterable[tuple[File, Row | Fault]],
) -> Iterator[list[tuple[File, Row | Fault]]]:
    batch, characters = list[tuple[File, Row | Fault]](), 0
    for file, row in rows:
        batch.append((file, row))
        if isinstance(row, Row):
            characters += len(running_text(row)) + len(row.en or "")
        if len(batch) == BATCH or characters >= CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _normalised(row: Row, language: str) -> Row:
    """Its Japanese sides normalised."""
    parts: dict[str, Any] = {}
    if row.text is not None:
        parts["text"] = normalised(row.text, language)
    if row.turns is not None:
        parts["turns"] = [
            {**turn, "text": " ".join(normalised(turn["text"], language).split("\n"))}
            for turn in row.turns
        ]
    if row.ja is not None:
        parts |= {"ja": normalised(row.ja, "ja"), "en": (row.en or "").strip()}
    return Row(**{**vars(row), **parts})


def _sides(row: Row, clean: Cleaned) -> dict[str, Any]:
    """Text, pair or turns of a row as they were cleaned."""
    if row.turns is not None:
        lines = clean.text.split("\n")
        turns = zip(row.turns, lines, strict=True)
        return {"turns": [{**turn, "text": line} for turn, line in turns]}
    return {"text": clean.text} if row.ja is None else {"ja": clean.text, "en": clean.beside}


def _drop(
    name: str, stage: str, filter: str, reason: str, text: str = "", like: str = ""
) -> Mapping[str, str]:
    shown = text[:SHOWN]
    reason = reason.encode(errors="replace").decode()  # it may quote half a character
    return dict(zip(DROPS.names, (name, stage, filter, reason, like, shown), strict=True))
