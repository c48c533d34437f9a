"""Paraphrase by a model that is shown pairs of sentences by people with one English side."""

from collections.abc import Mapping

import pandas as pd

from kensho.augment import Files, shots, variant_rows, variant_table
from kensho.augment.asking import Asked, Examples, drawn, unfit

TECHNIQUE = "paraphrase"
LABELS = "文", "言い換え"


def variants(samples: pd.DataFrame, asked: Asked, examples: Examples) -> pd.DataFrame:
    """One paraphrase of each sample: ``COLUMNS``, and ``unfit``, why it is no sentence."""
    answers = asked.answers(samples["ja"].tolist(), examples)
    rows, faults = [], []
    for sample, answer in zip(samples.itertuples(), answers, strict=True):
        rows += variant_rows(sample, TECHNIQUE, [(answer.text, {})])
        faults.append(unfit(answer, sample.ja))
    return variant_table(rows).assign(unfit=faults)


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """One paraphrase of each sample that is drawn; ``limit`` is not reached."""
    sentences, used = shots.read(inputs)
    pairs = shots.paraphrases(sentences, used, seed=seed, count=settings["shots"])
    (path,) = inputs["models"]
    asked = Asked(path, max_new_tokens=settings["max_new_tokens"], batch=settings["batch"])
    taken = drawn(samples, TECHNIQUE, seed=seed, most=settings["samples"])
    return variants(taken, asked, Examples(*LABELS, pairs))
