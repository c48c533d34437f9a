"""One attention layer that decodes one token: latent attention in three forms, and its peers.

Weights, normalisation and rotary embedding are transformers' own (DeepseekV3Attention for the
dimensions of a card with latent attention, LlamaAttention for grouped queries), so each form can
be compared with that class on the same weights. What differs is what is cached and how the query
meets it. Latent attention (MLA): DeepSeek-V2, arXiv 2405.04434, section 2.1 and appendix C.

Shapes: B sequences, S tokens, H heads, L cached tokens.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, DynamicCache, LlamaConfig, PreTrainedConfig
from transformers.models.deepseek_v3.modeling_deepseek_v3 import (
    DeepseekV3Attention,
    DeepseekV3RotaryEmbedding,
    apply_rotary_pos_emb_interleave,
)
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)

from kensho.models.cards import Card

# Each (B, cached heads, width, L), the newest token last: a processor streams rows of tokens twice
# as fast as rows of widths when a single query meets them.
Cache = tuple[Tensor, ...]
Entries = tuple[Tensor, ...]  # each (B, cached heads, S, width)
Rope = tuple[Tensor, Tensor]  # cosine and sine, each (1, S, width)

TILE = 251  # rows drawn for each matrix; prime, so that no two of up to 251 heads are equal


def attend(query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """Softmax attention (B, K, R, value width) of the R queries that share each of K key heads.

    query (B, K, R, width), keys (B, K, width, L), values (B, K, value width, L). Everything cached
    lies before the query, so there is no mask. The softmax is in float32.
    """
    shares = ((query * scale) @ keys).softmax(-1, dtype=torch.float32).to(query.dtype)
    return shares @ values.transpose(-1, -2)


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer's output (.., out) for x (.., in).

    Matrix times columns: for 2 to 8 rows on a processor twice as fast as torch's rows times matrix.
    """
    return (layer.weight @ x.flatten(0, -2).T).T.unflatten(0, x.shape[:-1])


class Attention(nn.Module):
    """A layer, what it caches (`entries`) and how a projected query meets the cache (`attend`)."""

    rotary: type[nn.Module]
    layer: nn.Module

    def __init__(self, config: PreTrainedConfig, layer: nn.Module):
        super().__init__()
        self.config, self.layer = config, layer

    def project(self, hidden: Tensor, rope: Rope) -> tuple[Tensor, Entries]:
        """Rotated queries (B, H, S, width) and cache entries of the tokens (B, S, hidden size)."""
        raise NotImplementedError

    def attend(self, query: Tensor, cache: Cache) -> Tensor:
        """Output of each head (B, H, 1, value width) for one query (B, H, 1, width)."""
        raise NotImplementedError

    def core_weights(self) -> list[Tensor]:
        """Weights that `attend` reads."""
        return []

    def rope(self, positions: Tensor, hidden: Tensor) -> Rope:
        """Rotary factors at positions (S,), in the dtype of ``hidden`` and on its device."""
        return self.rotary(self.config).to(hidden.device)(hidden, positions[None])

    def filled(self, hidden: Tensor, batch: int, length: int) -> Cache:
        """A cache of ``length`` tokens for each of ``batch`` sequences.

        It holds the entries of ``hidden`` (1, S, hidden size) over and over.
        """
        positions = torch.arange(hidden.shape[1], device=hidden.device)
        _, entries = self.project(hidden, self.rope(positions, hidden))
        times = -(-length // hidden.shape[1])
        return tuple(
            entry.transpose(2, 3).repeat(batch, 1, 1, times)[..., :length].contiguous()
            for entry in entries
        )

    def decode(
        self, hidden: Tensor, rope: Rope, cache: Cache, mark: Callable[[], None] = lambda: None
    ) -> Tensor:
        """Output (B, 1, hidden size) for one token (B, 1, hidden size), written to the last place.

        ``mark`` is called at the start, before and after the part that meets the cache, and at
        the end.
        """
        mark()
        query, entries = self.project(hidden, rope)
        for kept, new in zip(cache, entries, strict=True):
            kept[..., -1:] = new.transpose(2, 3)
        mark()
        heads = self.attend(query, cache)
        mark()
        output = linear(cast(nn.Linear, self.layer.o_proj), heads.flatten(1)[:, None])
        mark()
        return output

    def reference(self, hidden: Tensor, rope: Rope) -> Tensor:
        """transformers' own output (B, 1, hidden size) for the last of the tokens (B, S, ..)."""
        cache = DynamicCache()
        for part in (slice(None, -1), slice(-1, None)):
            factors = tuple(factor[:, part] for factor in rope)
            output, _ = self.layer(hidden[:, part], factors, None, past_key_values=cache)
        return output


class Latent(Attention):
    """MLA with the latent cached and both up-projections absorbed: heads meet the latent itself."""

    rotary = DeepseekV3RotaryEmbedding

    def project(self, hidden, rope):
        layer, (batch, tokens, _) = self.layer, hidden.shape
        query = linear(layer.q_b_proj, layer.q_a_layernorm(linear(layer.q_a_proj, hidden)))
        query = query.view(batch, tokens, layer.num_heads, layer.qk_head_dim).transpose(1, 2)
        latent, key = linear(layer.kv_a_proj_with_mqa, hidden).split(
            [layer.kv_lora_rank, layer.qk_rope_head_dim], dim=-1
        )
        plain, rotated = query.split([layer.qk_nope_head_dim, layer.qk_rope_head_dim], dim=-1)
        rotated, key = apply_rotary_pos_emb_interleave(rotated, key[:, None], *rope)
        latent = layer.kv_a_layernorm(latent)[:, None]
        return torch.cat([plain, rotated], -1), self.entries(latent, key)

    def entries(self, latent: Tensor, key: Tensor) -> Entries:
        """What is cached of a latent (B, 1, S, rank) and a rotary key (B, 1, S, rope width)."""
        return (torch.cat([latent, key], -1),)

    def attend(self, query, cache):
        layer = self.layer
        up = layer.kv_b_proj.weight.view(layer.num_heads, -1, layer.kv_lora_rank)
        up_key, up_value = up.split([layer.qk_nope_head_dim, layer.v_head_dim], dim=1)
        plain, rotated = query.split([layer.qk_nope_head_dim, layer.qk_rope_head_dim], dim=-1)
        # Per head for all sequences at once: (H, B, width) against that head's matrix.
        absorbed = (plain[:, :, 0].transpose(0, 1) @ up_key).transpose(0, 1)
        rows = torch.cat([absorbed, rotated[:, :, 0]], -1)[:, None]  # heads as rows (B, 1, H, ..)
        (kept,) = cache
        attended = attend(rows, kept, kept[:, :, : layer.kv_lora_rank], layer.scaling)[:, 0]
        return (up_value @ attended.permute(1, 2, 0)).permute(2, 0, 1)[:, :, None]

    def core_weights(self):
        return [self.layer.kv_b_proj.weight]


class Expanded(Latent):
    """MLA with the latent cached and all of it expanded at every step, as transformers does."""

    def attend(self, query, cache):
        layer, kept = self.layer, cache[0].transpose(2, 3)
        expanded = layer.expand_kv(*kept.split([layer.kv_lora_rank, layer.qk_rope_head_dim], -1))
        return attend(query, *(part.transpose(2, 3) for part in expanded), layer.scaling)


class MultiHead(Latent):
    """The same layer with the expanded keys and values of every head cached."""

    def entries(self, latent, key):
        return self.layer.expand_kv(latent, key)

    def attend(self, query, cache):
        return attend(query, *cache, self.layer.scaling)

    def core_weights(self):
        return []


class Grouped(Attention):
    """Grouped-query attention; with one key-value head, multi-query attention."""

    rotary = LlamaRotaryEmbedding

    def project(self, hidden, rope):
        layer, shape = self.layer, (*hidden.shape[:2], -1, self.layer.head_dim)
        query, key, value = (
            linear(part, hidden).view(shape).transpose(1, 2)
            for part in (layer.q_proj, layer.k_proj, layer.v_proj)
        )
        query, key = apply_rotary_pos_emb(query, key, *rope)
        return query, (key, value)

    def attend(self, query, cache):
        groups = query.unflatten(1, (cache[0].shape[1], -1)).squeeze(3)  # queries of a group: rows
        return attend(groups, *cache, self.layer.scaling).flatten(1, 2)[:, :, None]


FORMS: dict[str, type[Attention]] = {
    "mla-latent": Latent,
    "mla-expanded": Expanded,
    "mha": MultiHead,
    "gqa-8": Grouped,
    "mqa": Grouped,
}


def build(
    arm: str, card: Card, *, dtype: torch.dtype, device: torch.device | str, seed: int
) -> Attention:
    """The layer of an arm at a card's dimensions, with random weights.

    ``gqa-8`` and ``mqa`` have as many query heads as the card, keys and values of its value width.
    Each matrix repeats TILE rows of a linear layer's own initialisation, which takes a tenth of
    the time of drawing all and leaves the heads different.
    """
    config = AutoConfig.for_model(card.model_type, **card.config)
    kind: type[nn.Module] = DeepseekV3Attention
    if FORMS[arm] is Grouped:
        config, kind = _grouped(config, {"gqa-8": 8, "mqa": 1}[arm]), LlamaAttention
    config._attn_implementation = "eager"  # of the reference
    with torch.device("meta"):
        layer = kind(config, layer_idx=0).eval().requires_grad_(False).to(dtype)
    layer.to_empty(device=device)
    if torch.device(device).type != "meta":
        torch.manual_seed(seed)
        for module in layer.modules():
            if isinstance(module, nn.Linear):
                rows, columns = module.weight.shape
                drawn = nn.Linear(columns, min(rows, TILE), bias=False, device=device).to(dtype)
                order = torch.arange(rows, device=device) % TILE
                torch.index_select(drawn.weight.detach(), 0, order, out=module.weight)
            elif list(module.parameters(recurse=False)):  # normalisation
                nn.init.ones_(cast(Tensor, module.weight))
    return FORMS[arm](config, layer)


def _grouped(config: PreTrainedConfig, kv_heads: int) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=kv_heads,
        head_dim=config.v_head_dim,
        max_position_embeddings=config.max_position_embeddings,
    )


def hidden_states(
    tokens: int, config: PreTrainedConfig, *, dtype: torch.dtype, device: torch.device | str
) -> Tensor:
    """Inputs (1, tokens, hidden size): rows of an embedding's own initialisation."""
    rows = nn.Embedding(tokens, config.hidden_size, device=device).weight
    return rows.detach().to(dtype)[None]
