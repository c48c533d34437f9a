"""How the rate of learning runs over the steps, what decays, and when a run is beyond hope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Scheduler = Literal["linear", "cosine", "constant"]
IN_A_ROW = 5  # steps that must all be bad: the loss of a batch alone varies
FACTOR, NATS = 2.0, 1.0  # above the first loss, by both


def rate(step: int, steps: int, scheduler: Scheduler = "linear", warm_up: float = 0.1) -> float:
    """Share of the learning rate at a step, counted from 0.

    It grows evenly over the share ``warm_up`` of the steps (one at least, none at 0), then falls to
    nought evenly or as half a cosine, or stays.
    """
    warm = max(1, int(steps * warm_up)) if warm_up else 0
    if step < warm:
        return step / warm
    done = (step - warm) / max(1, steps - warm)
    if scheduler == "linear":
        return 1 - done
    return (1 + math.cos(math.pi * done)) / 2 if scheduler == "cosine" else 1.0


def groups(factors: Sequence[tuple[Tensor, float]], decay: float) -> list[dict[str, Any]]:
    """Parameters that learn, for AdamW, each with its ``factor`` of the learning rate.

    Decay takes the matrices alone, not vectors of whatever shape.
    """
    kinds: dict[tuple[float, float], list[Tensor]] = {}
    for parameter, factor in factors:
        of = decay if sum(side > 1 for side in parameter.shape) > 1 else 0.0
        kinds.setdefault((factor, of), []).append(parameter)
    return [
        {"params": alike, "factor": factor, "weight_decay": of}
        for (factor, of), alike in kinds.items()
    ]


class Diverged(ValueError):
    """What a training came to is no number, or its loss stays high."""


def diverged(losses: Sequence[float]) -> bool:
    """Whether the last steps all lost more than twice the first one's, and a nat more."""
    last = losses[1:][-IN_A_ROW:]
    return len(last) == IN_A_ROW and min(last) > max(FACTOR * losses[0], losses[0] + NATS)
