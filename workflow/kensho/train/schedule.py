"""How the rate of learning runs over the steps, what decays, and when a run is beyond hope."""

import math
from collections.abc import Sequence
from typing import Any, Literal

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


def groups(model: Any, decay: float) -> list[dict[str, Any]]:
    """Parameters that learn, for AdamW, in one group where nothing decays.

    Else decay takes the matrices alone, as transformers' Trainer has it.
    """
    learning = [p for p in model.parameters() if p.requires_grad]
    if not decay:
        return [{"params": learning, "weight_decay": 0.0}]
    parts = [[p for p in learning if (p.ndim > 1) == matrices] for matrices in (True, False)]
    decays = zip(parts, (decay, 0.0), strict=True)
    return [{"params": part, "weight_decay": one} for part, one in decays if part]


def diverged(losses: Sequence[float]) -> bool:
    """Whether the last steps all lost more than twice the first one's, and a nat more."""
    last = losses[1:][-IN_A_ROW:]
    return len(last) == IN_A_ROW and min(last) > max(FACTOR * losses[0], losses[0] + NATS)
