"""Loading a model with or without an adapter, in the dtype the processor is good at."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from peft import PeftModel
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from kensho.files import read_json
from kensho.models.reference import Reference

Family = Literal["causal", "masked", "seq2seq"]
FAMILIES: dict[Family, Any] = {
    "causal": AutoModelForCausalLM,
    "masked": AutoModelForMaskedLM,
    "seq2seq": AutoModelForSeq2SeqLM,
}

PROBE = "彼は毎朝コーヒーを飲みます。 He drinks coffee every morning."
# Where tokenizers differ in how they split.
SPLITS = f"{PROBE}\n\n  ２０２６年 12345, don't\t㍿ e\u0301"

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


def compute_dtype(name: str) -> torch.dtype:
    """The dtype for ``auto``, ``float32`` or ``bfloat16``.

    ``auto`` takes bfloat16 on an accelerator and on processors that compute it (AVX512-BF16 or
    AMX): there it is about three times faster than float32, elsewhere several times slower.
    """
    if name != "auto":
        return getattr(torch, name)
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


def computes_on() -> str:
    """Name of the accelerator, or ``cpu``: what another one has begun is not gone on with."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def nf4(dtype: torch.dtype) -> BitsAndBytesConfig:
    """Blocks of 64 weights share a scale, scales are quantised once more (QLoRA, section 3)."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def tokenizer_of(folder: Path | str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model; one without padding token pads with what ends a text.

    Padding is masked wherever it is read, so a text's own end is learnt all the same. Where the
    class that transformers takes for an architecture splits text otherwise than the published
    tokenizer.json, that file is followed. Raises ValueError for a tokenizer that has neither token.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    published = Path(folder) / "tokenizer.json"
    if published.is_file():
        ids = Tokenizer.from_file(str(published)).encode(SPLITS, add_special_tokens=False).ids
        if ids != tokenizer.encode(SPLITS, add_special_tokens=False):
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if tokenizer.eos_token is None:
        raise ValueError(f"{folder}: the tokenizer has no eos_token; say it in its configuration")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def family(folder: Path | str) -> Family:
    """What the model of a folder was made for, by its configuration."""
    config = read_json(Path(folder) / "config.json")
    if config.get("is_encoder_decoder"):
        return "seq2seq"
    named = config.get("architectures") or []
    return "masked" if any(name.endswith("ForMaskedLM") for name in named) else "causal"


def weights(
    folder: Path | str,
    dtype: torch.dtype,
    *,
    quantised: bool = False,
    on: str | None = None,
    family: Family = "causal",
    **settings,
):
    """The model of a folder, its linear layers in NF4 if ``quantised``.

    It is put ``on`` a device, by default the one there is, or spread over all accelerators of a job
    that was given several, layer by layer.
    Safetensors in one file or in shards; ``settings`` are transformers'. Raises ValueError where
    tensors of the architecture are missing: they would be random numbers.
    """
    held: dict[str, Any] = {}
    if quantised:
        held = {"quantization_config": nf4(dtype), "device_map": device()}
    elif on is None and int(os.environ.get("KENSHO_DEVICES", 1)) > 1 < torch.cuda.device_count():
        held = {"device_map": "auto"}
    read: Any = FAMILIES[family].from_pretrained(
        folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **held, **settings
    )
    model, loaded = read
    if absent := sorted(loaded["missing_keys"]):
        raise ValueError(
            f"{folder}: {len(absent)} tensors are missing ({absent[0]}, ...); fetch the model again"
        )
    return model if held else model.to(on or device())


def decode_plainly(model) -> None:
    """Keep of the model's defaults for answers what begins, ends and pads a text.

    Greedy answers are then the likeliest tokens, without the penalties that some models bring.
    """
    own = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=own.bos_token_id, eos_token_id=own.eos_token_id, pad_token_id=own.pad_token_id
    )


def load_reference(reference: Reference, dtype: torch.dtype):
    """:func:`load` of what a reference names."""
    adapters = [adapter.path for adapter in reference.adapters]
    quantised = bool(adapters) and reference.weights == "nf4"
    return load(reference.base, dtype, *adapters, quantised=quantised)


def require_finite(model: Any) -> None:
    """Raises ValueError where a weight is not finite before any has changed."""
    for name, weight in model.named_parameters():
        if not all(map(math.isfinite, weight.detach().aminmax())):
            raise ValueError(
                f"{name} is not finite before any weight has changed; change train.dtype or the "
                "base"
            )


def load(folder: Path | str, dtype: torch.dtype, *adapters: Path | str, quantised: bool = False):
    """Model (in eval mode) and tokenizer; each adapter must change the logits.

    Those before the last one are :func:`merged`, as the last was trained over them. In float32 it
    is too, otherwise, and beside weights in 4 bits, it is applied beside them. Raises ValueError if
    an adapted model answers the probe exactly as it did without the adapter, which means that it
    was ignored.
    """
    tokenizer = tokenizer_of(folder)
    *earlier, last = adapters or (None,)
    model = merged(folder, dtype, earlier, quantised=quantised).eval()
    decode_plainly(model)
    if last is not None:
        if read_json(Path(last) / "adapter_config.json").get("use_dora"):
            keep_unpacked(model)  # DoRA reads the weights
        model = _adapted(model, last, tokenizer)
        exact = dtype == torch.float32 and not (quantised or in_4_bits(folder))
        if exact:  # to rounding, and a third faster
            model = model.merge_and_unload()
    return model, tokenizer


def in_4_bits(folder: Path | str) -> bool:
    """Whether a folder holds weights as bitsandbytes quantises them."""
    return "quantization_config" in read_json(Path(folder) / "config.json")


def merged(
    folder: Path | str,
    dtype: torch.dtype,
    adapters: Sequence[Path | str],
    *,
    quantised: bool = False,
    on: str | None = None,
):
    """The model of a folder with adapters added to its weights; only then, if so, put into NF4.

    Raises ValueError for adapters over a folder that holds weights in 4 bits.
    """
    if adapters and in_4_bits(folder):
        raise ValueError(
            f"{folder}: its weights in 4 bits would lose most of the adapters that are added to "
            "them; name the model as it was published"
        )
    if quantised and adapters:  # weights in 4 bits would lose most of what is added to them
        with TemporaryDirectory() as place:
            merged(folder, dtype, adapters).save_pretrained(place)
            model = weights(place, dtype, quantised=True)
        model.name_or_path = model.config._name_or_path = str(folder)
        return model
    model = weights(folder, dtype, quantised=quantised, on=on)
    for adapter in adapters:
        model = _adapted(model, adapter, tokenizer_of(folder)).merge_and_unload()
        model.requires_grad_(True)  # PEFT froze what it adapted
    return model


def keep_unpacked(model) -> None:
    """Weights in NF4 stay as they were stored, which gradients and readers of weights need.

    For processors with bf16 units bitsandbytes packs them otherwise at the first product.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False


def _adapted(model, adapter: Path | str, tokenizer):
    before = probe_logits(model, tokenizer)
    model = PeftModel.from_pretrained(model, adapter).eval()
    if torch.equal(before, probe_logits(model, tokenizer)):
        raise ValueError(f"{adapter}: the adapter does not change the logits of the probe")
    return model


@torch.no_grad()
def probe_logits(model, tokenizer) -> torch.Tensor:
    """Logits of the last position of the probe sentence, shape (vocabulary,)."""
    ids = tokenizer(PROBE, return_tensors="pt")["input_ids"].to(model.device)
    return model(ids).logits[0, -1].float().cpu()
