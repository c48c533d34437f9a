"""The tables that a stage reads: samples of the pipeline, or documents of a mixture."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kensho.data.corpus import read_table
from kensho.files import sha256


def read(paths: Sequence[str], most: int | None) -> tuple[pd.DataFrame, int, str]:
    """The first ``most`` samples of all, how many there are, and a sha256 of what they lie in.

    Tables are in random order already. That of several files is of their digests, line by line.
    """
    parts = [
        _texts(path) if Path(path).suffix == ".parquet" else read_table(path) for path in paths
    ]
    samples = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    digests = [sha256(path) for path in paths]
    if len(digests) == 1:
        return samples.head(most), len(samples), digests[0]
    together = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return samples.head(most), len(samples), together


def _texts(path: str) -> pd.DataFrame:
    """Columns id and text of documents; of pairs the Japanese side."""
    documents = pd.read_parquet(path, columns=["id", "text", "ja"])
    texts = documents["text"].fillna(documents["ja"])
    if none := int(texts.isna().sum()):
        raise ValueError(f"{path}: {none} documents are turns, not text; take another mixture")
    return documents[["id"]].assign(text=texts)
