"""Japanese tokens for a base that has few, before training (:mod:`kensho.models.vocabulary`)."""

from pathlib import Path

import pandas as pd
import torch

from kensho.models.reference import Reference
from kensho.models.vocabulary import expand_model
from kensho.train.cpt import texts_of
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.stage import exclusive, require_whole, room, untrained


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Save ``base`` with ``pieces`` tokens more, learnt on the column text of ``samples``, or ja.

    Rows that are held out teach none. No step is taken: the new embeddings are means of old ones.
    Raises ValueError where adapters are not yet part of the weights, and as
    :func:`kensho.models.vocabulary.expand` does.
    """
    require_whole(base, training)
    baseline = 0 if torch.cuda.is_available() else resident_bytes()
    reset_peak()
    texts, _ = texts_of(samples)
    with exclusive(checkpoints), room(output):
        try:
            made = expand_model(Path(base.base), texts, training.settings["pieces"], output)
        except ValueError as error:
            raise ValueError(f"{training.name}: {error}") from None
    return untrained(peak_bytes() - baseline, texts, made)
