"""The tables that a stage reads: samples of the pipeline, or documents of a mixture."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from kensho.data.corpus import read_table
from kensho.data.duplicates import key
from kensho.files import sha256


class Samples(NamedTuple):
    """``table`` of those to learn, ``of`` so many, with a sha256 of what they lie in.

    ``tested`` documents are not among them, since the test set or what is held out has them too.
    """

    table: pd.DataFrame
    of: int
    sha256: str
    tested: int


def read(
    paths: Sequence[str], most: int | None, held_out: int, corpus: Sequence[str] = ()
) -> Samples:
    """The first ``most`` samples to learn of tables, which are in random order already.

    Column held_out marks so many that are scored alone (:func:`marked`). Documents of a mixture
    have none: of these ``corpus`` are the tables test and train (en, ja), and a text is left out
    that differs in signs alone from a sentence of the first, or of the last ``held_out`` of the
    second. The sha256 of several files is of their digests.
    """
    digests = [sha256(path) for path in paths]
    together = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    digest = digests[0] if len(digests) == 1 else together
    if corpus:
        return _of_mixture(paths, most, held_out, corpus, digest)
    parts = [
        _texts(path) if Path(path).suffix == ".parquet" else read_table(path) for path in paths
    ]
    samples = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if samples.empty:
        return Samples(samples, 0, digest, 0)
    every, table = marked(samples, held_out), marked(samples, held_out, most)
    return Samples(table, int((~every["held_out"]).sum()), digest, 0)


def _of_mixture(
    paths: Sequence[str], most: int | None, held_out: int, corpus: Sequence[str], digest: str
) -> Samples:
    """The first documents that the corpus neither tests nor holds out; no file beyond them is read.

    ``tested`` counts those that were met.
    """
    test, train = map(read_table, corpus)
    pairs = pd.concat([test, marked(train, held_out).query("held_out")])[["en", "ja"]]
    apart = {key(text) for text in pairs.stack()}
    parts, tested, kept = list[pd.DataFrame](), 0, 0
    for path in paths:
        if most is not None and kept >= most:
            break
        part = _texts(path)
        known = part["text"].map(key).isin(apart)
        parts.append(part[~known])
        tested, kept = tested + int(known.sum()), kept + len(parts[-1])
    if not kept:
        raise ValueError(
            f"{paths[0]}: what is tested or held out has every document; take another mixture"
        )
    of = sum(pq.read_metadata(path).num_rows for path in paths) - tested
    return Samples(marked(pd.concat(parts, ignore_index=True), 0, most), of, digest, tested)


def marked(samples: pd.DataFrame, held_out: int, most: int | None = None) -> pd.DataFrame:
    """The first ``most`` samples to learn, and a column ``held_out``: those that are scored alone.

    These are the last originals, of which no variant is learned either; a column ``parent`` names
    the sample that a row was made of. Where a table has the column (preferences) it says which.
    Raises ValueError where nothing would be left to learn.
    """
    if "held_out" in samples:
        apart = samples["held_out"] == str(True)
        return pd.concat([samples[~apart].head(most), samples[apart]]).assign(
            held_out=lambda kept: kept["held_out"] == str(True)
        )
    parents = samples["parent"] if "parent" in samples else pd.Series(samples.index, samples.index)
    originals = parents.drop_duplicates()
    apart = parents.isin(originals.tail(held_out) if held_out else [])
    if apart.all():
        raise ValueError(
            f"{len(originals)} samples, of which train.validation holds {held_out} out; lower it"
        )
    kept = [samples[~apart].head(most), samples[apart & ~parents.duplicated()]]
    return pd.concat(kept, keys=[False, True], names=["held_out"]).reset_index("held_out")


def _texts(path: str) -> pd.DataFrame:
    """Columns id and text of documents; of pairs the Japanese side."""
    documents = pd.read_parquet(path, columns=["id", "text", "ja"])
    texts = documents["text"].fillna(documents["ja"])
    if none := int(texts.isna().sum()):
        raise ValueError(f"{path}: {none} documents are turns, not text; take another mixture")
    return documents[["id"]].assign(text=texts)
