"""A training step under a limit of memory, in one of the ways that save some of it.

Ways: ``plain``; ``checkpointing``, each layer computed again from its input (Chen et al. 2016,
arXiv 1604.06174); ``recomputation``, matrix products and attention kept and the cheap rest computed
again, as Korthikanti et al. (2022, arXiv 2205.05198, section 5) select what to keep; ``offload``,
what autograd keeps lies on the host meanwhile; ``loss-scaling``, computed in float16 over float32
weights with a scaled loss (Micikevicius et al. 2018, arXiv 1710.03740); ``fp8``, the layers'
products in FP8 (:mod:`kensho.bench.float8`).
"""

from __future__ import annotations

import math
import resource
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.autograd.graph import save_on_cpu
from torch.utils.checkpoint import create_selective_checkpoint_contexts

from kensho.bench.float8 import format_of_device, in_float8
from kensho.models.cards import Card
from kensho.models.loading import device
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.plan import Step
from kensho.train.step import adamw, build, token_ids

ATEN = torch.ops.aten
KEPT = [
    *(ATEN.mm.default, ATEN.addmm.default, ATEN.bmm.default, ATEN.baddbmm.default),
    *(ATEN._scaled_dot_product_flash_attention_for_cpu.default,),
    *(ATEN._scaled_dot_product_flash_attention.default,),
    *(ATEN._scaled_dot_product_efficient_attention.default,),
    *(ATEN._scaled_dot_product_cudnn_attention.default,),
]
LOSS_SCALE = 1024.0
SHRUNK = 0.1  # of the constant weights, whose sums would overflow float16


def run(card: Card, step: Step, way: str, limit: int, threads: int) -> dict:
    """Train a step, its moments there before, in a process that gets ``limit`` bytes and no more.

    ``parameters`` and ``peak_bytes`` above what was there before the model was built: resident on
    the host, allocated on an accelerator. Raises what torch raises where memory is refused, and
    ValueError if the loss is not finite or a scaled step was left out.
    """
    torch.set_num_threads(threads)
    on = device()
    limited(limit, on)
    before = 0 if on == "cuda" else resident_bytes()
    reset_peak()
    model = build(card, step, on)
    prepare(model, way, on)
    optimizer, ids = adamw(model), token_ids(card, step, on)
    scaler = torch.amp.GradScaler(on, LOSS_SCALE, enabled=way == "loss-scaling")
    with kept(way, on):
        loss = model(input_ids=ids, labels=ids).loss
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if not math.isfinite(loss.item()):
        raise ValueError(f"{card.name}, {way}: the loss of the step is {loss.item()}")
    if scaler.is_enabled() and scaler.get_scale() < LOSS_SCALE:
        raise ValueError(f"{card.name}, {way}: the step was left out, its gradients overflowed")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"parameters": parameters, "peak_bytes": peak_bytes() - before}


def limited(limit: int, on: str) -> None:
    """Refuse this process more than ``limit`` bytes beyond what it has.

    On the host the kernel refuses private writable memory (RLIMIT_DATA), touched or not; on an
    accelerator torch's allocator does. If memory ends all the same, this process is killed first.
    """
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if on == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))
        return
    most = resident_bytes("VmData") + limit
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def prepare(model: Any, way: str, on: str) -> None:
    if way == "recomputation":
        chosen = partial(create_selective_checkpoint_contexts, KEPT)
        model.gradient_checkpointing_enable({"use_reentrant": False, "context_fn": chosen})
    if way == "fp8":
        kind = format_of_device() if on == "cuda" else torch.float8_e4m3fn
        if kind is None:
            raise ValueError("arm fp8: this device computes no FP8; leave it out of the arms")
        in_float8(model, model.get_output_embeddings(), kind)
    if way == "loss-scaling":
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(SHRUNK)


def kept(way: str, on: str) -> AbstractContextManager:
    """Where the forward pass runs: what it computes in, and where autograd keeps it."""
    if way == "loss-scaling":
        return torch.autocast(on, dtype=torch.float16)
    return save_on_cpu(pin_memory=on == "cuda") if way == "offload" else nullcontext()
