"""GGUF to safetensors, once: dequantise, save in the plain form, verify."""

import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from kensho.files import sha256
from kensho.models.loading import PROBE


def gguf_to_safetensors(gguf: Path | str, folder: Path | str) -> dict:
    """Write model and tokenizer of a GGUF file to ``folder`` and return the conversion record.

    Weights are dequantised to float32. The quantisation config is dropped first, since
    transformers refuses to save a model that carries it. The saved form is loaded again and must
    give equal tensors, equal token ids and equal logits. Raises ValueError if it does not.
    The folder appears only when complete.
    """
    gguf, folder = Path(gguf), Path(folder)
    loaded = _loaded(gguf)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    plain = _plain(loaded)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    plain.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    record = {"parameters": plain.num_parameters(), **_verify(loaded, tokenizer, temporary)}
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return {"gguf": gguf.name, "gguf_sha256": sha256(gguf), **record}


def dequantised(gguf: Path) -> PreTrainedModel:
    """The model of a GGUF file in float32, which can be saved."""
    return _plain(_loaded(gguf))


def _loaded(gguf: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )


def _plain(loaded: PreTrainedModel) -> PreTrainedModel:
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict(), strict=True)
    plain.tie_weights()
    return plain


def _verify(model, tokenizer, folder: Path) -> dict:
    saved = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    saved_tokenizer = AutoTokenizer.from_pretrained(folder)
    theirs, ours = model.state_dict(), saved.state_dict()
    if theirs.keys() != ours.keys() or not all(torch.equal(theirs[k], ours[k]) for k in ours):
        raise ValueError(f"{folder}: the saved tensors differ from the GGUF file's")
    ids = tokenizer(PROBE, return_tensors="pt")["input_ids"]
    if not torch.equal(ids, saved_tokenizer(PROBE, return_tensors="pt")["input_ids"]):
        raise ValueError(f"{folder}: the saved tokenizer gives other token ids")
    with torch.inference_mode():
        if not torch.equal(model(ids).logits, saved(ids).logits):
            raise ValueError(f"{folder}: the saved model gives other logits")
    return {"safetensors_sha256": sha256(folder / "model.safetensors"), "verified_on": PROBE}
