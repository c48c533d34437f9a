"""How likely a model finds texts that it has not learnt."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase

from kensho.train.loop import collated, summed_loss
from kensho.train.samples import IGNORED, encoded
from kensho.train.schedule import Diverged

AT_ONCE = 8  # texts of a pass


def plain(texts: Iterable[str]) -> pd.DataFrame:
    """Texts as samples (prompt, completion) without a prompt.

    Everything is learnt and scored but a first token that nothing stands before: instruction models
    expect a role behind the token that begins a turn, and would learn this form before the text.
    """
    return pd.DataFrame({"prompt": "", "completion": list(texts)})


@torch.inference_mode()
def nll_per_character(
    model: Any, tokenizer: PreTrainedTokenizerBase, samples: pd.DataFrame
) -> float:
    """Negative log-likelihood (nat) of the completions under their prompts, by characters.

    ``samples`` has columns prompt and completion; blanks around a completion are no characters, and
    the token that ends a text is learnt but not scored. Raises ValueError without any character,
    Diverged where the model computes no numbers.
    """
    characters = sum(len(text.strip()) for text in samples["completion"])
    if not characters:
        raise ValueError("no characters to score; raise the number of held-out samples")
    rows = [
        _unended(encoded(tokenizer, prompt, completion, chat=False))
        for prompt, completion in zip(samples["prompt"], samples["completion"], strict=True)
    ]
    rows.sort(key=lambda row: len(row["input_ids"]))
    was_training = model.training
    model.eval()
    total = 0.0
    for first in range(0, len(rows), AT_ONCE):
        batch = collated(rows[first : first + AT_ONCE], tokenizer.pad_token_id)
        total += summed_loss(model, **batch).item()
    model.train(was_training)
    if not math.isfinite(total):
        raise Diverged("the likelihood of held-out texts is no number; lower learning_rate")
    return total / characters


def _unended(row: Mapping[str, list[int]]) -> dict[str, list[int]]:
    return {**row, "labels": [*row["labels"][:-1], IGNORED]}
