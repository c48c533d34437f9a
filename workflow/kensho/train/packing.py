"""Rows of a batch as one line of tokens: none is padding, and none is computed twice.

What a causal model makes of a token follows from it and from those before it. Tokens with which
rows begin alike are therefore computed once for all of them, and attention alone sees the rows,
each by itself: loss and gradients are those of padded rows, to rounding.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "kensho_packed"
PACKED = "packed"
# Architectures in which tokens meet in attention alone, which is called by its name.
FIT = (
    *("llama", "qwen2", "qwen3", "mistral", "mixtral", "gemma3_text", "gpt2", "gpt_neox"),
    "deepseek_v3",
)
# On processors the fused kernel's backward pass in 16 bit takes more time than the matrices that it
# does not keep, until rows are long.
LONGEST_PLAIN = 256


def unfit(model: Any) -> str | None:
    """Why rows of this model are padded instead, None where they need not be."""
    config = model.config.get_text_config()
    if config.model_type not in FIT:
        return f"padded: tokens of a {config.model_type} meet outside attention"
    if getattr(config, "attn_logit_softcapping", None) is not None:
        return "padded: attention has a soft cap"
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    if any((*rates, getattr(config, "attention_dropout", 0.0) or 0.0)):
        return "padded: dropout differs between rows that begin alike"
    return None


@dataclass(frozen=True)
class Line:
    """Tokens of rows, once each: ``ids``, and ``positions`` in their rows, of shape (tokens,).

    ``nodes`` of shape (rows, longest) has the token at each place of a row, its last one where the
    row has ended; ``places`` of shape (tokens,) the first place of each token, counted row by row.
    """

    ids: Tensor
    positions: Tensor
    places: Tensor
    nodes: Tensor


def line(rows: Sequence[Sequence[int]], device: str) -> Line:
    """A token for each beginning that rows have. Raises ValueError for a row without tokens."""
    if not all(rows):
        raise ValueError("a row has no tokens; leave it out")
    longest = max(map(len, rows))
    known: dict[tuple[int, int], int] = {}  # by the token before, and its own id
    ids: list[int] = []
    positions, places, nodes = [], [], []
    for number, row in enumerate(rows):
        path: list[int] = []
        for position, token in enumerate(row):
            node = known.setdefault((path[-1] if path else -1, token), len(ids))
            if node == len(ids):
                ids.append(token)
                positions.append(position)
                places.append(number * longest + position)
            path.append(node)
        nodes.append(path + path[-1:] * (longest - len(path)))
    return Line(*(torch.tensor(table, device=device) for table in (ids, positions, places, nodes)))


@contextmanager
def apart(model: Any) -> Iterator[None]:
    """Within it the model is called with a ``packed`` line, and attention stays in each row."""
    config = model.config.get_text_config()
    before, config._attn_implementation = config._attn_implementation, NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    packed: Line,
    sliding_window: int | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Output (1, tokens, heads, width) of (1, heads, tokens, width): causal in each row."""
    nodes, mask = packed.nodes, None
    longest = nodes.shape[1]

    def in_rows(heads: Tensor) -> Tensor:
        """(1, heads, tokens, width) as (rows, heads, longest, width)."""
        return heads[0].transpose(0, 1)[nodes].transpose(1, 2)

    if sliding_window is not None and longest > sliding_window:
        at = torch.arange(longest, device=nodes.device)
        back = at[:, None] - at
        mask = (back >= 0) & (back < sliding_window)
    plain = query.device.type == "cpu" and query.dtype is not torch.float32
    with sdpa_kernel(SDPBackend.MATH) if plain and longest <= LONGEST_PLAIN else nullcontext():
        rows, _ = sdpa_attention_forward(
            *(module, in_rows(query), in_rows(key), in_rows(value), mask),
            is_causal=mask is None,
            **settings,
        )
    return rows.flatten(0, 1)[packed.places][None], None


AttentionInterface.register(NAME, attend)
