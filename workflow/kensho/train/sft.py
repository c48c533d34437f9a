"""Supervised fine-tuning by any method, resumable, observed step by step."""

from pathlib import Path

import pandas as pd

from kensho.data.prompt import completion, prompt
from kensho.models.reference import Reference
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.stage import draw, learned


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Train on ``samples``: columns en and ja (translation) or prompt and completion.

    As :func:`kensho.train.stage.learned`.
    """
    drawn = draw(samples, training.samples, training.seed)
    if "prompt" not in drawn:
        drawn = drawn.assign(prompt=drawn["en"].map(prompt), completion=drawn["ja"].map(completion))
    texts = {side: drawn[side] for side in ("prompt", "completion")}

    def encode(model, tokenizer):
        pairs = zip(*texts.values(), strict=True)
        return [encoded(tokenizer, *pair, chat=training.chat) for pair in pairs]

    return learned(base, texts, encode, output, checkpoints, training)
