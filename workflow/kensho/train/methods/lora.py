"""LoRA (Hu et al. 2021, arXiv 2106.09685): two narrow matrices beside each targeted one."""

from collections.abc import Sequence

from kensho.train.methods import Method


def adapter(rank: int, targets: Sequence[str] | str):
    """PEFT's configuration; adapters weigh 2 in the sum, whatever the rank."""
    from peft import LoraConfig

    modules = targets if isinstance(targets, str) else list(targets)
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, task_type="CAUSAL_LM")


def tensors(shape: tuple[int, int], rank: int) -> list[int]:
    """r x in and out x r (section 4.1)."""
    return [rank * side for side in shape]


METHOD = Method("lora", weights="as computed", adapter=adapter, tensors=tensors)
