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
from torch.nn.functional import cross_entropy, logsigmoid

from kensho.data.prompt import completion, prompt
from kensho.files import read_json, write_json
from kensho.models.loading import device
from kensho.models.reference import Reference
from kensho.train import processes
from kensho.train.loop import Objective, Sample, autocast, collated, head_at, learned_tokens
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import IGNORED, encoded
from kensho.train.stage import draw, learned

REFERENCE = "reference.json"  # beside the checkpoints: log-ratio of each row, in their order


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Prefer ja to rejected as translation of en, the columns of ``samples``.

    ``beta`` of the settings is that of the paper. As :func:`kensho.train.stage.learned`; the loss
    of a step is the mean over its pairs, and begins near ln 2.
    """
    drawn = draw(samples, training.samples, training.seed)
    texts = {
        "prompt": drawn["en"].map(prompt).tolist(),
        "chosen": drawn["ja"].map(completion).tolist(),
        "rejected": drawn["rejected"].map(completion).tolist(),
    }

    def encode(model, tokenizer) -> list[dict]:
        def side(name: str) -> list[dict]:
            pairs = zip(texts["prompt"], texts[name], strict=True)
            rows = [encoded(tokenizer, *pair, chat=training.chat) for pair in pairs]
            cut = training.max_length
            if long := sum(not learned_tokens([{"labels": one["labels"][:cut]}]) for one in rows):
                raise ValueError(
                    f"{training.name}: of {long} pairs nothing of the {name} side lies within "
                    f"{cut} tokens; raise max_length"
                )
            return [{key: ids[:cut] for key, ids in one.items()} for one in rows]

        rows = [
            {**chosen, **{f"rejected_{key}": ids for key, ids in rejected.items()}}
            for chosen, rejected in zip(side("chosen"), side("rejected"), strict=True)
        ]
        kept = checkpoints / REFERENCE
        if processes.first() and not kept.is_file():
            ratios = _reference(model, rows, tokenizer.pad_token_id, training)
            write_json(kept, {"log_ratios": ratios})
        processes.wait()
        known = read_json(kept)["log_ratios"]
        return [{**row, "reference": [one]} for row, one in zip(rows, known, strict=True)]

    beta = training.settings["beta"]
    objective = Objective(lambda model, rows, pad: summed_loss(model, rows, pad, beta), len)
    return learned(base, texts, encode, output, checkpoints, training, objective)


def summed_loss(model: Any, rows: Sequence[Sample], pad: int, beta: float) -> Tensor:
    """Sum of -log sigmoid(beta (log-ratio of the model - log-ratio of the reference)), eq. 7."""
    known = torch.tensor([row["reference"][0] for row in rows], device=device())
    return -logsigmoid(beta * (log_ratios(model, rows, pad) - known)).sum()


def log_ratios(model: Any, rows: Sequence[Sample], pad: int) -> Tensor:
    """log p(chosen) - log p(rejected) of each row under the model, shape (rows,)."""
    sides = [
        {key: row[f"{side}{key}"] for key in ("input_ids", "labels")}
        for side in ("", "rejected_")
        for row in rows
    ]
    chosen, rejected = log_likelihoods(model, **collated(sides, pad)).chunk(2)
    return chosen - rejected


def log_likelihoods(model: Any, input_ids: Tensor, labels: Tensor, **inputs: Tensor) -> Tensor:
    """Sum of the log-probabilities of each row's learned tokens, shape (rows,), in float32."""
    places = labels[:, 1:] != IGNORED
    with head_at(model, torch.nn.functional.pad(places, (0, 1))):
        logits = model(input_ids=input_ids, use_cache=False, **inputs).logits
    each = -cross_entropy(logits.float(), labels[:, 1:][places], reduction="none")
    row_of = places.nonzero()[:, 0]
    return torch.zeros(len(labels), device=each.device).index_add(0, row_of, each)


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
