"""Bytes of a model's weights in storage formats, by the formats' definitions.

In the formats of torch and bitsandbytes the linear layers are converted, while embeddings, output
layer, norms and biases stay at 16 bit, as transformers does it. GGUF converts every matrix and
keeps vectors in float32.
"""

from collections.abc import Callable
from math import ceil, prod
from typing import NamedTuple

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from kensho.models.cards import Card, build_on_meta

BLOCK = 64  # weights that share a constant in NF4 (QLoRA, arXiv 2305.14314, section 3)
NESTED_BLOCK = 256  # constants that share one where they are quantised too
NF4_LEVELS, NESTED_LEVELS = 16, 256  # float32 each, stored with every matrix


class Weight(NamedTuple):
    """One parameter; ``kind`` is linear, embedding, output or vector."""

    name: str
    shape: tuple[int, ...]
    kind: str


def weights(card: Card) -> list[Weight]:
    """Parameters of an architecture; an output layer tied to the embedding counts once."""
    from torch import nn

    model = build_on_meta(card)
    kinds = {
        f"{name}.weight": "linear"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    kinds["lm_head.weight"], kinds["model.embed_tokens.weight"] = "output", "embedding"
    return [
        Weight(name, tuple(parameter.shape), kinds.get(name, "vector"))
        for name, parameter in model.named_parameters()
    ]


def _nf4(elements: int) -> int:
    return ceil(elements / 2) + 4 * NF4_LEVELS


def _nf4_plain(rows: int, columns: int) -> int:
    elements = rows * columns
    return _nf4(elements) + 4 * ceil(elements / BLOCK)


def _nf4_double(rows: int, columns: int) -> int:
    constants = ceil(rows * columns / BLOCK)
    nested = 4 * ceil(constants / NESTED_BLOCK) + 4 * NESTED_LEVELS + 4  # and their mean
    return _nf4(rows * columns) + constants + nested


# Bytes of a linear layer's matrix, rows x columns (output x input features).
LINEAR: dict[str, Callable[[int, int], int]] = {
    "fp32": lambda rows, columns: 4 * rows * columns,
    "bf16": lambda rows, columns: 2 * rows * columns,
    "int8": lambda rows, columns: rows * columns + 4 * rows,  # one scale a row (LLM.int8)
    "fp8": lambda rows, columns: rows * columns + 4,  # one scale a matrix
    "nf4": _nf4_plain,
    "nf4-double": _nf4_double,
}
GGUF = ("q8_0", "q4_k_m")
FORMATS = (*LINEAR, *GGUF)


def model_bytes(card: Card, form: str) -> dict[str, int]:
    """Bytes of a dense model in one of FORMATS: ``weights_bytes``, of these ``linear_bytes``."""
    tensors = weights(card)
    layers = card.size("num_hidden_layers")
    head = "output" if any(weight.kind == "output" for weight in tensors) else "embedding"
    sizes = {}
    for weight in tensors:
        if form in GGUF:
            kind = gguf_type(weight, form, layers, head=weight.kind == head)
            sizes[weight] = gguf_bytes(kind, weight.shape)
        elif weight.kind == "linear":
            sizes[weight] = LINEAR[form](*weight.shape)
        else:
            sizes[weight] = LINEAR[kept(form)](1, prod(weight.shape))
    linear = sum(size for weight, size in sizes.items() if weight.kind == "linear")
    return {"weights_bytes": sum(sizes.values()), "linear_bytes": linear}


def kept(form: str) -> str:
    """The format of what a format of LINEAR does not convert."""
    return "fp32" if form == "fp32" else "bf16"


def gguf_bytes(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor in a GGML type. Raises ValueError unless its rows hold whole blocks."""
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    if shape[-1] % block:
        raise ValueError(f"{kind}: a row of {shape[-1]} does not hold whole blocks of {block}")
    return prod(shape) // block * size


def gguf_type(weight: Weight, form: str, layers: int, *, head: bool) -> str:
    """GGML type that llama.cpp gives a parameter of a dense Llama in ``q8_0`` or ``q4_k_m``.

    Q4_K_M (src/llama-quant.cpp) spends 6 bit on what gives the logits (``head``: the output layer,
    or the embedding tied to it) and, in about half of the layers, on values and the way down;
    4 bit elsewhere. Rows that are no multiple of 256 fall back to 8 and 5 bit. The rule for models
    of 80 layers differs.
    """
    if weight.kind == "vector":
        return "F32"
    if form == "q8_0":
        return "Q8_0"
    more, parts = head, weight.name.split(".")
    if weight.kind == "linear" and parts[-2] in ("v_proj", "down_proj"):
        more = more_bits(int(parts[2]), layers)
    if weight.shape[-1] % 256:
        return "Q8_0" if more else "Q5_0"
    return "Q6_K" if more else "Q4_K"


def more_bits(layer: int, layers: int) -> bool:
    """Whether Q4_K_M spends 6 bits here: the first and last eighth, and every third between."""
    first = layers // 8
    return layer < first or layer >= 7 * layers // 8 or (layer - first) % 3 == 2
