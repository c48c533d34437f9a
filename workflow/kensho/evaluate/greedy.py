"""Greedy answers of any causal model, through transformers' own caches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Decoding:
    """How answers are written."""

    most: int  # tokens of an answer
    ended: Callable[[list[int]], bool]  # whether an answer's last token ends it
    batch: int  # whole sequences whose keys and values are held at once
    nodes: int  # tokens beside the shared beginning that are read at once, where one is shared


@torch.inference_mode()
def generate(
    model, contexts: Sequence[list[int]], decoding: Decoding, *, padding: int
) -> list[list[int]]:
    """Continuations, each up to and with the token that ended it.

    Sequences of like length go together, padded on the left with a token that is masked.
    """
    answers: list[list[int]] = [[] for _ in contexts]
    by_length = sorted(range(len(contexts)), key=lambda i: -len(contexts[i]))
    for first in range(0, len(by_length), decoding.batch):
        rows = by_length[first : first + decoding.batch]
        width = len(contexts[rows[0]])
        missing = [width - len(contexts[i]) for i in rows]
        padded = [[padding] * n + contexts[i] for n, i in zip(missing, rows, strict=True)]
        real = [[0] * n + [1] * (width - n) for n in missing]
        ends: dict[int, int] = {}

        def stopped(sequences: torch.Tensor, _, ends=ends, width=width, **__) -> torch.Tensor:
            for place, answer in enumerate(sequences[:, width:].tolist()):
                if place not in ends and decoding.ended(answer):
                    ends[place] = len(answer)
            done = [place in ends for place in range(len(sequences))]
            return torch.tensor(done, device=sequences.device)

        written = model.generate(
            input_ids=torch.tensor(padded, device=model.device),
            attention_mask=torch.tensor(real, device=model.device),
            max_new_tokens=decoding.most,
            do_sample=False,
            pad_token_id=padding,
            stopping_criteria=[stopped],
        )
        for place, answer in enumerate(written[:, width:].tolist()):
            answers[rows[place]] = answer[: ends.get(place)]
    return answers
