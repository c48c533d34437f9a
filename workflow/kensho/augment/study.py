"""The labelled tasks on which augmentation is tried (F-4), their splits, and the rows of an arm.

Each seed has test items of its own and draws its originals from one pool that holds no test item:
what a technique makes of a sentence is made once. Items that could give each other away (of one
image, or near-duplicates) stay on one side.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kensho.augment import COLUMNS
from kensho.augment.driver import select
from kensho.augment.pivot import pivot
from kensho.data.corpus import normalise, read_table
from kensho.data.duplicates import key, near_pairs
from kensho.files import read_json

ITEMS = ["item", "first", "second", "en", "label", "group", "fold"]  # "" for what an item lacks
SIDES = ("first", "second")
NEAR_DUPLICATE = 0.7  # Jaccard similarity of character bigrams, as in the corpus
Labelled = Iterator[tuple[str, str, str, str]]  # first, second, label, group


@dataclass(frozen=True)
class Task:
    """A labelled data set, named as its source: what is predicted, and its reader."""

    title: str
    read: Callable[[Path], Labelled]


def _keico(path: Path) -> Labelled:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield row["本文"], "", row["Level"], ""


def _json_lines(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _jnli(path: Path) -> Labelled:
    for row in _json_lines(path):
        image = row["yjcaptions_id"].split("-")[0]
        yield row["sentence1"], row["sentence2"], row["label"], image


def _jcola(path: Path) -> Labelled:
    for row in _json_lines(path):
        label = row["label"]
        yield row["sentence"], "", str(label) if isinstance(label, int) else label, ""


TASKS = {
    "keico": Task("politeness level of a sentence, 1 to 4 (KeiCO)", _keico),
    "jnli": Task("entailment of a pair of sentences (JNLI)", _jnli),
    "jcola-train": Task("acceptability of a sentence (JCoLA)", _jcola),
}


def read(task: str, path: Path) -> tuple[pd.DataFrame, int]:
    """Items of a task without ``fold``, and how many were left out as empty or repeated.

    Raises ValueError naming the file and the row that is not of the task's form.
    """
    rows: list[tuple[str, ...]] = []
    try:
        for row in TASKS[task].read(path):
            if not all(isinstance(value, str) for value in row):
                raise ValueError("a text or label is missing")
            rows.append((normalise(row[0]), normalise(row[1]), *row[2:]))
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{path}: row {len(rows) + 1} is not one of {task} ({error}); delete the file to fetch "
            "it again"
        ) from None
    table = pd.DataFrame(rows, columns=["first", "second", "label", "group"]).assign(en="")
    fit = table[(table["first"] != "") & (table["label"] != "")]
    fit = fit.drop_duplicates([*SIDES], ignore_index=True)
    fit.insert(0, "item", [f"{task}-{number}" for number in range(1, len(fit) + 1)])
    return fit, len(table) - len(fit)


def grouped(items: pd.DataFrame) -> pd.DataFrame:
    """Items with ``group`` such that those with near-duplicate texts share one, as images do."""
    side, row = np.nonzero((items[[*SIDES]] != "").to_numpy().T)
    texts = items[[*SIDES]].to_numpy()[row, side].tolist()
    near = row[np.array(near_pairs(texts, NEAR_DUPLICATE), dtype=int).reshape(-1, 2)]
    image = items["group"].where(items["group"] != "", items["item"])
    same = [tuple(rows[[0, i]]) for rows in items.groupby(image).indices.values() for i in
            range(1, len(rows))]  # fmt: skip
    edges = np.array([*near, *same], dtype=int).reshape(-1, 2)  # row to row
    graph = coo_array((np.ones(len(edges)), tuple(edges.T)), shape=(len(items), len(items)))
    return items.assign(group=connected_components(graph, directed=False)[1])


def split(items: pd.DataFrame, *, seeds: int, tested: float, seed: int) -> pd.DataFrame:
    """Items with ``fold``: the seed (0, 1, ...) that tests on it, -1 in the pool of originals.

    Each seed has as many test items of its own, all seeds together the share ``tested``. No group
    is in the pool and in a test; what is left of a divided one is left out. Raises ValueError where
    a seed would have no item.
    """
    rng = np.random.default_rng(seed)
    order = pd.Series(rng.permutation(items["group"].nunique()), sorted(items["group"].unique()))
    mixed = items.iloc[np.argsort(items["group"].map(order).to_numpy(), kind="stable")]
    if (test := int(tested * len(mixed)) // seeds) < 1:
        raise ValueError(f"{len(mixed)} items are too few for {seeds} seeds; lower seeds")
    cut, fold = seeds * test, np.full(len(mixed), -1)
    fold[:cut] = np.repeat(np.arange(seeds), test)
    divided = (fold < 0) & (mixed["group"] == mixed["group"].iloc[cut - 1]).to_numpy()
    return mixed.assign(fold=fold)[~divided].reset_index(drop=True)


def labelled(task: str, path: Path, **settings: Any) -> tuple[pd.DataFrame, dict[str, int]]:
    """Items of a task with ``fold`` (:func:`split`), and how many were read and fell, by reason."""
    found, left_out = read(task, path)
    items = split(grouped(found), **settings)
    fell = {"empty or repeated": left_out, "divided": len(found) - len(items)}
    return items, {"read": len(found) + left_out, **fell}


def pairs(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Sentence pairs (id, ja, en) as items without a label: a pool, and one test for all seeds."""
    sides = [
        table.rename(columns={"id": "item", "ja": "first"}).assign(
            second="", label="", group=table["id"], fold=fold
        )
        for table, fold in ((train, -1), (test, 0))
    ]
    return pd.concat(sides, ignore_index=True)[ITEMS]


def sentences(items: pd.DataFrame) -> pd.DataFrame:
    """Texts of items as techniques read them: id, ja, en."""
    sides = [
        pd.DataFrame({"id": items["item"] + f"-{side}", "ja": items[side], "en": items["en"]})
        for side in SIDES
    ]
    table = pd.concat(sides, ignore_index=True)
    return table[table["ja"] != ""].reset_index(drop=True)


def pool(items: pd.DataFrame) -> pd.DataFrame:
    """Items that no seed tests on."""
    return items[items["fold"] < 0]


def read_items(path: Path) -> pd.DataFrame:
    """Items as the rule `study_items` writes them."""
    return read_table(path).astype({"fold": int})


def kept(
    candidates: pd.DataFrame,
    items: pd.DataFrame,
    *,
    seed: int,
    least_similarity: float | None = None,
) -> tuple[pd.DataFrame, dict[str, int]]:
    """What is left of one technique's candidates, and counts by outcome (``driver.select``)."""
    base, test = sentences(pool(items)), sentences(items[items["fold"] >= 0])
    everything = len(base) + len(candidates)
    table, counts = select(
        candidates,
        base,
        test,
        target=everything,
        seed=seed,
        threshold=NEAR_DUPLICATE,
        least_similarity=least_similarity,
    )
    outcomes = dict(zip(counts["outcome"], map(int, counts["count"]), strict=True))
    return table.loc[table["technique"] != "original", COLUMNS], outcomes


def read_variants(
    files: Iterable[Path], items: pd.DataFrame, guard: Path | None, *, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, int]]]:
    """Variants of each technique and of all together, and what became of the candidates.

    ``guard`` is the calibration of the meaning guard, where a technique needs one.
    """
    least = read_json(guard)["threshold"] if guard else None
    every = {
        path.stem: kept(read_table(path), items, seed=seed, least_similarity=least)
        for path in files
    }
    variants = {technique: table for technique, (table, _) in every.items()}
    outcomes = {technique: counts for technique, (_, counts) in every.items()}
    return variants | {"combined": combined([*variants.values()])}, outcomes


def pivoted(
    items: pd.DataFrame, attested: pd.DataFrame, per_sample: int, *, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Other people's sentences with the English side of an original, and what was dropped.

    An upper bound for back-translation: it brings in what people wrote (`kensho.augment.pivot`).
    """
    test = sentences(items[items["fold"] >= 0])
    table, counts = pivot(
        sentences(pool(items)),
        attested,
        test,
        seed=seed,
        per_sample=per_sample,
        threshold=NEAR_DUPLICATE,
    )
    return table, dict(zip(counts["reason"], map(int, counts["count"]), strict=True))


def yields(items: pd.DataFrame, variants: Mapping[str, pd.DataFrame]) -> list[str]:
    """How many of the pool's sentences each technique has a variant of, in words."""
    most = len(sentences(pool(items)))
    return [
        f"{technique} has variants of {table['parent'].nunique():,} of {most:,} sentences; rows "
        "that they do not fill are originals once more"
        for technique, table in variants.items()
        if table["parent"].nunique() < most
    ]


def without_more(items: pd.DataFrame, sizes: Sequence[int], added: int) -> list[str]:
    """Sizes that the pool has, without the further items of the arm more-data, in words."""
    there = len(pool(items))
    return [
        f"no arm more-data at {size:,} originals: its pool of {there:,} items has too few others"
        for size in sizes
        if size <= there < size * (1 + added)
    ]


def varied(items: pd.DataFrame, variants: pd.DataFrame) -> list[pd.DataFrame]:
    """Items with their first variants in place of the texts, their second ones, and so on.

    A text without such a variant stays; items none of whose texts has one are left out.
    """
    turn = variants.groupby("parent").cumcount()
    rounds = []
    for _, made in variants.groupby(turn.to_numpy()):
        texts = made.set_index("parent")["ja"]
        new = items.copy()
        for side in SIDES:
            new[side] = (items["item"] + f"-{side}").map(texts)
        rounds.append(new[new[[*SIDES]].notna().any(axis=1)].fillna(items[[*SIDES]]))
    return rounds


def combined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Variants of several techniques, of each parent in turn: every technique leads as often.

    What two of them make alike is there once.
    """
    ranked = [
        table.assign(_turn=table.groupby("parent").cumcount(), _technique=place)
        for place, table in enumerate(tables)
    ]
    every = pd.concat(ranked, ignore_index=True)
    first = [sum(parent.encode()) for parent in every["parent"]]
    every["_place"] = (every["_technique"] - np.array(first, dtype=int)) % len(tables)
    every = every.sort_values(["_turn", "_place"], kind="stable")
    return every.loc[~every["ja"].map(key).duplicated(), COLUMNS].reset_index(drop=True)


@dataclass(frozen=True)
class Draw:
    """Of one seed and size: its originals, further real items, and how many rows are added."""

    originals: pd.DataFrame
    more: pd.DataFrame
    added: int

    def rows(self, variants: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        """Rows of an arm with these variants, and how many of its rows they are.

        As many rows for every arm: where variants do not suffice, originals are repeated.
        """
        new = pd.concat([self.originals.head(0), *varied(self.originals, variants)])
        new = new.head(self.added)
        again = 1 + (self.added - len(new)) // len(self.originals)
        repeated = pd.concat([self.originals] * again).head(self.added - len(new))
        return pd.concat([self.originals, new, repeated]), len(new)


def draw(pool: pd.DataFrame, size: int, added: int, *, seed: int, replicate: int) -> Draw | None:
    """Originals of one replicate, the smaller sizes within the larger; None of too small a pool.

    ``added`` rows come to each original.
    """
    if size > len(pool):
        return None
    order = np.random.default_rng([seed, replicate]).permutation(len(pool))
    more = order[size : size * (1 + added)]
    return Draw(pool.iloc[order[:size]], pool.iloc[more], size * added)


def arms(
    drawn: Draw, variants: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, pd.DataFrame, int]]:
    """Each arm with its rows, and how many of these are variants or further real items.

    ``none`` has the originals alone, ``repeat`` the originals once more (the control that studies
    lack), ``more-data`` real items in place of variants, where the pool has as many.
    """
    yield "none", drawn.originals, 0
    yield "repeat", *drawn.rows(pd.DataFrame(columns=COLUMNS))
    for technique, table in variants.items():
        yield technique, *drawn.rows(table)
    if len(drawn.more) == drawn.added:
        yield "more-data", pd.concat([drawn.originals, drawn.more]), drawn.added
