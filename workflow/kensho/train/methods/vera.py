"""VeRA (Kopiczko et al. 2023, arXiv 2310.11454): one random pair of matrices for all modules.

Of the pair, as wide as the widest module, each takes what fits it and learns two vectors. The pair
is drawn from the run's seed and saved with the vectors.
"""

from typing import Any

from kensho.train.methods import Method, Targets


def adapter(rank: int, targets: Targets, *, seed: int = 0):
    """PEFT's configuration; the shared matrices are drawn from ``seed``."""
    from peft import VeraConfig

    return VeraConfig(
        r=rank, target_modules=targets, projection_prng_key=seed, task_type="CAUSAL_LM"
    )


def tensors(shape: tuple[int, int], rank: int, **_: Any) -> list[int]:
    """A factor for each output, one for each rank (section 3.1)."""
    return [shape[1], rank]


def frozen(shapes: list[tuple[int, int]], rank: int) -> int:
    """The shared matrices: r x the widest input, the widest output x r."""
    return rank * sum(max(sides) for sides in zip(*shapes, strict=True))


METHOD = Method("vera", adapter=adapter, tensors=tensors, frozen=frozen, drawn=True)
