"""Worked examples for models that are asked: sentences of the corpus outside the splits."""

from itertools import islice

import pandas as pd

from kensho.augment import Files, hash_order
from kensho.augment.pivot import pairs
from kensho.data.corpus import read_table
from kensho.data.duplicates import bigrams, key

SHORTEST, LONGEST = 8, 25  # characters of the Japanese side: what most samples have
ALIKE = 0.4


def read(inputs: Files) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cleaned corpus but for its test split, and the splits: (id, ja, en) each."""
    splits = [read_table(inputs[name]) for name in ("train", "test")]
    return read_table(inputs["attested_pairs"]), pd.concat(splits, ignore_index=True)


def translations(
    sentences: pd.DataFrame, used: pd.DataFrame, *, seed: int, count: int
) -> list[tuple[str, str]]:
    """So many (Japanese, English), by a hash of their ids; none shares a side with ``used``.

    Raises ValueError where there are fewer.
    """
    fit = sentences[sentences["ja"].str.len().between(SHORTEST, LONGEST)]
    fit = fit[~fit["id"].isin(used["id"]) & ~fit["en"].isin(used["en"])]
    table = fit.iloc[hash_order(seed, "translations", fit["id"])[: 10 * count]]
    table = table[~table["ja"].map(key).isin(set(used["ja"].map(key)))]
    table = table[~table["en"].map(key).isin(set(used["en"].map(key)))]
    return _enough(list(zip(table["ja"], table["en"], strict=True)), count)


def paraphrases(
    sentences: pd.DataFrame, used: pd.DataFrame, *, seed: int, count: int
) -> list[tuple[str, str]]:
    """So many pairs of sentences by people with one English side, each side in one pair alone.

    Their bigram Jaccard similarity is below ALIKE: a model that is shown small changes copies.
    Raises ValueError where there are fewer.
    """
    repeated = sentences[sentences["en"].duplicated(keep=False)]
    table = pairs(repeated[repeated["ja"].str.len().between(SHORTEST, LONGEST)], used)
    names = table["source"] + "\0" + table["target"]
    table = table.iloc[hash_order(seed, "paraphrases", names)].drop_duplicates("en")
    both = zip(table["source"], table["target"], strict=True)
    return _enough(
        list(islice((pair for pair in both if _similarity(*pair) < ALIKE), count)), count
    )


def _similarity(first: str, second: str) -> float:
    one, other = bigrams(first), bigrams(second)
    return len(one & other) / len(one | other)


def _enough(shown: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    if len(shown) < count:
        raise ValueError(
            f"only {len(shown)} of {count} worked examples lie outside the splits; lower `shots`, "
            "or data.pool"
        )
    return shown[:count]
