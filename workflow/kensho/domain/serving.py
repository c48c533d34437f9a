"""One adapted model in a format: its answers to the same questions, one request at a time."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from kensho.domain import llama_cpp
from kensho.models.encoding import encode, turn_end
from kensho.models.loading import compute_dtype, decode_plainly, weights
from kensho.train import quantise
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.samples import texts

PRELOAD = ["transformers.models.llama.modeling_llama", "transformers.generation.utils", __name__]


class Questions(NamedTuple):
    """Prompts as ids, ids that end an answer, and the most tokens of one."""

    prompts: list[list[int]]
    ends: list[int]
    most: int


def asked(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], *, chat: bool, most: int
) -> Questions:
    """The prompts as training showed them to the model (:func:`kensho.train.samples.texts`)."""
    ids = [encode(tokenizer, texts(tokenizer, one, "", chat=chat)[0]) for one in prompts]
    ends = {tokenizer.eos_token_id}
    if chat and (mark := turn_end(tokenizer)):
        ends.add(tokenizer.convert_tokens_to_ids(mark))
    return Questions(ids, sorted(one for one in ends if one is not None), most)


@torch.inference_mode()
def by_transformers(folder: Path, questions: Questions, threads: int) -> dict:
    """Answers as :func:`kensho.domain.llama_cpp.answered` gives them; in a process of its own."""
    torch.set_num_threads(threads)
    before = 0 if torch.cuda.is_available() else resident_bytes()
    model = weights(folder, compute_dtype("auto")).eval()
    decode_plainly(model)
    gc.collect()
    reset_peak()
    tokens, seconds = [], []
    for prompt in [questions.prompts[0], *questions.prompts]:
        ids = torch.tensor([prompt], device=model.device)
        began = _now()
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=questions.most,
            do_sample=False,
            eos_token_id=questions.ends,
            pad_token_id=questions.ends[0],
        )
        seconds.append(_now() - began)
        answer = whole[0, len(prompt) :].tolist()
        tokens.append(answer[:-1] if answer[-1:] and answer[-1] in questions.ends else answer)
    peak = peak_bytes() - before
    return {"tokens": tokens[1:], "seconds": seconds[1:], "peak_memory_bytes": peak}


def by_llama_cpp(file: Path, questions: Questions, threads: int) -> dict:
    """The same by llama.cpp; ``refused`` says why where it cannot."""
    python = str(quantise.HERE / "bin/python")
    own = {"file": str(file), **questions._asdict(), "threads": threads}
    try:
        return llama_cpp.run(python, own)
    except ValueError as error:
        return {"refused": str(error)}


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
