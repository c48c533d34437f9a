"""Figures of machines: what cannot be faster, smaller or cheaper than its parts.

Parameters are counted in thousand millions, as cards and papers print them; a name ("7B") is no
count. The name of a card of resources/ can stand for parameters and for limits: `llama-3-8b`,
`mi300x`, `mi300x bfloat16`. Sizes in GB are allowed to be GiB.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from kensho.audit.printed import Figure, Finding, Range, between, judged

Parameters = Annotated[Figure, "parameters"]
Active = Annotated[Figure, "active parameters"]
GIB = Fraction(2**30, 10**9)


def weights_in_memory(memory: Figure, parameters: Parameters, bits: int) -> Finding:
    """Whether peak memory (GB) has room for the weights alone: parameters x bits / 8."""
    weights = parameters.times(Fraction(bits, 8))
    return judged(
        memory.high * GIB >= weights.low,
        f"{parameters} thousand million parameters of {bits} bits are "
        f"{between(weights, memory.step)} GB; printed is {memory}.",
    )


def file_size(size: Figure, parameters: Parameters, bits: int, most: int = 150) -> Finding:
    """Whether the size of a file of weights (GB) is that of its parameters.

    Formats add scales, a header and perhaps a second embedding: up to `most` per cent of parameters
    x bits / 8 pass, less than 100 % does not.
    """
    weights = parameters.times(Fraction(bits, 8))
    sizes = Range(size.low, size.high * GIB)
    return judged(
        sizes.meets(Range(weights.low, weights.high * Fraction(most, 100))),
        f"{parameters} thousand million parameters of {bits} bits are "
        f"{between(weights, size.step)} GB; the file is given as {size}.",
    )


def bandwidth(
    passes: Figure, parameters: Active, bits: int, limit: Annotated[Figure, "bandwidth"]
) -> Finding:
    """Whether so many forward passes per second can read the weights they use (Williams et al.
    2009, the roofline).

    Args: passes of one sequence per second, which is its tokens per second unless several come
        from one pass (speculative decoding); parameters that a pass uses, of experts the active
        ones; limit in GB/s. Weights that fit into a cache are no case for this check.
    """
    read = passes * parameters.times(Fraction(bits, 8))
    return judged(
        read.low <= limit.high,
        f"{passes} passes per second over {parameters} thousand million parameters of {bits} bits "
        f"read {between(read, Fraction(1))} GB/s; the memory gives {limit}.",
    )


def peak(tokens: Figure, parameters: Active, limit: Annotated[Figure, "peak"]) -> Finding:
    """Whether so many tokens per second fit under a peak: 2 operations a parameter and token at
    least (Kaplan et al. 2020, forward).

    Args: tokens per second over all sequences; active parameters; limit in Tflop/s of the devices
        together. Tokens that are read from a cache of prompts are not computed and do not count.
    """
    needed = (tokens * parameters).times(Fraction(2, 1000))
    return judged(
        needed.low <= limit.high,
        f"{tokens} tokens per second over {parameters} thousand million parameters take "
        f"{between(needed, Fraction(1, 100))} Tflop/s at least; the peak is {limit}.",
    )


def cost(total: Figure, hours: Figure, price: Figure, devices: int = 1) -> Finding:
    """Whether a cost is hours x devices x price per device and hour."""
    implied = (hours * price).times(devices)
    return judged(
        implied.meets(total),
        f"{hours} hours x {devices} x {price} is {between(implied, total.step)}; printed is "
        f"{total}.",
    )
