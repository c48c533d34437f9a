"""Arms of the experiment `inference` that llama.cpp runs, where its Python package is installed."""

import ctypes
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

from kensho.models.token_nll import token_nll

FORMATS = {
    "gguf-f16": "LLAMA_FTYPE_MOSTLY_F16",
    "gguf-q8_0": "LLAMA_FTYPE_MOSTLY_Q8_0",
    "gguf-q4_k_m": "LLAMA_FTYPE_MOSTLY_Q4_K_M",
}


class Answer(NamedTuple):
    """Latency of the first token, decoding speed behind it, tokens of each sequence."""

    first_token_seconds: float
    tokens_per_second: float
    tokens: list[list[int]]


def convert(source: Path | None, arm: str, target: Path, threads: int) -> Path:
    """Write a GGUF file in the format of the arm. Raises ValueError if it cannot be done."""
    if not find_spec("llama_cpp"):
        raise ValueError(f"arm {arm}: install the package llama-cpp-python, or leave the arm out")
    if source is None:
        raise ValueError(f"arm {arm}: the model has no GGUF file to convert; leave the arm out")
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype, settings.nthread = getattr(llama_cpp, FORMATS[arm]), threads
    settings.allow_requantize = True  # the source may hold 4-bit weights
    done = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(settings)
    )
    if done != 0:
        raise ValueError(f"{source}: llama.cpp could not convert it for arm {arm}")
    return target


def load(path: Path, room: int, threads: int, *, every_logit: bool = False):
    """The model of a GGUF file, with a context of ``room`` tokens read in one batch."""
    from llama_cpp import Llama

    return Llama(
        str(path),
        n_ctx=room,
        n_batch=room,
        n_ubatch=room,
        n_threads=threads,
        n_threads_batch=threads,
        logits_all=every_logit,
        n_gpu_layers=-1,
        verbose=False,
    )


def answer(model, prompts: list[list[int]], new_tokens: int) -> Answer:
    """Greedy answer of ``new_tokens`` tokens to one prompt, whatever token ends it otherwise."""
    (prompt,) = prompts
    model.reset()
    tokens, marks, began = [], [], time.perf_counter()
    for token in model.generate(prompt, temp=0.0):
        tokens.append(token)
        marks.append(time.perf_counter())
        if len(tokens) == new_tokens:
            break
    speed = (new_tokens - 1) / (marks[-1] - marks[0])
    return Answer(marks[0] - began, speed, [tokens])


def nll(model, ids: list[int]) -> float:
    """Negative log-likelihood (nat) of all tokens but the first."""
    model.reset()
    model.eval(ids)
    logits = torch.from_numpy(model.scores[: len(ids) - 1])
    return float(token_nll(logits, torch.tensor(ids[1:])).sum())
