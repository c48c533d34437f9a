"""Whether vLLM computes an architecture as transformers does, asked before it observes anything.

Its own kernels and model classes stand behind each architecture: 0.32 on a processor gives other
numbers for LFM2. A twin of the architecture is scored by both.
"""

import functools
import tempfile
from pathlib import Path

import torch

from kensho.files import read_json
from kensho.models import twins
from kensho.models.loading import SPLITS, load
from kensho.models.reference import Reference
from kensho.models.vllm import Refused, Vllm, unfit

# Of a log-likelihood against that in float32, relative; 16 bits round the twin's by about 1e-3.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 2e-2, torch.float16: 2e-2}
SHORT = 3  # tokens of the continuation that is asked for token by token


def unserved(python: str, model: Reference, dtype: torch.dtype, threads: int) -> str | None:
    """Why vLLM is not to serve what a reference names, None where it may."""
    config = read_json(Path(model.base) / "config.json")
    return unfit(model, dtype) or _differs(python, config["model_type"], dtype, threads)


@functools.cache
def _differs(python: str, model_type: str, dtype: torch.dtype, threads: int) -> str | None:
    if model_type not in twins.CONFIGS:
        return f"model type {model_type}, of which no twin is known to try it on"
    with tempfile.TemporaryDirectory() as scratch:
        folder = twins.make(model_type, Path(scratch) / "twin", seed=0)
        model, tokenizer = load(folder, torch.float32)
        ids = tokenizer(SPLITS, add_special_tokens=False)["input_ids"]
        half = len(ids) // 2
        requests = [(ids[:half], ids[half:]), (ids[:half], ids[half : half + SHORT])]
        expected = [_alone(model, *request) for request in requests]
        try:
            reference = Reference(base=str(folder), files={})
            with Vllm(python, reference, dtype, threads=threads) as served:
                scored = [value for value, _ in served.loglikelihoods(requests)]
        except Refused as error:
            return f"model type {model_type} ({error})"
    for value, right in zip(scored, expected, strict=True):
        if abs(value - right) > TOLERANCE[dtype] * abs(right):
            return (
                f"model type {model_type}: a twin's log-likelihood is {value:.4f} there and "
                f"{right:.4f} in transformers"
            )
    return None


@torch.inference_mode()
def _alone(model, context: list[int], continuation: list[int]) -> float:
    ids = torch.tensor([*context, *continuation], device=model.device)
    rows = model(ids[None]).logits[0, len(context) - 1 : -1].float().log_softmax(-1)
    return float(rows.gather(1, ids[len(context) :, None]).sum())
