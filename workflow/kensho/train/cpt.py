"""Continual pre-training: the next token of plain text, one document a row or packed into blocks.

Documents of a block are kept apart by attention and positions, so that packing saves padding and
changes no loss; where a model does not keep them apart it is refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from kensho.models.encoding import encode
from kensho.models.loading import PROBE, device, tokenizer_of
from kensho.models.reference import Reference
from kensho.train.audit import counted
from kensho.train.loop import NEXT_TOKEN, Objective, Sample, collated, learned_tokens, summed_loss
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import IGNORED
from kensho.train.stage import learned, order, parted, require_positions


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Train on the column text of ``samples``, or ja where they are pairs.

    A document ends with the end of a text; one of more than ``max_length`` tokens is several rows.
    With ``blocks`` a row is a block of documents. As :func:`kensho.train.stage.learned`.
    """
    column, held_out = texts_of(samples)
    tokenizer, read = tokenizer_of(base.base), []

    def document(text: str) -> list[int]:
        end = tokenizer.eos_token
        return encode(tokenizer, text.removesuffix(end) + end)

    def documents() -> Iterator[list[int]]:
        pieces, size = 0, training.max_length
        for count, place in enumerate(order(len(column), training.seed), 1):
            read.append(text := column[place])
            ids = document(text)
            for first in range(0, len(ids) - 1, size):  # one token alone foretells none
                pieces += 1
                yield ids[first : first + size]
            if count == len(column) and not pieces:
                raise ValueError(f"{training.name}: no text has two tokens; take another corpus")

    blocks = training.settings.get("blocks", False)
    rows = packed(documents(), training.max_length) if blocks else map(row, documents())
    kept = [*islice(rows, training.samples)]
    alone = map(document, held_out)
    scored = [*(packed(alone, training.max_length) if blocks else map(row, alone))]
    audited = counted(tokenizer, kept, training, held_out=scored)

    def checked(model, tokenizer) -> tuple[Sequence[Sample], Sequence[Sample]]:
        require_positions(model, (len(one["input_ids"]) for one in [*kept, *scored]), training)
        if blocks:
            require_apart(model, tokenizer, training)
        return kept, scored

    steps, measured = learned(
        *(base, {"text": read}, checked, output, checkpoints, training),
        objective=IN_BLOCKS if blocks else NEXT_TOKEN,
        held_out={"text": held_out},
    )
    return steps, measured.model_copy(update={"audit": audited})


def texts_of(samples: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Texts to learn, and those that are held out: the column text, or ja of pairs."""
    column = "text" if "text" in samples else "ja"
    to_learn, held_out = (table[column].map(str).tolist() for table in parted(samples))
    return to_learn, held_out


def row(ids: Sequence[int]) -> dict[str, list[int]]:
    return {"input_ids": [*ids], "labels": [*ids]}


def packed(documents: Iterable[Sequence[int]], size: int) -> Iterator[dict[str, list[int]]]:
    """Blocks of whole documents of at most ``size`` tokens, in their order, while there are any.

    ``documents`` of a block are numbered from 1 there; the first token of each is not learned,
    which a row of its own would not learn either.
    """
    block: list[Sequence[int]] = []
    for ids in documents:
        if sum(map(len, block)) + len(ids) > size:
            yield _block(block)
            block = []
        block.append(ids)
    if block:
        yield _block(block)


def _block(documents: Sequence[Sequence[int]]) -> dict[str, list[int]]:
    return {
        "input_ids": [*chain.from_iterable(documents)],
        "labels": [label for ids in documents for label in (IGNORED, *ids[1:])],
        "documents": [number for number, ids in enumerate(documents, 1) for _ in ids],
    }


def block_inputs(rows: Sequence[Sample], pad: int) -> dict[str, Tensor]:
    """What :func:`kensho.train.loop.collated` gives, and who sees whom.

    The mask has shape (rows, 1, longest, longest), true where a token attends to one of its own
    document, at or before it; positions begin anew with each document.
    """
    inputs = collated(rows, pad)
    numbers = torch.zeros_like(inputs["input_ids"])
    for place, one in enumerate(rows):
        own = torch.tensor(one["documents"], device=device())
        numbers[place, : len(own)] = own
    same = numbers[:, :, None] == numbers[:, None, :]
    mask = same & torch.ones_like(same).tril()
    positions = (mask.sum(dim=-1) - 1).clamp(min=0)  # of its document, seen up to itself
    return inputs | {"attention_mask": mask[:, None], "position_ids": positions}


IN_BLOCKS = Objective(
    lambda model, rows, pad: summed_loss(model, **block_inputs(rows, pad)), learned_tokens
)


@torch.no_grad()
def require_apart(model: Any, tokenizer: Any, training: Training) -> None:
    """Raises ValueError where a document of a block changes what the model says of another."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    own = encode(tokenizer, PROBE)
    others = own, [own[-1]] * len(own)
    blocks = [block_inputs([_block([other, own])], tokenizer.pad_token_id) for other in others]
    logits = []
    for block in blocks:
        moved = {key: value.to(model.device) for key, value in block.items() if key != "labels"}
        logits.append(model(**moved, use_cache=False).logits[:, len(own) :])
    if not torch.equal(*logits) or (window and window < training.max_length):
        raise ValueError(
            f"{training.name}: {config.model_type} does not keep packed documents of "
            f"{training.max_length} tokens apart; set blocks: false"
        )
