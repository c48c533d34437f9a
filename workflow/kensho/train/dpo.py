"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290).

The reference is the model that the stage begins with. Its log-likelihoods are computed once, before
the first step, and kept with the checkpoints.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from kensho.data.prompt import completion, prompt
from kensho.files import read_json, write_json
from kensho.models.loading import device, tokenizer_of
from kensho.models.reference import Reference
from kensho.models.token_nll import token_nll
from kensho.train import processes
from kensho.train.audit import counted
from kensho.train.loop import Objective, Sample, collated, head_at
from kensho.train.precision import autocast
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import IGNORED, encoded
from kensho.train.stage import learned, order, parted, require_positions

REFERENCE = "reference.json"  # beside the checkpoints: log-ratio of each row and held-out one


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Prefer ja to rejected as translation of en, the columns of ``samples``.

    ``beta`` of the settings is that of the paper. As :func:`kensho.train.stage.learned`; the loss
    of a step is the mean over its pairs, and begins near ln 2. Pairs of which a side is longer than
    ``max_length`` are passed over and counted; those that are held out are scored by the same loss.
    """
    tokenizer, drawn, rows, long = tokenizer_of(base.base), [], [], set()
    samples, apart = parted(samples)
    for place in order(len(samples), training.seed):
        pair = samples.iloc[place]
        if (row := encoded_pair(tokenizer, pair, training)) is None:
            long.add(place)
        else:
            drawn.append(pair)
            rows.append(row)
        if len(rows) == training.samples:
            break
        if len(long) == len(samples):
            raise ValueError(f"{training.name}: no pair fits in max_length; raise it")

    encodings = ((pair, encoded_pair(tokenizer, pair, training)) for _, pair in apart.iterrows())
    fitting = [(pair, row) for pair, row in encodings if row is not None]
    scored = [row for _, row in fitting]
    both = sides(rows)
    audited = counted(tokenizer, both, training, held_out=sides(scored))

    def encode(model, tokenizer) -> tuple[list[dict], list[dict]]:
        every = [*rows, *scored]
        require_positions(model, (len(one["input_ids"]) for one in sides(every)), training)
        kept = checkpoints / REFERENCE
        if processes.first() and not kept.is_file():
            ratios = _reference(model, every, tokenizer.pad_token_id, training)
            write_json(kept, {"log_ratios": ratios})
        processes.wait()
        known = read_json(kept).get("log_ratios") or []
        if len(known) != len(every):
            raise ValueError(
                f"{kept}: {len(known)} log-ratios of {len(every)} rows; delete it to make it again"
            )
        every = [{**row, "reference": [one]} for row, one in zip(every, known, strict=True)]
        return every[: len(rows)], every[len(rows) :]

    beta = training.settings["beta"]
    objective = Objective(
        lambda model, rows, pad: summed_loss(model, rows, pad, beta), len, "nats per pair"
    )
    texts, others = (
        {key: [pair[key] for pair in pairs] for key in ("en", "ja", "rejected")}
        for pairs in (drawn, [pair for pair, _ in fitting])
    )
    steps, measured = learned(
        base, texts, encode, output, checkpoints, training, objective, held_out=others
    )
    own = {"pairs_too_long": len(long), "held_out_too_long": len(apart) - len(fitting)}
    return steps, measured.model_copy(update={"own": own, "audit": audited})


def encoded_pair(tokenizer: Any, pair: pd.Series, training: Training) -> dict[str, Any] | None:
    """A row with the keys of both sides; None where one does not fit, for no side is cut."""
    asked = prompt(pair["en"])
    encodings = {
        prefix: encoded(tokenizer, asked, completion(pair[key]), chat=training.chat)
        for prefix, key in (("", "ja"), ("rejected_", "rejected"))
    }
    if any(len(one["input_ids"]) > training.max_length for one in encodings.values()):
        return None
    return {f"{prefix}{key}": ids for prefix, one in encodings.items() for key, ids in one.items()}


def summed_loss(model: Any, rows: Sequence[Sample], pad: int, beta: float) -> Tensor:
    """Sum of -log sigmoid(beta (log-ratio of the model - log-ratio of the reference)), eq. 7."""
    known = torch.tensor([row["reference"][0] for row in rows], device=device())
    return -logsigmoid(beta * (log_ratios(model, rows, pad) - known)).sum()


def log_ratios(model: Any, rows: Sequence[Sample], pad: int) -> Tensor:
    """log p(chosen) - log p(rejected) of each row under the model, shape (rows,)."""
    chosen, rejected = log_likelihoods(model, **collated(sides(rows), pad)).chunk(2)
    return chosen - rejected


def sides(rows: Sequence[Sample]) -> list[dict[str, Any]]:
    """The chosen answers of rows with their prompts, then the rejected ones."""
    return [
        {key: row[f"{side}{key}"] for key in ("input_ids", "labels")}
        for side in ("", "rejected_")
        for row in rows
    ]


def log_likelihoods(model: Any, input_ids: Tensor, labels: Tensor, **inputs: Tensor) -> Tensor:
    """Sum of the log-probabilities of each row's learned tokens, shape (rows,), in float32."""
    each, row_of = token_log_likelihoods(model, input_ids, labels, **inputs)
    return torch.zeros(len(labels), device=each.device).index_add(0, row_of, each)


def token_log_likelihoods(
    model: Any, input_ids: Tensor, labels: Tensor, **inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """Log-probability of each learned token and its row, shape (tokens,), row by row."""
    places = labels[:, 1:] != IGNORED
    with head_at(model, torch.nn.functional.pad(places, (0, 1))):
        logits = model(input_ids=input_ids, use_cache=False, **inputs).logits
    each = -token_nll(logits, labels[:, 1:][places])
    return each, places.nonzero()[:, 0]


@torch.no_grad()
def _reference(model: Any, rows: Sequence[Sample], pad: int, training: Training) -> list[float]:
    """Log-ratios of the model that the stage begins with, on the device that there is."""
    where, size = model.device, training.batch_size
    model.to(device())
    with autocast(training):
        parts = [
            log_ratios(model, rows[first : first + size], pad)
            for first in range(0, len(rows), size)
        ]
    model.to(where)
    return torch.cat(parts).tolist()
