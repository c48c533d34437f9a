"""One training step of a card's architecture: run for real, or traced on tensors without data."""

import ctypes
import math
import time
import weakref
from collections.abc import Iterable

import bitsandbytes as bnb
import torch
from peft import get_peft_model
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from kensho.models.cards import Card
from kensho.models.loading import device
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.plan import Step

# The samples have no padding. With data transformers sees that and makes no mask; without data it
# cannot look, so both run under a name that has no mask function: fused and causal.
ATTENTION = "sdpa-unpadded"
AttentionInterface.register(ATTENTION, sdpa_attention_forward)
M_MMAP_THRESHOLD = -3  # of malloc.h


def build(card: Card, step: Step, on: str) -> nn.Module:
    """The model in training mode with its adapters; every weight of the base is the same number.

    Drawing them would take longer than the step, and memory does not depend on them.
    """
    torch.manual_seed(0)
    config = AutoConfig.for_model(card.model_type, **{**card.config, "use_cache": False})
    with torch.device(on), no_init_weights():
        model = AutoModelForCausalLM.from_config(
            config, dtype=getattr(torch, step.dtype), attn_implementation=ATTENTION
        )
    model.tie_weights()
    for weight in model.parameters():
        nn.init.constant_(weight, config.initializer_range)
    if step.method.weights == "nf4":
        _to_nf4(model)
        model = model.to(on)
    if step.method.adapter is not None:
        model = get_peft_model(model, step.method.adapter(step.rank, [*step.adapted], **step.own))
    if step.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train()


def _to_nf4(model: PreTrainedModel) -> None:
    """Put every matrix but the output layer's into 4-bit layers, which quantise when moved."""
    output = model.get_output_embeddings()
    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    for name, layer in layers:
        if layer is output:
            continue
        held = bnb.nn.Linear4bit(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            compute_dtype=layer.weight.dtype,
            quant_type="nf4",
        )
        held.weight = bnb.nn.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4")
        held.bias = layer.bias
        model.set_submodule(name, held)
    model.__dict__["is_loaded_in_4bit"] = True  # tells PEFT which kind of adapter to make


def token_ids(card: Card, step: Step, on: str) -> torch.Tensor:
    """The vocabulary in its order, over and over: shape (batch, length)."""
    ids = torch.arange(step.tokens, device=on).remainder(card.size("vocab_size"))
    return ids.view(step.batch, step.length)


def run(
    card: Card, step: Step, threads: int, *, mapped: bool = False, watched: bool = True
) -> dict:
    """Train two steps in this process; meant for a process of its own.

    Bytes of ``weights``, ``adapters``, ``gradients`` and ``optimizer`` as the tensors themselves
    say; the first step takes ``warmup_seconds`` and is, if ``watched``, for ``saved_bytes`` (what
    autograd keeps) and ``live_peak_bytes`` (all living tensors); the second takes
    ``step_seconds``. ``peak_bytes`` covers both, above what was there before the model was built:
    on the host resident, on an accelerator allocated. With ``mapped`` the C library (glibc) maps
    every block from 64 KiB on by itself and returns it when freed. Raises ValueError if the loss
    is not finite.
    """
    torch.set_num_threads(threads)
    if mapped:
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 16)
    on = device()
    before = 0 if on == "cuda" else resident_bytes()
    model = build(card, step, on)
    optimizer = adamw(model)
    ids = token_ids(card, step, on)
    reset_peak()
    began = time.perf_counter()
    seen = _watched_step(model, optimizer, ids) if watched else {}
    if not watched:
        _plain_step(model, optimizer, ids)
        optimizer.zero_grad(set_to_none=True)
    if on == "cuda":
        torch.cuda.synchronize()
    middle = time.perf_counter()
    loss = _plain_step(model, optimizer, ids)
    if on == "cuda":
        torch.cuda.synchronize()
    ended = time.perf_counter()
    peak = peak_bytes() - before
    if not math.isfinite(loss.item()):
        raise ValueError(f"{card.name}: the loss of the step is {loss.item()}")
    return {
        **_weights(model),
        "gradients": sum(p.grad.nbytes for p in model.parameters() if p.grad is not None),
        "optimizer": sum(t.nbytes for t in _states(optimizer)),
        **seen,
        "peak_bytes": peak,
        "warmup_seconds": middle - began,
        "step_seconds": ended - middle,
    }


def _plain_step(model, optimizer, ids) -> torch.Tensor:
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    return loss


def _watched_step(model, optimizer, ids) -> dict[str, int]:
    """A step whose tensors are counted as they come and go."""
    own = {p.untyped_storage()._cdata for p in [*model.parameters(), *model.buffers()]}
    kept: dict[int, int] = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if tensor.is_floating_point() and storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor.detach()

    with Living([*model.parameters(), *model.buffers(), *_states(optimizer)]) as living:
        with saved_tensors_hooks(note, lambda tensor: tensor):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return {"saved_bytes": sum(kept.values()), "live_peak_bytes": living.peak}


def _states(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [t for state in optimizer.state.values() for t in state.values()]


def adamw(model: nn.Module) -> torch.optim.AdamW:
    """Moments are there, as in every step but the first of a training.

    One tensor after the other: the fused forms hold temporaries for all of them at once.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, foreach=False)
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer


def _weights(model: nn.Module) -> dict[str, int]:
    """Bytes of the adapters, and of all other weights with what quantisation keeps beside them."""
    adapters = weights = 0
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            adapters += parameter.nbytes
            continue
        weights += parameter.nbytes
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            weights += sum(t.nbytes for t in (state.absmax, state.state2.absmax, state.offset))
    return {"weights": weights, "adapters": adapters}


def trace(card: Card, step: Step) -> dict[str, int]:
    """``saved_bytes`` and ``live_peak_bytes`` as :func:`run` gives them, on tensors without data.

    The same code with shapes alone, so at any size; kernels are those that torch takes on a
    processor, and what one allocates inside itself is not seen. Layers in NF4 cannot be traced.
    """
    fake = FakeTensorMode()
    model = _without_data(build(card, step, "meta"), fake)
    with fake:
        return _watched_step(model, adamw(model), token_ids(card, step, "cpu"))


def _without_data(model: nn.Module, fake: FakeTensorMode) -> nn.Module:
    """A model of the meta device as one of the processor whose tensors hold nothing."""
    made = {}
    with fake:
        for module in model.modules():
            for name, p in [*module.named_parameters(recurse=False)]:
                if p not in made:  # a tied weight has two places and one tensor
                    empty = torch.empty(p.shape, dtype=p.dtype, device="cpu")
                    made[p] = nn.Parameter(empty, requires_grad=p.requires_grad)
                module._parameters[name] = made[p]
            for name, buffer in [*module.named_buffers(recurse=False)]:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cpu")
    return model


class Living(TorchDispatchMode):
    """Counts the bytes of all storages that exist: those from before, and what operations make."""

    def __init__(self, before: Iterable[torch.Tensor]):
        super().__init__()
        self.now = self.peak = 0
        self.known = WeakIdKeyDictionary()
        for tensor in before:
            self._meet(tensor.untyped_storage())

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage())
        return result

    def _meet(self, storage: torch.UntypedStorage) -> None:
        if storage in self.known:
            return
        size = storage.nbytes()
        self.known[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._leave, size)

    def _leave(self, size: int) -> None:
        self.now -= size
