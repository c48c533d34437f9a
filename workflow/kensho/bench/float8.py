"""FP8: the format that a device computes, and linear layers that compute in it.

Micikevicius et al. (2022, arXiv 2209.05433): E4M3 for weights and activations, E5M2 for gradients,
a scale for each tensor so that its largest number is the format's.
"""

from __future__ import annotations

import torch
from torch import nn

E5M2 = {torch.float8_e4m3fn: torch.float8_e5m2, torch.float8_e4m3fnuz: torch.float8_e5m2fnuz}


def format_of_device() -> torch.dtype | None:
    """The accelerator's E4M3, None where it computes none."""
    if torch.version.hip:
        name = torch.cuda.get_device_properties(0).gcnArchName
        if name.startswith("gfx942"):
            return torch.float8_e4m3fnuz
        return torch.float8_e4m3fn if name.startswith("gfx95") else None
    return torch.float8_e4m3fn if torch.cuda.get_device_capability() >= (8, 9) else None


class _Product(torch.autograd.Function):
    """x W', of which the backward pass finds x in 8 bits."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        rows, x_scale = _scaled(x.reshape(-1, x.shape[-1]), kind)
        matrix, w_scale = _scaled(weight, kind)
        ctx.save_for_backward(rows, x_scale, weight)
        ctx.kind = kind
        return _multiply(rows, matrix.t(), x_scale, w_scale, x.dtype).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx, *gradients: torch.Tensor):
        (gradient,) = gradients
        rows, x_scale, weight = ctx.saved_tensors
        flat, g_scale = _scaled(gradient.reshape(-1, gradient.shape[-1]), E5M2[ctx.kind])
        matrix, w_scale = _scaled(weight, ctx.kind)
        by_columns = matrix.t().contiguous().t()
        of_input = _multiply(flat, by_columns, g_scale, w_scale, gradient.dtype)
        columns = rows.t().contiguous().t()
        of_weight = _multiply(flat.t().contiguous(), columns, g_scale, x_scale, weight.dtype)
        return of_input.view(*gradient.shape[:-1], -1), of_weight, None


def _scaled(tensor: torch.Tensor, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """A tensor in 8 bits, and the float32 scale that gives its numbers back."""
    scale = tensor.detach().abs().max().float().clamp(min=1e-12) / torch.finfo(kind).max
    return (tensor / scale.to(tensor.dtype)).to(kind), scale


def _multiply(a, b, a_scale, b_scale, dtype: torch.dtype) -> torch.Tensor:
    """a (by rows) times b (by columns)."""
    return torch._scaled_mm(a, b, scale_a=a_scale, scale_b=b_scale, out_dtype=dtype)


class Linear(nn.Module):
    """A linear layer over the same parameters whose products, forward and backward, are of FP8."""

    def __init__(self, layer: nn.Linear, kind: torch.dtype):
        super().__init__()
        self.weight, self.bias, self.kind = layer.weight, layer.bias, kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = _Product.apply(x, self.weight, self.kind)
        return product if self.bias is None else product + self.bias


def in_float8(model: nn.Module, output: nn.Module, kind: torch.dtype) -> None:
    """Put every linear layer but the output layer into FP8; the weights stay what they are."""
    for name, layer in [*model.named_modules()]:
        if isinstance(layer, nn.Linear) and layer is not output:
            model.set_submodule(name, Linear(layer, kind))
