"""GiNZA's dependency parses, in batches."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TypeVar

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import NumpyOps

BATCH = 64

T = TypeVar("T")


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


def parsed(texts: Iterable[tuple[str, T]]) -> Iterator[tuple[Doc, T]]:
    """Parses of texts, in their order, each with what came with its text."""
    return parser().pipe(texts, as_tuples=True, batch_size=BATCH)
