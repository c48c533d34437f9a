"""R-5, first part: trainable parameters of LoRA and of full fine-tuning, on the meta device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from peft import get_peft_model
from torch import nn
from transformers import PreTrainedModel

from kensho.bench.run import Inputs, Observed, Run
from kensho.models.cards import Card, build_on_meta, load
from kensho.observations import Row, table
from kensho.train.methods import Targets, lora

if TYPE_CHECKING:
    from kensho.bench.settings import LoraParameters as Settings

EXPERIMENT = "lora_parameters"
ADAPTED = "llama-2-7b"  # the 6.7B model of R-5
FULL = ["open-calm-1b", "japanese-gpt-1b", "llama-2-7b"]  # its fully tuned peers
TARGETS: dict[str, Targets] = {
    "qv": ["q_proj", "v_proj"],
    "qkvo": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "all-linear": "all-linear",
}


def observe(
    cards: Mapping[str, Card],
    *,
    ranks: list[int],
    adapted: str = ADAPTED,
    full: Sequence[str] = FULL,
) -> pd.DataFrame:
    """Observation table: metric ``trainable_parameters``, block = architecture.

    Arm ``full`` counts every parameter of each architecture in ``full``; arms ``lora-r*-*`` count
    what PEFT trains on ``adapted``. Raises ValueError if PEFT's count differs from the closed form
    r (in + out) per adapted matrix (Hu et al. 2021, arXiv 2106.09685, section 4.1).
    """
    rows = []
    for name in full:
        count = sum(parameter.numel() for parameter in build_on_meta(cards[name]).parameters())
        rows.append(("full", name, count))
    for label, targets in TARGETS.items():
        for rank in ranks:
            plain = build_on_meta(cards[adapted])
            formula = closed_form(plain, targets, rank)
            model = get_peft_model(plain, lora.adapter(rank, targets))
            count = sum(p.numel() for p in model.parameters() if p.requires_grad)
            if count != formula:
                raise ValueError(f"lora-r{rank}-{label}: {count} trainable, by formula {formula}")
            rows.append((f"lora-r{rank}-{label}", adapted, count))
    return table(
        Row(EXPERIMENT, arm, name, 0, "trainable_parameters", count, "parameters")
        for arm, name, count in rows
    )


def closed_form(model: PreTrainedModel, targets: Sequence[str] | str, rank: int) -> int:
    """r (in + out) over the targeted linear layers; all-linear leaves the output layer out."""
    output = model.get_output_embeddings()
    return sum(
        sum(lora.tensors((module.in_features, module.out_features), rank))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and module is not output
        and (targets == "all-linear" or name.rsplit(".", 1)[-1] in targets)
    )


def conditions() -> dict:
    """The count follows from the architecture alone."""
    return {
        "ran": {"models": [], "follows_from": "the architecture"},
        "dtype": "none: meta device",
        "warmup": "none: a count does not depend on time",
        "fallbacks": [],
        "deviations": ["the source names no 1B model: every candidate is a reading of its own"],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms."""
    return [(observe(load(inputs["cards"]), ranks=settings.ranks), conditions())]
