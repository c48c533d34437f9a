"""Attention of many rows to one beginning that they share, which stays in memory once.

Each row's queries meet the beginning's keys and their own in two products under one softmax: the
same result as with the beginning repeated in every row (Juravsky et al. 2024, arXiv:2402.05099).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "kensho_behind"
IDLE = (  # settings that do not change the product; a softcap is looked at by itself
    "dropout",
    "softcap",
    "use_cache",
    "output_attentions",
    "output_router_logits",
    "logits_to_keep",
)
_prefix: list[DynamicCache] = []  # the one that is attended to now


@contextmanager
def behind(model, prefix: DynamicCache) -> Iterator[None]:
    """Within it the model's rows stand behind the keys and values of ``prefix`` (batch of one).

    Every row sees all of the beginning, but for layers with a sliding window, which see as much as
    reaches into it. For decoding: one token of each row at a time.
    """
    config = model.config.get_text_config()
    before, config._attn_implementation = config._attn_implementation, NAME
    _prefix.append(prefix)
    try:
        yield
    finally:
        _prefix.pop()
        config._attn_implementation = before


def attend(
    module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float,
    **settings,
) -> tuple[torch.Tensor, None]:
    """Output (rows, 1, heads, width) of queries (rows, heads, 1, width).

    Keys and values (rows, groups, own, width) are those behind the beginning, ``attention_mask``
    (rows, 1, 1, own) is additive. Raises ValueError for what this does not compute.
    """
    window, positions = settings.pop("sliding_window", None), settings.pop("position_ids", None)
    other = [name for name, value in settings.items() if value is not None and name not in IDLE]
    if settings.get("softcap") is not None or other or query.shape[2] != 1:
        raise ValueError(f"attention with {', '.join(other) or 'softcap'} is left to --model hf")
    layer = _prefix[-1].layers[module.layer_idx]
    shared_key, shared_value = layer.keys[0], layer.values[0]  # (groups, shared, width)
    rows, heads, _, width = query.shape
    groups, shared = shared_key.shape[:2]
    each = heads // groups
    query = query.reshape(rows, groups, each, width)
    to_shared = _swapped(query) @ shared_key.mT  # (groups, rows x heads of a group, shared)
    to_shared = to_shared.reshape(groups, rows, each, shared).transpose(0, 1).float() * scaling
    if window is not None:
        far = positions[:, :1] - torch.arange(shared, device=query.device) >= window
        to_shared = to_shared.masked_fill(far[:, None, None], float("-inf"))
    to_own = (query @ key.mT).float() * scaling + attention_mask
    weights = torch.cat([to_shared, to_own], dim=-1).softmax(dim=-1).to(query.dtype)
    of_shared = _swapped(weights[..., :shared]) @ shared_value
    of_shared = of_shared.reshape(groups, rows, each, width).transpose(0, 1)
    output = of_shared + weights[..., shared:] @ value
    return output.reshape(rows, 1, heads, width), None


def _swapped(heads: torch.Tensor) -> torch.Tensor:
    """(rows, groups, heads of a group, n) as (groups, rows x heads of a group, n)."""
    rows, groups, each, n = heads.shape
    return heads.transpose(0, 1).reshape(groups, rows * each, n)


ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
