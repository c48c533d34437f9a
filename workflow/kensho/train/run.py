"""What a stage of training is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from kensho.train.methods import Method, own
from kensho.train.schedule import Scheduler

if TYPE_CHECKING:
    from peft import PeftConfig


@dataclass(frozen=True, kw_only=True)
class Training:
    """One run of a stage: an arm, a seed, and what both are trained with.

    One step learns ``accumulation`` batches; with ``checkpointing`` what layers compute is computed
    again for the gradient instead of kept. ``rank`` and ``targets`` are None where the method has
    no adapters; with ``chat`` a prompt is a user's turn of the model's chat template. ``code`` is a
    digest: what other code has begun is not gone on with. ``settings`` are those of the stage as
    configured: what a stage takes of its own is there, what its method takes goes to the method's
    `adapter`. ``learned`` are completions or all of a sample; ``packing`` is of
    :mod:`kensho.train.packing`. Curves go to TensorBoard files in the folder ``curves`` and to the
    ``trackers`` (:mod:`kensho.train.curves`).
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
    accumulation: int = 1
    checkpointing: bool = False
    chat: bool = False
    code: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    scheduler: Scheduler = "linear"
    warm_up: float = 0.1
    weight_decay: float = 0.0
    learned: Literal["completions", "all"] = "completions"
    packing: bool = True
    trackers: Sequence[str] = ()
    curves: str | None = None

    @property
    def samples(self) -> int:
        """Samples of all steps."""
        return self.steps * self.batch_size * self.accumulation

    @property
    def held(self) -> torch.dtype:
        """Of the weights of the base, where they are not in NF4."""
        return torch.float32 if self.method.weights == "float32" else self.dtype

    def adapter(self) -> PeftConfig | None:
        """PEFT's configuration, None where the weights themselves are trained.

        Raises ValueError where the method needs a rank and targets and has none.
        """
        settings = own(self.settings.get("method", {}))
        if self.method.adapter is None:
            if settings:
                raise ValueError(
                    f"{self.name}: method {self.method.name} takes no {', '.join(settings)}"
                )
            return None
        if self.targets is None or (self.method.ranked and self.rank is None):
            needed = "a rank and targets" if self.method.ranked else "targets"
            raise ValueError(f"{self.name}: method {self.method.name} takes {needed}")
        seed = {"seed": self.seed} if self.method.drawn else {}
        return self.method.adapter(self.rank, [*self.targets], **settings, **seed)
