"""What a stage of training is told."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from kensho.train.methods import Method


@dataclass(frozen=True, kw_only=True)
class Training:
    """One run of a stage: an arm, a seed, and what both are trained with.

    ``rank`` and ``targets`` are None where the method has no adapters; ``code`` is a digest: what
    other code has begun is not gone on with.
    """

    name: str
    method: Method
    learning_rate: float
    steps: int
    batch_size: int
    max_length: int
    checkpoint_every: int
    dtype: torch.dtype
    seed: int
    rank: int | None = None
    targets: Sequence[str] | None = None
    code: str = ""
