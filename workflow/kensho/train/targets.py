"""The modules of each architecture that can get adapters, by the names that its code gives them.

Mixtures of experts get them in their attention alone: transformers keeps the experts of a layer in
one tensor, and PEFT 0.21 takes DeepSeek-V3's ``gate_proj`` for that and passes the dense layers and
shared experts of the name over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
GATED = ("gate_proj", "up_proj", "down_proj")
LATENT = ("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj")
SHORT_CONVOLUTION = ("q_proj", "k_proj", "v_proj", "in_proj", "out_proj", "w1", "w2", "w3")
LLAMA_LIKE = ("llama", "qwen2", "qwen3", "mistral", "gemma3_text")
MODULES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LLAMA_LIKE, (*ATTENTION, *GATED)),
    "mixtral": ATTENTION,
    "deepseek_v3": LATENT,
    "lfm2": SHORT_CONVOLUTION,
    "gpt_neox": ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
    "gpt2": ("c_attn", "c_proj", "c_fc"),
}
CONVOLUTIONS = ("gpt2",)  # whose matrices are transformers' Conv1D
if TYPE_CHECKING:
    from kensho.train.methods import Method

    Target = str
else:
    Target = Literal[tuple(dict.fromkeys(name for names in MODULES.values() for name in names))]


def check(model_type: str, targets: Sequence[str]) -> None:
    """Raises ValueError for an architecture or a module of it that gets no adapters."""
    if model_type not in MODULES:
        raise ValueError(f"no adapters for model type '{model_type}' (known: {', '.join(MODULES)})")
    known = MODULES[model_type]
    if unknown := ", ".join(name for name in targets if name not in known):
        raise ValueError(
            f"targets: {model_type} has no module {unknown}; it has {', '.join(known)}"
        )


def check_layers(model_type: str, method: Method) -> None:
    """Raises ValueError for an architecture whose layers a method has no code for."""
    if method.linear and model_type in CONVOLUTIONS:
        raise ValueError(
            f"method {method.name} takes linear layers, of which {model_type} has none; take "
            "another method"
        )
