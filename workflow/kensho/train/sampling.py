"""Preference pairs whose rejected side a model writes (see :mod:`kensho.train.preferences`)."""

from typing import Any

import pandas as pd
import torch
from transformers import set_seed

from kensho.data.prompt import prompt
from kensho.models.encoding import encode, render
from kensho.train.preferences import Pairs, paired

NEW_TOKENS = 64  # at most, of a sampled translation


def sampled(
    model: Any, tokenizer: Any, samples: pd.DataFrame, *, chat: bool, batch: int, seed: int
) -> Pairs:
    """The first line of what the model samples at temperature 1 is rejected."""
    set_seed(seed)
    texts = samples["en"].map(prompt)
    if chat:
        texts = texts.map(lambda text: render(tokenizer, [{"role": "user", "content": text}]))
    asked = [encode(tokenizer, text) for text in texts]
    pad, answers = tokenizer.pad_token_id, []
    for first in range(0, len(asked), batch):
        rows = asked[first : first + batch]
        width = max(map(len, rows))
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
        real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        written = model.generate(
            input_ids=ids,
            attention_mask=real.to(model.device),
            max_new_tokens=NEW_TOKENS,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            pad_token_id=pad,
        )
        texts_of = tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
        answers += [text.strip().partition("\n")[0].strip() for text in texts_of]
    return paired(samples, answers, "sampled")
