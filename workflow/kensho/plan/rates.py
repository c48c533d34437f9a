"""Seconds of work on a machine, from what its hardware card specifies or from measured rates.

A pass of T tokens through N parameters (of a mixture, those that a token meets) is 2 N T operations
forward, and in training as many again for the gradients of activations and for those of weights:
6 N T in all (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), 4 N T under adapters, since frozen
weights get no gradient. Attention's own share, small at these lengths, is left out. Each pass reads
the weights once. It lasts as long as the slowest of three: operations, bytes, and the launching of
kernels, layer by layer; several devices share the first two evenly.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from kensho.models.hardware import Hardware
from kensho.plan.config import Config
from kensho.plan.memory import Dtype, Size
from kensho.plan.work import Work
from kensho.train.plan import BYTES
from kensho.validation import suggestion

# Share of the peak rate that training reached for Megatron-Turing NLG 530B on A100; published runs
# lie between .21 and .46 (Chowdhery et al. 2022, arXiv 2204.02311, table 3).
COMPUTE = 0.302
# Decoding of Qwen2.5-7B in bfloat16, one sequence, without graphs, reached .81 of an L4's bandwidth
# and, held up by launches, .27 of an H100's: 17 ms a token, .6 ms for each of 28 layers (Chen 2026,
# arXiv 2605.30571).
BANDWIDTH, LAYER_S = 0.81, 6e-4
# Share of a processor's product of large matrices that steps of small models are taken to reach: an
# assumption, not a measurement (benchmarks/foreseen.py shows how far it is off).
PROCESSOR = 0.5
START_S = 10.0  # a processor's time to import torch, transformers, peft, trl and lm_eval: 9.5 s


@dataclass(frozen=True)
class Machine:
    """What one device, or a processor, reaches; None where that is not known, and ``why``."""

    flops_per_second: float | None = None
    bytes_per_second: float | None = None
    layer_seconds: float = 0.0  # least time of a forward pass through one layer
    memory_bytes: int | None = None
    why: str = "no rates of this processor were measured"

    def seconds(self, work: Work, size: Size, dtype: Dtype, devices: int) -> float | None:
        """Of a job on so many devices; None where a rate is not known."""
        if self.flops_per_second is None or self.bytes_per_second is None:
            return None
        total, weights = START_S, size.parameters * BYTES[dtype]
        for tokens, passes, flops in work.passes:
            operations = tokens * flops * size.active / self.flops_per_second / devices
            forward = passes * flops / 2  # forward passes that take as long
            read = forward * weights / self.bytes_per_second / devices
            total += max(operations, read, forward * size.layers * self.layer_seconds)
        return total


@cache
def processor() -> Machine:
    """What all cores of this processor reach, measured once, in about a second.

    Products of float32 matrices of 1,024 rows, and the bytes that a product with a vector reads, as
    decoding does. What else works here meanwhile slows them, as it will the jobs.
    """
    matrix = np.ones((1024, 1024), np.float32)
    products = _per_second(lambda: matrix @ matrix, 0.5) * 2 * 1024**3
    weights, vector = np.ones((8192, 4096), np.float32), np.ones(4096, np.float32)
    read = _per_second(lambda: weights @ vector, 0.25) * weights.nbytes
    return Machine(products * PROCESSOR, read, why="")


def _per_second(call: Callable[[], object], seconds: float) -> float:
    call()  # starts threads
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - began)


def durations(path: Path, here: Machine) -> dict[str, float]:
    """Seconds of jobs without a model on this processor, by rule, from those of another."""
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    slower = known["gflops"] * 1e9 * PROCESSOR / (here.flops_per_second or math.inf)
    return {rule: max(0.5, seconds * slower) for rule, seconds in known["seconds"].items()}


def dtype_of(config: Config) -> Dtype:
    """`auto` on a processor is taken for the larger."""
    if config.train.dtype != "auto":
        return config.train.dtype
    return "float32" if config.accelerator == "none" else "bfloat16"


def machine(config: Config, hardware: Mapping[str, Hardware]) -> Machine:
    """A device of the configured accelerator, by the card that `cluster.gpu_model` names."""
    if config.accelerator == "none":
        return Machine()
    model = config.cluster.gpu_model
    named = [name for name in hardware if model and f"{name}-".startswith(f"{model}-")]
    if len(named) != 1:
        known = suggestion(model or "", hardware)
        value = f"'{model}'" if model else "null"
        return Machine(why=f"cluster.gpu_model: {value} names no hardware card, {known}")
    card, dtype = hardware[named[0]], dtype_of(config)
    peak, parts = card.peak_tflops(dtype), card.devices_per_module
    return Machine(
        peak * 1e12 * COMPUTE if peak else None,
        card.bandwidth_bytes_per_s / parts * BANDWIDTH,
        LAYER_S,
        card.memory_bytes // parts,
        f"{card.name} has no matrix operation in {dtype}",
    )


def unplanned(config: Config, hardware: Mapping[str, Hardware]) -> str:
    """Why nobody knows what a device of the configured accelerator holds; empty where that is."""
    if config.accelerator == "none" or (device := machine(config, hardware)).memory_bytes:
        return ""
    return device.why
