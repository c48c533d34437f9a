"""Preference pairs of the corpus: a translation, and one that is worse, of the same sentence.

Preferred is always the human translation of the corpus. What is rejected beside it is a setting
(:class:`kensho.train.catalogue.Dpo`): another sample's translation, a damaged one, or one that the
model samples itself, as in the paper (Rafailov et al. 2023, arXiv 2305.18290, section 4).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

BY_MODEL = "own"  # the kind of rejected side that a model writes; others follow from the corpus
COLUMNS = ["id", "en", "ja", "rejected", "origin", "held_out"]


class Pairs(NamedTuple):
    """``table`` has the columns id, en, ja, rejected, origin and held_out (of pairs that are scored
    alone, :func:`kensho.train.tables.marked`); ``drops`` stage, reason, count."""

    table: pd.DataFrame
    drops: pd.DataFrame


def neighbours(samples: pd.DataFrame) -> Pairs:
    """The translation of the sample behind it is rejected, of the last one that of the first; of
    those held out and of the others each among their own."""
    rejected = samples.groupby("held_out")["ja"].transform(lambda own: np.roll(own, -1))
    return paired(samples, rejected.tolist(), "neighbour")


def damaged(samples: pd.DataFrame, variants: pd.DataFrame) -> Pairs:
    """The first of a technique's ``variants`` (columns parent, ja) that changes it is rejected."""
    originals = samples.set_index("id")["ja"]
    changed = variants[variants["ja"] != variants["parent"].map(originals)]
    first = changed.drop_duplicates("parent").set_index("parent")["ja"]
    return paired(samples, samples["id"].map(first).tolist(), "damaged")


def paired(samples: pd.DataFrame, rejected: Sequence[Any], origin: str) -> Pairs:
    """Pairs of samples and what is rejected beside them, without those that are no choice."""
    table = samples[["id", "en", "ja", "held_out"]].assign(rejected=rejected, origin=origin)
    none = table["rejected"].isna() | (table["rejected"] == "")
    same = table["rejected"] == table["ja"]
    counts = [("nothing to reject", int(none.sum())), ("both sides equal", int(same.sum()))]
    drops = [("preferences", reason, count) for reason, count in counts]
    kept = table[~(none | same)].reset_index(drop=True)[COLUMNS]
    if kept["held_out"].all():
        raise ValueError("no sample has a side to reject; take another for `rejected`")
    return Pairs(kept, pd.DataFrame(drops, columns=["stage", "reason", "count"]))
