"""Loading a model with or without an adapter, in the dtype the processor is good at."""

from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from kensho.models.convert import PROBE

# What a process that loads and runs one of our models imports, for a server that forks them.
PRELOAD = [
    "transformers.models.llama.modeling_llama",
    "transformers.models.llama.tokenization_llama",
    "transformers.generation.utils",
    "sentencepiece",
]
LAUNCHED = (  # a deviation of short steps that are timed one by one
    "operations are launched one by one, without a graph: on an accelerator the gaps between them "
    "are part of the time, and pull ratios towards 1"
)


def compute_dtype(asked: str) -> torch.dtype:
    """The dtype for ``auto``, ``float32`` or ``bfloat16``.

    ``auto`` takes bfloat16 on an accelerator and on processors that compute it (AVX512-BF16 or
    AMX): there it is about three times faster than float32, elsewhere several times slower.
    """
    if asked != "auto":
        return getattr(torch, asked)
    if torch.cuda.is_available():
        return torch.bfloat16
    flags = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    )
    fast = "avx512_bf16" in flags or "amx_bf16" in flags
    return torch.bfloat16 if fast else torch.float32


def device() -> str:
    """``cuda`` where torch sees an accelerator (ROCm included), else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load(folder: Path | str, dtype: torch.dtype, adapter: Path | str | None = None):
    """Model (in eval mode) and tokenizer; the adapter must change the logits.

    Raises ValueError if the adapted model answers the probe exactly as its base does, which
    means that the adapter was ignored.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device()).eval()
    if adapter is not None:
        exact = dtype == torch.float32 and not getattr(model, "is_quantized", False)
        before = probe_logits(model, tokenizer)
        model = PeftModel.from_pretrained(model, adapter).eval()
        if torch.equal(before, probe_logits(model, tokenizer)):
            raise ValueError(f"{adapter}: the adapter does not change the logits of the probe")
        if exact:  # to rounding, and a third faster
            model = model.merge_and_unload()
    return model, tokenizer


@torch.inference_mode()
def probe_logits(model, tokenizer) -> torch.Tensor:
    """Logits of the last position of the probe sentence, shape (vocabulary,)."""
    ids = tokenizer(PROBE, return_tensors="pt")["input_ids"].to(model.device)
    return model(ids).logits[0, -1].float().cpu()
