"""How likely a model finds each token that it was to foretell."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

AT_ONCE = 2**24  # logits that are read in one go: 64 MB


def token_nll(logits: Tensor, wanted: Tensor) -> Tensor:
    """Negative log-likelihood (nat) of tokens ``wanted``, shape (n,), under logits (n, vocabulary).

    In float32 to its last digits: torch's own sums a large vocabulary with an error of one sign on
    a processor. float32 logits become their gradient, so that no second table of their size is
    ever there: a gradient can be asked for once, and torch refuses whoever still needs the logits.
    """
    return cast(Tensor, cast(Any, _TokenNll).apply(logits.float(), wanted))


class _TokenNll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, wanted: Tensor) -> Tensor:
        total = torch.cat([part.logsumexp(dim=-1) for part in _parts(logits)])
        ctx.save_for_backward(logits, wanted, total)
        return total - logits.gather(1, wanted[:, None])[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        logits, wanted, total = ctx.saved_tensors
        for part, sums in zip(_parts(logits), total.split(_rows(logits)), strict=True):
            part.sub_(sums[:, None]).exp_()
        logits[torch.arange(len(wanted), device=wanted.device), wanted] -= 1
        return logits.mul_(gradient[:, None]), None


def _rows(logits: Tensor) -> int:
    return max(1, AT_ONCE // logits.shape[1])


def _parts(logits: Tensor) -> tuple[Tensor, ...]:
    return logits.split(_rows(logits))
