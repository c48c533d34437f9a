"""LoRA (Hu et al. 2021, arXiv 2106.09685): two narrow matrices beside each targeted one.

Variants: rsLoRA weighs them by alpha / sqrt(rank), alpha being the same for all ranks, so that
activations and gradients are too (Kalajdzievski 2023, arXiv 2312.03732, section 3), DoRA
learns the length of each row of the sum apart from its direction (Liu et al. 2024,
arXiv 2402.09353). LoRA+ gives B a higher learning rate (Hayou et al. 2024, arXiv 2402.12354).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

from kensho.files import read_json, write_json
from kensho.train.methods import Course, Method, Targets


def adapter(rank: int, targets: Targets, *, alpha: int | None = None, **variant: Any):
    """PEFT's configuration; adapters weigh alpha / rank in the sum, 2 unless told otherwise."""
    from peft import LoraConfig

    scale = alpha or 2 * rank
    return LoraConfig(
        r=rank, lora_alpha=scale, target_modules=targets, task_type="CAUSAL_LM", **variant
    )


def stabilised(rank: int, targets: Targets, *, alpha: int):
    """PEFT's configuration; adapters weigh alpha / sqrt(rank)."""
    return adapter(rank, targets, alpha=alpha, use_rslora=True)


def tensors(shape: tuple[int, int], rank: int, **_: Any) -> list[int]:
    """r x in and out x r (section 4.1)."""
    return [rank * side for side in shape]


def directed(shape: tuple[int, int], rank: int, **_: Any) -> list[int]:
    """Those of LoRA and the length of each row."""
    return [*tensors(shape, rank), shape[1]]


class Paired(Course):
    def factors(self) -> list[tuple[Any, float]]:
        """B, and vectors, learn ``lora_plus`` times as fast as A, as PEFT groups them."""
        faster = self.settings.get("lora_plus", 1.0)
        learning = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        return [(p, faster if "lora_B" in n or p.ndim == 1 else 1.0) for n, p in learning]


class Folded(Paired):
    def save(self, folder: Path, whole: Mapping | None) -> None:
        """As plain LoRA: alpha' / r is alpha / sqrt(r)."""
        super().save(folder, whole)
        saved = read_json(folder / CONFIG)
        scale = saved["lora_alpha"] * sqrt(saved["r"])
        write_json(folder / CONFIG, saved | {"lora_alpha": scale, "use_rslora": False})


CONFIG = "adapter_config.json"
METHOD = Method("lora", adapter=adapter, tensors=tensors, course=Paired, branches=True)
RSLORA = replace(METHOD, name="rslora", adapter=stabilised, course=Folded)
DORA = replace(
    METHOD, name="dora", adapter=partial(adapter, use_dora=True), tensors=directed, branches=False
)
