"""Supervised fine-tuning by any method, resumable, observed step by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from kensho.data.prompt import completion, prompt, prompt_back
from kensho.models.reference import Reference
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.stage import draw, learned


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Train on ``samples``: columns en and ja (translation) or prompt and completion.

    The stage's own settings are those of :class:`kensho.train.catalogue.Sft`; the rest is as
    :func:`kensho.train.stage.learned` has it.
    """
    own = training.settings
    drawn = draw(asked(samples, own), training.samples, training.seed)
    texts = {side: drawn[side].tolist() for side in ("prompt", "completion")}
    shown = own.get("context", 0)

    def encode(model, tokenizer):
        pairs, chat = [*zip(*texts.values(), strict=True)], in_turns(training)

        def row(place: int, shown: int) -> dict[str, list[int]]:
            """With as many samples before it as leave it whole."""
            before = pairs[max(0, place - shown) : place]
            made = encoded(tokenizer, *pairs[place], chat=chat, before=before)
            if not before or len(made["input_ids"]) <= training.max_length:
                return made
            return row(place, len(before) - 1)

        return [row(place, shown) for place in range(len(pairs))]

    return learned(base, texts, encode, output, checkpoints, training)


def asked(samples: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Prompts and completions of sentence pairs, in the directions that are set."""
    if "prompt" in samples:
        return samples
    en, ja = samples["en"], samples["ja"]
    into_ja = {"prompt": en.map(prompt), "completion": ja.map(completion)}
    into_en = {"prompt": ja.map(prompt_back), "completion": en.map(completion)}
    made = {"en-ja": [into_ja], "ja-en": [into_en], "both": [into_ja, into_en]}
    return pd.concat(map(pd.DataFrame, made[settings.get("directions", "en-ja")]))


def in_turns(training: Training) -> bool:
    """Whether prompts are a user's turns: as the model is evaluated, unless it is set."""
    turns = training.settings.get("turns", "as evaluated")
    return training.chat if turns == "as evaluated" else turns == "chat"
