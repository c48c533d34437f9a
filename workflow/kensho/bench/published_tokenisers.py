"""B 1.2, F-3 and V-1: what published tokenisers make of encyclopaedic, news and technical text.

Documents of each text are drawn, and every tokeniser encodes the same lines of them, each line
alone and without special tokens. Whole passes over a text are timed on one thread, in an order
drawn anew for each pass.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.bench import kinds_of_text, token_counts
from kensho.bench.kinds_of_text import Document
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.segmentation.characters import types
from kensho.bench.tokeniser_arms import KINDS, SCRIPT, TEXTS
from kensho.data.sources import fetched
from kensho.linguistics.tokens import words
from kensho.models.tokenizers import TextTokenizer, load
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.settings import PublishedTokenisers as Settings

EXPERIMENT = "published_tokenisers"
BROKEN = "\ufffd"  # what bytes that are no character decode to


def kind(tokeniser: TextTokenizer, index: int) -> str:
    """One of ``KINDS``: a token's script, spaces aside, or mixed where it has several.

    ``byte`` where it holds part of a character; ``unknown`` where it stands for what is lost.
    """
    if index == tokeniser.unknown:
        return "unknown"
    text = tokeniser.decode([index])
    if BROKEN in text:
        return "byte"
    scripts = {SCRIPT[letter] for letter in types(text.strip())} or {"other"}
    return scripts.pop() if len(scripts) == 1 else "mixed"


def counts(tokeniser: TextTokenizer, lines: Sequence[str]) -> dict[str, int]:
    """``tokens`` of lines, of them those of each kind, and the lines that come back whole.

    Raises ValueError for a line with no token.
    """
    encoded = [tokeniser.encode(line) for line in lines]
    for line, ids in zip(lines, encoded, strict=True):
        if not ids:
            raise ValueError(f"no token for '{line}'")
    kinds: Counter[str] = Counter()
    for index, times in Counter(index for ids in encoded for index in ids).items():
        kinds[kind(tokeniser, index)] += times
    restored = sum(tokeniser.decode(i) == line for i, line in zip(encoded, lines, strict=True))
    return {
        "tokens": kinds.total(),
        **{f"tokens_{name}": kinds[name] for name in (*KINDS, "unknown")},
        "restored": restored,
    }


def drawn(documents: Sequence[Document], most: int, seed: int) -> list[Document]:
    """At most so many documents of each text, in the texts' order."""
    chosen = []
    for text in TEXTS:
        own = [document for document in documents if document.text == text]
        order = np.random.default_rng(seed).permutation(len(own))[:most]
        chosen += [own[place] for place in sorted(order)]
    return chosen


def observe(
    tokenisers: Mapping[str, TextTokenizer], documents: Sequence[Document], passes: int, seed: int
) -> pd.DataFrame:
    """Observation table of tokenisers by arm.

    Block ``document-<text>.<name>``, metrics with the text's name behind a full stop: ``lines``,
    ``characters``, ``words`` (UniDic's short units), :func:`counts`, ``tokens_per_word``, and
    ``tokens_en`` of the English side. Block ``pass-<n>``: ``seconds`` of a pass over the text.
    Block ``vocabulary``.
    """
    rows = [*_of_documents(tokenisers, documents), *_timed(tokenisers, documents, passes, seed)]
    return table(rows)


def _of_documents(
    tokenisers: Mapping[str, TextTokenizer], documents: Sequence[Document]
) -> Iterator[Row]:
    for arm, tokeniser in tokenisers.items():
        yield Row(EXPERIMENT, arm, "vocabulary", 0, "vocabulary", tokeniser.size, "tokens")
    for document in documents:
        block, size = f"document-{document.text}.{document.name}", _size(document.ja)
        for arm, tokeniser in tokenisers.items():
            try:
                counted = size | counts(tokeniser, document.ja)
                if document.en:
                    counted["tokens_en"] = counts(tokeniser, document.en)["tokens"]
            except ValueError as error:
                raise ValueError(f"{arm}: {error}; leave this tokeniser out") from None
            for metric, value in counted.items():
                unit = metric if metric in size else "lines" if metric == "restored" else "tokens"
                yield Row(EXPERIMENT, arm, block, 0, f"{metric}.{document.text}", value, unit)
            per_word = counted["tokens"] / size["words"]
            name = f"tokens_per_word.{document.text}"
            yield Row(EXPERIMENT, arm, block, 0, name, per_word, "tokens per word")


def _size(lines: Sequence[str]) -> dict[str, int]:
    return {
        "lines": len(lines),
        "characters": sum(map(len, lines)),
        "words": sum(len(words(line)) for line in lines),
    }


def _timed(
    tokenisers: Mapping[str, TextTokenizer],
    documents: Sequence[Document],
    passes: int,
    seed: int,
) -> Iterator[Row]:
    texts: dict[str, list[str]] = {}
    for document in documents:
        texts.setdefault(document.text, []).extend(document.ja)
    cells = [(arm, text) for arm in tokenisers for text in texts]
    rng = np.random.default_rng(seed)
    for number in range(passes):
        for place in rng.permutation(len(cells)):
            arm, text = cells[place]
            encode, began = tokenisers[arm].encode, time.perf_counter()
            for line in texts[text]:
                encode(line)
            seconds = time.perf_counter() - began
            yield Row(EXPERIMENT, arm, f"pass-{number}", 0, f"seconds.{text}", seconds, "s")


def absent(left_out: Mapping[str, str]) -> dict[str, str]:
    """Why metrics of texts are missing whose source is left out."""
    metrics = ["tokens", "tokens_en", "tokens_per_word", "characters", "seconds"]
    return {
        f"{metric}.{text}": left_out[source]
        for text, (_, source) in TEXTS.items()
        if source in left_out
        for metric in metrics
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All tokenisers on all texts. Raises ValueError for what could not be fetched after all."""
    documents: list[Document] = []
    held = []
    for record in inputs["texts"]:
        path, source = fetched(record)
        if path is None:
            raise ValueError(source["reason"])
        documents += kinds_of_text.read(source["name"], path)
        held.append(source)
    chosen = drawn(documents, settings.documents, run.seed)
    tokenisers = {arm: load(path) for arm, path in token_counts.files(inputs).items()}
    counted, there = (Counter(one.text for one in every) for every in (chosen, documents))
    items = Counter(TEXTS[document.text].source for document in chosen)
    conditions = {
        "ran": {
            "models": [],
            "data": [
                {"name": one["name"], "items": items[one["name"]], "sha256": one["sha256"]}
                for one in held
            ],
            "follows_from": "tokenizer and text",
        },
        "dtype": "none: counts and times",
        "items": len(chosen),
        "seeds": [run.seed],
        "threads": 1,
        "warmup": "counts are made before any pass is timed",
        "own": {
            "kinds": [*KINDS, "unknown"],
            "documents": {
                text: {"kind": TEXTS[text].kind, "used": used, "of": there[text]}
                for text, used in counted.items()
            },
            "left_out": dict(run.left_out),
        },
        "absent": absent(run.left_out),
        "fallbacks": [f"{name} left out: {why}" for name, why in run.left_out.items()],
        "deviations": [
            "every line of a document is encoded alone, without special tokens",
            "times are those of this machine, and no claim reads them",
        ],
    }
    return [(observe(tokenisers, chosen, settings.passes, run.seed), conditions)]
