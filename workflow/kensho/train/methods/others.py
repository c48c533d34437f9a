"""Methods of a few lines each: OFT, MiSS and (IA)3."""

from typing import Any

from kensho.train.methods import Course, Method, Targets

# Second matrices of feed-forward layers, whose input (IA)3 weighs instead of their output.
INNER = ("down_proj", "w2", "dense_4h_to_h", "c_proj")
# GPT-2's attention has a square one of that name, whose output is weighed.
WITHIN = {"c_proj": "mlp.c_proj"}


def rotation(rank: None, targets: Targets, *, block_size: int):
    """OFT (Qiu et al. 2023, arXiv 2306.07280): inputs are turned in blocks, by Cayley-Neumann."""
    from peft import OFTConfig

    return OFTConfig(oft_block_size=block_size, target_modules=targets, task_type="CAUSAL_LM")


def angles(shape: tuple[int, int], rank: None, *, block_size: int, **_: Any) -> list[int]:
    """The upper triangle of each block. Raises ValueError where blocks do not fill the input."""
    blocks, rest = divmod(shape[0], block_size)
    if rest:
        raise ValueError(
            f"blocks of {block_size} do not fill an input of {shape[0]}; take a block_size that "
            "divides it"
        )
    return [blocks * block_size * (block_size - 1) // 2]


class Turning(Course):
    def __init__(self, model: Any, training: Any):
        """Raises ValueError where PEFT changed the size of the blocks, which it only warns of."""
        super().__init__(model, training)
        for module in model.modules():
            if held := getattr(module, "oft_block_size", None):
                angles((module.in_features, 0), None, block_size=self.settings["block_size"])
                assert held["default"] == self.settings["block_size"]


def shards(rank: int, targets: Targets):
    """MiSS (Kang and Yin 2024, arXiv 2409.15371): one matrix for all shards of the input."""
    from peft import MissConfig

    return MissConfig(r=rank, target_modules=targets, task_type="CAUSAL_LM")


def shard(shape: tuple[int, int], rank: int, **_: Any) -> list[int]:
    """r x out."""
    return [rank * shape[1]]


def factors(rank: None, targets: Targets):
    """(IA)3 (Liu et al. 2022, arXiv 2205.05638): a factor for each activation."""
    from peft import IA3Config

    inner = [WITHIN.get(name, name) for name in targets if name in INNER]
    every = [*dict.fromkeys([*targets, *inner])]  # PEFT wants the inner ones among them
    return IA3Config(target_modules=every, feedforward_modules=inner, task_type="CAUSAL_LM")


def factor(shape: tuple[int, int], rank: None, *, module: str, **_: Any) -> list[int]:
    """The input of a feed-forward layer's second matrix, the output of any other."""
    return [shape[0 if module in INNER else 1]]


OFT = Method("oft", adapter=rotation, tensors=angles, ranked=False, course=Turning, linear=True)
MISS = Method("miss", adapter=shards, tensors=shard, linear=True)
IA3 = Method("ia3", adapter=factors, tensors=factor, ranked=False)
