"""R-1: bytes that attention variants keep in the key-value cache.

Real tensors of each variant's shapes are allocated and their bytes compared with the closed form;
a DeepSeek-V3 layer of R1's attention dimensions is run to see what transformers itself caches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from kensho.bench.kv_arms import CACHED
from kensho.bench.run import Inputs, Observed, Run
from kensho.fallback import lowered, within
from kensho.models.cards import Card, cache_elements_per_token_layer, load
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.settings import KVCache as Settings

EXPERIMENT = "kv_cache"
R1 = "deepseek-r1"
RUN = "transformers-mla"
REPLICATES = 3  # a deterministic quantity must come out the same each time

Shapes = list[tuple[int, ...]]  # per-token shape of each cached tensor: (heads, width)
Cell = tuple[int, int, str]  # length, batch, dtype


def variants(cards: Mapping[str, Card]) -> dict[str, tuple[Shapes, int]]:
    """Per-token tensor shapes of one layer and number of layers, by arm.

    ``mla`` keeps the latent and the rotary key of R1; ``mha`` the expanded keys and values of the
    same model; ``mha-v2`` counts as DeepSeek-V2 does, keys and values of the value width; ``gqa-8``
    and ``mqa`` have that width with 8 and 1 heads. The others are whole models.
    """
    r1 = cards[R1]
    heads, value, rope = map(r1.size, ("num_attention_heads", "v_head_dim", "qk_rope_head_dim"))
    query_key, layers = r1.size("qk_nope_head_dim") + rope, r1.size("num_hidden_layers")
    shapes: dict[str, tuple[Shapes, int]] = {
        "mla": ([(1, r1.size("kv_lora_rank")), (1, rope)], layers),
        "mha": ([(heads, query_key), (heads, value)], layers),
        "mha-v2": ([(heads, value)] * 2, layers),
        "gqa-8": ([(8, value)] * 2, layers),
        "mqa": ([(1, value)] * 2, layers),
    }
    for name in CACHED:
        card = cards[name]
        hidden, heads, kv_heads = map(
            card.size, ("hidden_size", "num_attention_heads", "num_key_value_heads")
        )
        width = card.size("head_dim") if "head_dim" in card.config else hidden // heads
        shapes[name] = ([(kv_heads, width)] * 2, card.size("num_hidden_layers"))
    return shapes


def closed_form_elements(arm: str, cards: Mapping[str, Card]) -> int:
    """Cached elements per token and layer by formula, derived apart from the shapes above."""
    if arm in cards:
        return cache_elements_per_token_layer(cards[arm])
    r1 = cards[R1]
    n, v = r1.size("num_attention_heads"), r1.size("v_head_dim")
    return {
        "mla": cache_elements_per_token_layer(cards[R1]),
        "mha": n * (r1.size("qk_nope_head_dim") + r1.size("qk_rope_head_dim") + v),
        "mha-v2": 2 * n * v,
        "gqa-8": 2 * 8 * v,
        "mqa": 2 * v,
    }[arm]


def observe(
    cards: Mapping[str, Card], settings: Settings
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Observation table of all arms, and by arm the blocks for whose measurement the time ended.

    Metrics over the grid length x batch x dtype: ``cache_bytes`` (one layer, allocated),
    ``closed_form_bytes``, and per token ``cache_bytes_per_token_layer`` and
    ``cache_bytes_per_token`` (all layers). What was not measured holds the closed form; a block
    counts as measured when all its replicates are. Raises ValueError if any allocation differs from
    the closed form by a byte.
    """
    arms = variants(cards) | {RUN: ([], cards[R1].size("num_hidden_layers"))}
    lengths, dtypes = settings.measured_lengths, settings.dtypes
    grid = [*product(settings.lengths, settings.batches, dtypes)]
    allocations = [(a, c, r) for a in arms if a != RUN for c in grid for r in range(REPLICATES)]
    runs = [(RUN, (length, 1, dtype), 0) for dtype in dtypes for length in lengths]
    sizes: dict[tuple[str, Cell, int], int] = {}

    def measure() -> None:
        for arm, cell, replicate in allocations:
            sizes[arm, cell, replicate] = _allocated(arms[arm][0], cell)
        for dtype in dtypes:
            for length, cached in transformers_cache(cards[R1], lengths, dtype):
                sizes[RUN, (length, 1, dtype), 0] = cached

    within(settings.time_limit_s, measure)
    rows: list[Row] = []
    missing: dict[str, dict[str, int]] = {}
    for arm, cell, replicate in [*allocations, *runs]:
        length, batch, dtype = cell
        elements = closed_form_elements("mla" if arm == RUN else arm, cards)
        formula = elements * length * batch * getattr(torch, dtype).itemsize
        measured = sizes.get((arm, cell, replicate))
        if measured is None:
            missing.setdefault(arm, {})[_name(cell)] = measured = formula
        rows += _cell(arm, cell, replicate, measured, formula, arms[arm][1])
    return table(rows), {arm: list(blocks) for arm, blocks in missing.items()}


def _allocated(shapes: Shapes, cell: Cell) -> int:
    length, batch, dtype = cell
    return sum(
        torch.empty(batch, heads, length, width, dtype=getattr(torch, dtype))
        .untyped_storage()
        .nbytes()
        for heads, width in shapes
    )


def transformers_cache(card: Card, lengths: list[int], dtype: str) -> Iterator[tuple[int, int]]:
    """Length and bytes in the cache of one real layer after a prompt of each length.

    The attention has the card's dimensions; experts, feed-forward and vocabulary, which the cache
    does not depend on, are cut down, and the weights are random.
    """
    config = AutoConfig.for_model(
        card.model_type,
        **{
            **card.config,
            "num_hidden_layers": 1,
            "first_k_dense_replace": 1,
            "intermediate_size": 64,
            "vocab_size": 256,
        },
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)).eval()
    for length in lengths:
        ids = torch.arange(length).remainder(256).unsqueeze(0)
        with torch.inference_mode():
            cache = model(ids, use_cache=True).past_key_values
        yield (
            length,
            sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values)),
        )


def _cell(
    arm: str, cell: Cell, replicate: int, measured: int, formula: int, layers: int
) -> Iterator[Row]:
    length, batch, dtype = cell
    if measured != formula:
        raise ValueError(f"{arm}, length {length}, batch {batch}, {dtype}: {measured} != {formula}")
    tokens = length * batch
    values = {
        "cache_bytes": measured,
        "closed_form_bytes": formula,
        "cache_bytes_per_token_layer": measured // tokens,
        "cache_bytes_per_token": measured // tokens * layers,
    }
    for metric, value in values.items():
        yield Row(EXPERIMENT, arm, _name(cell), replicate, metric, value, "bytes")


def _name(cell: Cell) -> str:
    length, batch, dtype = cell
    return f"L{length}-B{batch}-{dtype}"


def conditions(seconds: float | None = None, missing: Sequence[str] = ()) -> dict:
    """Those of an arm; blocks that were ``missing`` when the ``seconds`` were over are analytic."""
    taken = [f"time limit of {seconds:g} s: {len(missing)} blocks by formula"] if missing else []
    measured = {
        "ran": {"models": [], "follows_from": "the dimensions"},
        "not_measured": list(missing),
        "dtype": "float16 and bfloat16",
        "warmup": "none: bytes do not depend on time",
        "fallbacks": [],
        "deviations": [],
    }
    return lowered(measured, taken, "analytic")


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms; those with blocks that the time limit left out say so."""
    table, missing = observe(load(inputs["cards"]), settings)
    limit = settings.time_limit_s
    return [(rows, conditions(limit, missing.get(arm, []))) for arm, rows in table.groupby("arm")]
