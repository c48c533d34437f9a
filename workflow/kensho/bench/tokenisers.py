"""F-5: what tokenisers of one corpus make of held-out sentences, by algorithm, size and coverage.

Counts are observed by sentence, and whole passes over all sentences are timed on one thread, in an
order drawn anew for each pass; where MeCab bounds the pieces its work is part of the time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.segmentation.characters import types
from kensho.bench.tokeniser_arms import ARMS, KINDS, SCRIPT, Cell
from kensho.bench.tokeniser_training import Tokeniser, load
from kensho.data import corpus
from kensho.data.corpus import read_table
from kensho.files import read_json
from kensho.linguistics.tokens import words
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.settings import Tokenisers as Settings

EXPERIMENT = "tokenisers"
REGISTERED = ((8000, 0.9995), (8000, 1.0))  # pieces and coverages of which claims read metrics


def kind(pieces: Any, index: int) -> str:
    """Script of a token: one of ``SCRIPTS``, mixed, or byte where the vocabulary lacks it."""
    if pieces.is_byte(index):
        return "byte"
    scripts = {SCRIPT[letter] for letter in types(pieces.id_to_piece(index))}
    return scripts.pop() if len(scripts) == 1 else "mixed"


def counts(tokeniser: Tokeniser, text: str) -> dict[str, int]:
    """``tokens`` of a text, and of them those of each script (``tokens_kanji``, ...) and bytes.

    Raises ValueError where the tokens do not give the text back.
    """
    ids = tokeniser.encode(text)
    if tokeniser.decode(ids) != text:
        raise ValueError(f"{tokeniser.cell.name}: its tokens do not give back '{text}'")
    kinds = Counter(kind(tokeniser.pieces, index) for index in ids)
    return {"tokens": len(ids), **{f"tokens_{name}": kinds[name] for name in KINDS}}


def observe(
    tokenisers: Sequence[Tokeniser], sentences: pd.DataFrame, passes: int, seed: int
) -> pd.DataFrame:
    """Observation table on sentences with columns id and ja.

    Block ``sentence-<id>``: ``characters`` and ``words`` (UniDic's short units) of every arm, and
    :func:`counts` of each tokeniser with its suffix. Block ``pass-<n>``: ``seconds`` of a pass.
    """
    return table(
        [*_of_sentences(tokenisers, sentences), *_timed(tokenisers, sentences, passes, seed)]
    )


def _of_sentences(tokenisers: Sequence[Tokeniser], sentences: pd.DataFrame) -> Iterator[Row]:
    for name, text in zip(sentences["id"], sentences["ja"], strict=True):
        block, size = f"sentence-{name}", {"characters": len(text), "words": len(words(text))}
        for arm in ARMS:
            for metric, value in size.items():
                yield Row(EXPERIMENT, arm, block, 0, metric, value, metric)
        for one in tokenisers:
            for metric, value in counts(one, text).items():
                metric = f"{metric}.{one.cell.suffix}"
                yield Row(EXPERIMENT, one.cell.arm, block, 0, metric, value, "tokens")


def _timed(
    tokenisers: Sequence[Tokeniser], sentences: pd.DataFrame, passes: int, seed: int
) -> Iterator[Row]:
    rng = np.random.default_rng(seed)
    for number in range(passes):
        for place in rng.permutation(len(tokenisers)):
            one, began = tokenisers[place], time.perf_counter()
            for text in sentences["ja"]:
                one.encode(text)
            seconds, metric = time.perf_counter() - began, f"seconds.{one.cell.suffix}"
            yield Row(EXPERIMENT, one.cell.arm, f"pass-{number}", 0, metric, seconds, "s")


def trained_on(inputs: Inputs) -> str:
    """Deviation: what the tokenisers learnt of."""
    record = read_json(inputs["tokenisers"][0])
    return (
        f"{record['sentences']:,} everyday sentences of {record['characters']:,} characters stand "
        "for the corpora that vocabularies are trained on"
    )


def absent(
    untrained: Mapping[Cell, str], arm: str, metrics: Sequence[str], trained: Sequence[Tokeniser]
) -> dict[str, str]:
    """Why metrics are missing: tokenisers of an arm that could not be trained, or nobody asked."""
    why = {cell: reason for cell, reason in untrained.items() if cell.arm == arm}
    known = {*untrained, *(one.cell for one in trained)}
    for size, coverage in REGISTERED:
        if (cell := Cell(arm, size, coverage)) not in known:
            why[cell] = f"{size:,} pieces of coverage {coverage:g} are none of the configuration's"
    return {f"{metric}.{cell.suffix}": why[cell] for cell in why for metric in metrics}


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All tokenisers that the corpus carries."""
    tokenisers, untrained = load(inputs["tokenisers"])
    sentences = read_table(inputs["test"]).head(settings.items)
    observed = observe(tokenisers, sentences, settings.passes, run.seed)
    stand_in = trained_on(inputs)
    metrics = ["tokens", *(f"tokens_{name}" for name in KINDS), "seconds"]
    conditions = {
        "ran": {
            "models": [],
            "data": [corpus.ran(inputs["test"], settings.items)],
            "stand_ins": [stand_in],
        },
        "dtype": "none: counts and times",
        "items": len(sentences),
        "seeds": [run.seed],
        "threads": 1,
        "warmup": "counts are made before any pass is timed",
        "own": {"untrained": {cell.name: why for cell, why in untrained.items()}},
        "fallbacks": [],
        "deviations": [
            stand_in,
            "some of these sentences are near-duplicates of held-out ones, for all arms alike",
            "a tokeniser of MeCab's words is trained on these and encodes these",
        ],
    }
    return [
        (
            rows.reset_index(drop=True),
            conditions | {"absent": absent(untrained, str(arm), metrics, tokenisers)},
        )
        for arm, rows in observed.groupby("arm")
    ]
