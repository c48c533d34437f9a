"""What :mod:`kensho.train.strategy` decides by, measured: model, data and device."""

from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch

from kensho.data.prompt import completion, prompt
from kensho.models.loading import device, load
from kensho.models.reference import Base
from kensho.train.likelihood import nll_per_character, plain
from kensho.train.samples import encoded
from kensho.train.strategy import Analysis

MEASURED = 1000  # training samples whose lengths are taken; they are in random order
PERCENTILE = 95


def analyse(
    base: Base, train: pd.DataFrame, test: pd.DataFrame, items: int, dtype: torch.dtype
) -> Analysis:
    """Analysis of a base, of ``train`` and of the first ``items`` of ``test`` (columns en, ja)."""
    model, tokenizer = load(base.folder, dtype)
    japanese = test["ja"].head(items)
    tokens = sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in japanese)
    pairs = train.head(MEASURED)
    lengths = [
        len(encoded(tokenizer, prompt(en), completion(ja), chat=base.chat)["input_ids"])
        for en, ja in zip(pairs["en"], pairs["ja"], strict=True)
    ]
    name, memory = _device()
    return Analysis(
        model=base.name,
        parameters=base.parameters,
        vocabulary=model.config.get_text_config().vocab_size,
        nll_per_character=nll_per_character(model, tokenizer, plain(japanese)),
        tokens_per_character=tokens / int(japanese.str.len().sum()),
        samples=len(train),
        length=int(np.ceil(np.percentile(lengths, PERCENTILE))),
        device=name,
        memory_bytes=memory,
        dtype="bfloat16" if dtype == torch.bfloat16 else "float32",
    )


def _device() -> tuple[str, int]:
    """Name and bytes of the accelerator, or of this machine."""
    if device() == "cuda":
        properties = torch.cuda.get_device_properties(0)
        return properties.name, properties.total_memory
    limit = Path("/sys/fs/cgroup/memory.max")  # of a job or container
    own = limit.read_text(encoding="ascii").strip() if limit.is_file() else "max"
    total = psutil.virtual_memory().total
    return "processor", total if own == "max" else min(total, int(own))
