"""The items that a run asks: of public datasets where they are at hand, else of our own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kensho.jlce import items, readers
from kensho.jlce.catalogue import PUBLIC, SAME_DOCUMENTS
from kensho.jlce.items import KINDS, OURS, Item, Translation

OWN = {"source": "our own", "licence": "Apache-2.0", "attribution": "the Kenshō authors"}
SHOWN = 8  # worked examples of a translation prompt
TEXTS = (  # fields that hold what a model would have to have seen
    *("passage", "question", "choices", "text", "summary", "premise", "hypothesis"),
    *("premises", "statement", "references"),
)


def prepare(
    public: Mapping[str, Path],
    origins: Mapping[str, Mapping[str, str]],
    pairs: tuple[pd.DataFrame, pd.DataFrame],
    *,
    count: int,
    seed: int,
) -> tuple[dict[str, list[Item]], dict[str, dict]]:
    """Items of every kind with our worked examples, and where they come from.

    Args:
        public: files by name of the dataset (:data:`readers.READERS`); the first of a kind counts.
        origins: source, licence and attribution by dataset and, under ``pairs``, of the corpus.
        pairs: training and held-out sentences (columns id, en, ja): the translations.
        count: test items of each kind, drawn from those there are.

    Raises ValueError naming the file that cannot be read.
    """
    drawn: dict[str, list[Item]] = {}
    record: dict[str, dict] = {}
    for kind in KINDS:
        if kind == "translation_ja_en":  # the same pairs the other way round
            drawn[kind] = [
                _turned(item) for item in drawn["translation"] if isinstance(item, Translation)
            ]
            record[kind] = record["translation"]
            continue
        ours = _ours(kind, pairs)
        train, test = ([i for i in ours if i.split == s] for s in ("train", "test"))
        origin = origins["pairs"] if kind == "translation" else OWN
        name = next((name for name in public if PUBLIC[name] == kind), None)
        if name is not None:
            test, origin = readers.read(name, public[name]), origins[name]
        # tasks with the same documents draw the same ones
        tests = draw(test, count, seed + list(KINDS).index(SAME_DOCUMENTS.get(kind, kind)))
        drawn[kind] = train + tests
        record[kind] = {
            **origin,
            **{"test": len(tests), "of": len(test), "train": len(train)},
            **baselines(tests),
        }
    return drawn, record


def _turned(item: Translation) -> Translation:
    changes = {"text": item.references[0], "references": [item.text]}
    return item.model_copy(update=changes)


def _ours(kind: str, pairs: tuple[pd.DataFrame, pd.DataFrame]) -> list[Item]:
    if kind != "translation":
        return items.read(OURS / f"{kind}.jsonl", kind)
    shown, held_out = pairs[0].head(SHOWN), pairs[1]
    return [*readers.tatoeba(shown, "train"), *readers.tatoeba(held_out, "test")]


def draw(pool: Sequence[Item], count: int, seed: int) -> list[Item]:
    """So many of the items, drawn without replacement, in their order.

    Of two clusters at least where there are two: one alone does not tell how sure a score is.
    """
    if len(pool) <= count:
        return list(pool)
    rng = np.random.default_rng(seed)
    places = rng.choice(len(pool), count, replace=False)
    clusters = {pool[place].cluster for place in places}
    others = [place for place, item in enumerate(pool) if item.cluster not in clusters]
    if len(clusters) == 1 and others:
        places[-1] = rng.choice(others)
    return [pool[place] for place in sorted(places)]


def baselines(tests: Sequence[Item]) -> dict[str, float]:
    """Accuracy of guessing evenly and of always giving the commonest label; {} without labels."""
    options = [item.options for item in tests if hasattr(item, "options")]
    if not options:
        return {}
    gold = pd.Series([label for _, label in options])
    return {
        "chance": sum(1 / len(choices) for choices, _ in options) / len(options),
        "majority": float(gold.value_counts(normalize=True).max()),
    }


def contamination(
    training: Sequence[str], by_kind: Mapping[str, Sequence[Item]], n: int = 13
) -> pd.DataFrame:
    """Share of each item's character n-grams that stand in the training text.

    Columns kind, cluster, item, share. An item with fewer than ``n`` characters counts as one gram.
    Brown et al. (2020, appendix C) take 13 words; 13 characters of Japanese are some eight words
    and so the stricter rule.
    """
    wanted = {
        (kind, item.cluster, item.id): _grams(_text(item), n)
        for kind, items in by_kind.items()
        for item in items
        if item.split == "test"
    }
    sought = set().union(*wanted.values())
    lengths = {len(gram) for gram in sought}
    seen = {
        gram
        for text in training
        for length in lengths
        for i in range(len(text) - length + 1)
        if (gram := text[i : i + length]) in sought
    }
    rows = [(*key, len(grams & seen) / len(grams)) for key, grams in wanted.items()]
    return pd.DataFrame(rows, columns=["kind", "cluster", "item", "share"])


def _text(item: Item) -> list[str]:
    values = [getattr(item, name) for name in TEXTS if hasattr(item, name)]
    return [part for value in values for part in ([value] if isinstance(value, str) else value)]


def _grams(texts: Sequence[str], n: int) -> set[str]:
    return {text[i : i + n] for text in texts for i in range(max(1, len(text) - n + 1))} - {""}
