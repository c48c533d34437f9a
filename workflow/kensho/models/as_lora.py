"""Adapters as plain LoRA, which is all that vLLM serves, where that is the same function.

The difference that such an adapter makes to a weight is a product of two narrow matrices B A:
VeRA's with its vectors multiplied in, AdaLoRA's with its singular values, and MiSS's, whose A only
adds up the shards of the input.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import pad

from kensho.files import read_json, write_json
from kensho.models.reference import ADAPTER, elements

CONFIG = "adapter_config.json"
PREFIX = "base_model.model."
EPSILON = 1e-5  # that PEFT adds to the rank by which it divides AdaLoRA's increments
Pair = tuple[Tensor, Tensor]  # A (rank, in) and B (out, rank)


def written(adapter: Path, base: Path, into: Path) -> Path:
    """An adapter of one of EXACT, over the model of folder ``base``, as LoRA in a new folder.

    Raises ValueError where the base has no weight of an adapted module's name.
    """
    config, tensors = read_json(adapter / CONFIG), load_file(adapter / ADAPTER)
    pairs = EXACT[config["peft_type"]](tensors, config, elements(base))
    rank = max(len(a) for a, _ in pairs.values())
    plain = {}
    for name, (a, b) in pairs.items():
        short = rank - len(a)  # where ranks differ the lower ones are filled with zeros
        plain[f"{PREFIX}{name}.lora_A.weight"] = pad(a, (0, 0, 0, short)).contiguous()
        plain[f"{PREFIX}{name}.lora_B.weight"] = pad(b, (0, short)).contiguous()
    into.mkdir(parents=True)
    save_file(plain, into / ADAPTER, metadata={"format": "pt"})
    kept = {key: config[key] for key in ("base_model_name_or_path", "target_modules", "task_type")}
    scale = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "inference_mode": True}
    write_json(into / CONFIG, kept | scale)
    return into


def _of(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Tensors of one part of the adapter by module."""
    named = {name.removeprefix(PREFIX).removesuffix(".weight"): t for name, t in tensors.items()}
    return {n.removesuffix(f".{part}"): t.float() for n, t in named.items() if n.endswith(part)}


def _inputs(base: Mapping[str, int], module: str, outputs: int) -> int:
    if (weight := f"{module}.weight") not in base:
        raise ValueError(f"the model has no {weight} that an adapter names; train it again")
    return base[weight] // outputs


def _vera(tensors: Mapping, config: Mapping, base: Mapping[str, int]) -> dict[str, Pair]:
    a, b = (tensors[f"base_model.vera_{side}"].float() for side in "AB")
    outer, inner = (_of(tensors, f"vera_lambda_{side}") for side in "bd")
    return {
        name: (
            inner[name][:, None] * a[:, : _inputs(base, name, len(out))],
            out[:, None] * b[: len(out)],
        )
        for name, out in outer.items()
    }


def _adalora(tensors: Mapping, config: Mapping, base: Mapping[str, int]) -> dict[str, Pair]:
    a, b, values = (_of(tensors, f"lora_{part}") for part in "ABE")
    scale = config["lora_alpha"] / (config["init_r"] + EPSILON)
    return {name: (values[name] * a[name], scale * b[name]) for name in a}


def _miss(tensors: Mapping, config: Mapping, base: Mapping[str, int]) -> dict[str, Pair]:
    pairs = {}
    for name, block in _of(tensors, "miss_block").items():
        rank, outputs = block.shape
        inputs = _inputs(base, name, outputs)
        pairs[name] = torch.eye(rank).repeat(1, -(-inputs // rank))[:, :inputs], block.T
    return pairs


EXACT: dict[str, Any] = {"ADALORA": _adalora, "MISS": _miss, "VERA": _vera}
