"""GiNZA's dependency parses, in batches and on all cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import NumpyOps
from threadpoolctl import threadpool_limits

BATCH = 64
RECOGNISER = "bunsetu_recognizer"

Read = TypeVar("Read")


@cache
def parser() -> Language:
    """GiNZA with its dependency parser and bunsetsu recogniser, and nothing else.

    numpy does the matrix products: the parses are the same and come in half the time.
    """
    nlp = spacy.load("ja_ginza", exclude=["ner", "morphologizer", "compound_splitter"])
    ops = NumpyOps(use_blis=False)
    for _, component in nlp.pipeline:
        for layer in component.model.walk() if hasattr(component, "model") else ():
            layer.ops = ops
    return nlp


def recognised(doc: Doc) -> Doc:
    """A parse of :func:`parsed` with its bunsetsu, for which ginza's functions ask."""
    return doc if "bunsetu_heads" in doc.user_data else parser().get_pipe(RECOGNISER)(doc)


def parsed(texts: Sequence[str], read: Callable[[Doc], Read]) -> Iterator[Read]:
    """What ``read``, a function of a module, makes of the parse of each text, in their order.

    A process for each core that this one may use, while there are batches for all of them. The
    parses are without bunsetsu and with GiNZA's inner labels until they are :func:`recognised`.
    """
    own = iter(texts)
    batches = list(iter(lambda: list(islice(own, BATCH)), []))
    cores = min(len(os.sched_getaffinity(0)), len(batches))
    if cores < 2:
        yield from _read(read, texts)
        return
    parser()  # loaded once, for all
    with get_context("fork").Pool(cores, initializer=threadpool_limits, initargs=(1,)) as pool:
        for results in pool.imap(partial(_read, read), batches):
            yield from results


def _read(read: Callable[[Doc], Read], texts: Sequence[str]) -> list[Read]:
    return [read(doc) for doc in parser().pipe(texts, batch_size=BATCH, disable=[RECOGNISER])]
