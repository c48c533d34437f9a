"""What a model samples: answers to learn from, and rejected sides of preference pairs."""

from collections.abc import Collection, Sequence
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
    asked = [encode(tokenizer, turn(tokenizer, text, chat=chat)) for text in texts]
    stops, pad = ends(model, tokenizer), tokenizer.pad_token_id
    written = answers(model, asked, stops, batch=batch, pad=pad, most=NEW_TOKENS)
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    return paired(samples, [text.strip().partition("\n")[0].strip() for text in texts], "sampled")


def turn(tokenizer: Any, text: str, *, chat: bool) -> str:
    """A prompt as the model reads it: in ``chat`` as a user's turn."""
    return render(tokenizer, [{"role": "user", "content": text}]) if chat else text


def ends(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end an answer."""
    own = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}


@torch.no_grad()
def answers(
    model: Any,
    asked: Sequence[list[int]],
    stops: Collection[int],
    *,
    batch: int,
    pad: int,
    most: int,
) -> list[list[int]]:
    """An answer to each prompt, sampled at temperature 1, up to and with a token that ``stops`` it.

    Prompts are padded on the left; an answer has at most ``most`` tokens.
    """
    sampled = []
    for first in range(0, len(asked), batch):
        rows = asked[first : first + batch]
        width = max(map(len, rows))
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
        real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        written = model.generate(
            input_ids=ids,
            attention_mask=real.to(model.device),
            max_new_tokens=most,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            repetition_penalty=1.0,
            pad_token_id=pad,
        )
        for answer in written[:, width:].tolist():
            last = next((k for k, token in enumerate(answer, 1) if token in stops), None)
            sampled.append(answer[:last])
    return sampled
