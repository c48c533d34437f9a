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
        pd.read_parquet(path, columns=["id", "text"])
        if Path(path).suffix == ".parquet"
        else read_table(path)
        for path in paths
    ]
    samples = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    digests = [sha256(path) for path in paths]
    named = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode())
    return samples.head(most), len(samples), named if isinstance(named, str) else named.hexdigest()
