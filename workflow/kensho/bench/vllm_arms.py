"""Arms of the experiments `inference` and `vocabulary` that vLLM runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kensho.bench.inference_gguf import Answer
from kensho.bench.run import Cell
from kensho.models import engine
from kensho.models.reference import Reference
from kensho.models.vllm import Vllm, devices
from kensho.models.vllm_check import unserved

DTYPES = {"vllm-fp32": torch.float32, "vllm-bf16": torch.bfloat16}
HELD = "vLLM takes the memory of its cache in advance: no peak of its arms is observed"
READ = "vLLM's scoring holds its gathering of each token's likelihood"


def python(file: Path | None, arm: str, folder: Path, threads: int) -> str:
    """vLLM's Python. Raises ValueError where it is not installed or does not serve the model."""
    python = engine.read(file).python
    if python is None:
        raise ValueError(f"arm {arm}: run `make vllm`, or leave the arm out")
    if why := unserved(python, Reference(base=str(folder), files={}), DTYPES[arm], threads):
        raise ValueError(f"arm {arm}: vLLM does not serve {why}; leave the arm out")
    return python


def load(python: str, folder: Path, dtype: torch.dtype, threads: int) -> Vllm:
    """The model of a folder."""
    model = Reference(base=str(folder), files={})
    return Vllm(python, model, dtype, threads=threads, devices=devices())


def answer(served: Vllm, prompts: list[list[int]], new_tokens: int) -> Answer:
    """Greedy answers of exactly ``new_tokens`` to prompts that arrive at once."""
    served.forget()
    marks, tokens = served.timed(prompts, new_tokens)
    first, begun = next((at, count) for at, count in marks if count >= len(prompts))
    last, written = marks[-1]
    return Answer(first, (written - begun) / (last - first), tokens)


def nll(served: Vllm, ids: list[int]) -> float:
    """Negative log-likelihood (nat) of all tokens but the first."""
    return -served.timed_scoring(ids)[1]


def run_arm(
    python: str,
    folder: Path,
    dtype: torch.dtype,
    text: list[int],
    cells: Mapping[str, Cell],
    new_tokens: int,
    threads: int,
) -> dict[str, Any]:
    """One process of `inference`: load, warm up briefly, then answer the prompts of each cell."""
    with load(python, folder, dtype, threads) as served:
        began = time.perf_counter()
        answer(served, [text[:32]], 3)
        metrics: dict[str, Any] = {"warmup_seconds": time.perf_counter() - began}
        answers = {}
        for ending, (batch, length) in cells.items():
            prompts = [text[row * length : (row + 1) * length] for row in range(batch)]
            answered = answer(served, prompts, new_tokens)
            answers[ending] = answered.tokens
            metrics[f"first_token_seconds{ending}"] = answered.first_token_seconds
            metrics[f"tokens_per_second{ending}"] = answered.tokens_per_second
        return {**metrics, "answers": answers, "engine": served.about}


def score_arm(
    python: str, folder: Path, dtype: torch.dtype, sentences: Mapping[str, list], threads: int
) -> dict[str, list[float]]:
    """One process: negative log-likelihood (nat) of sentences, by language."""
    with load(python, folder, dtype, threads) as served:
        return {key: [nll(served, ids) for ids in encoded] for key, encoded in sentences.items()}
