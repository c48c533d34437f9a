"""R-8: scoring held-out sentences plainly and in analysis mode, with the same answers.

The stage gives the negative log-likelihood of every translation under its prompt. The plain form
sends one sentence after the other through the model and takes the logits of every position. The
analysis mode sorts by length, fills batches of about equal numbers of tokens, and computes logits
only where a translation stands.
"""

from __future__ import annotations

import json
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch.nn.functional import log_softmax

from kensho.bench.quick_mode import timed_forms
from kensho.bench.run import Inputs, Observed, Run
from kensho.data.corpus import read_table
from kensho.data.prompt import completion, prompt
from kensho.files import write_json
from kensho.models import reference
from kensho.models.loading import device, load
from kensho.models.reference import Base

if TYPE_CHECKING:
    from kensho.bench.settings import AnalysisMode as Settings

EXPERIMENT = "analysis_mode"
BATCH_TOKENS = 512  # per batch, padding included

Sequences = list[tuple[list[int], list[int]]]  # prompt and translation of each sentence


def encode(tokenizer, sentences: list[dict]) -> Sequences:
    """Token ids of prompt and translation; each sentence is a mapping with ``en`` and ``ja``."""

    def ids(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    return [(ids(prompt(s["en"])), ids(completion(s["ja"]))) for s in sentences]


@torch.inference_mode()
def score_plain(model, sequences: Sequences) -> list[float]:
    """Log-likelihood of each translation, one sentence after the other."""
    scores = []
    for context, target in sequences:
        ids = torch.tensor([context + target], device=model.device)
        logits = model(ids).logits[0]
        steps = log_softmax(logits[len(context) - 1 : -1].float(), dim=-1)
        scores.append(float(steps.gather(1, ids[0, len(context) :, None]).sum()))
    return scores


def batches(lengths: list[int], tokens: int = BATCH_TOKENS) -> list[list[int]]:
    """Positions grouped by similar length so that length times count stays within ``tokens``."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    cuts, start = [0], 0
    for end, position in enumerate(order):
        if end > start and lengths[position] * (end - start + 1) > tokens:
            cuts.append(end)
            start = end
    return [order[a:b] for a, b in pairwise([*cuts, len(order)])]


@torch.inference_mode()
def score_analysis(model, sequences: Sequences) -> list[float]:
    """The same log-likelihoods from padded batches, with logits at the translations alone."""
    scores = [0.0] * len(sequences)
    for batch in batches([len(context) + len(target) for context, target in sequences]):
        longest = max(len(sequences[i][0]) + len(sequences[i][1]) for i in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long, device=model.device)
        rows: list[int] = []
        columns: list[int] = []
        targets: list[int] = []
        for row, i in enumerate(batch):
            context, target = sequences[i]
            ids[row, : len(context) + len(target)] = torch.tensor(context + target)
            rows += [row] * len(target)
            columns += range(len(context) - 1, len(context) + len(target) - 1)
            targets += target
        # padding stands behind every sentence, where causal attention does not look
        hidden = model.base_model(ids).last_hidden_state[rows, columns]
        steps = log_softmax(model.get_output_embeddings()(hidden).float(), dim=-1)
        picked = steps.gather(1, torch.tensor(targets, device=model.device)[:, None])[:, 0].cpu()
        sums = torch.zeros(len(batch)).index_add_(0, torch.tensor(rows), picked)
        for i, value in zip(batch, sums.tolist(), strict=True):
            scores[i] = value
    return scores


FORMS = {"plain": score_plain, "analysis": score_analysis}


def observe(model: Path, work: Path, blocks: int, run: Run) -> pd.DataFrame:
    """Observation table: metric ``wall_seconds`` of each form and block (see quick_mode).

    ``work`` is a JSON list of sentences with ``en`` and ``ja``.
    """
    runs = {form: partial(run_form, form, model, work, run.threads) for form in FORMS}
    return timed_forms(EXPERIMENT, runs, blocks, run)


def run_form(form: str, model: Path, work: Path, threads: int) -> dict:
    """One process: load, one unrecorded sentence, then the timed work."""
    torch.set_num_threads(threads)
    loaded, tokenizer = load(model, torch.float32)
    sequences = encode(tokenizer, json.loads(work.read_text(encoding="utf-8")))
    began = time.perf_counter()
    score_plain(loaded, sequences[:1])
    if device() == "cuda":  # kernels are chosen and loaded at the first call of a shape
        FORMS[form](loaded, sequences)
    warm = time.perf_counter()
    scores = FORMS[form](loaded, sequences)
    seconds = {"warmup_seconds": warm - began, "wall_seconds": time.perf_counter() - warm}
    return {**seconds, "scores": [[score] for score in scores]}


def conditions(model: Base, work: list[dict], blocks: int, run: Run) -> dict:
    """What was run; the original's conditions are unknown."""
    return {
        "ran": {"models": [model.ran()]},
        "device": device(),
        "dtype": "float32",
        "batch": {"plain": "1 sentence", "analysis": f"{BATCH_TOKENS} tokens"},
        "items": len(work),
        **run.timing(blocks),
        "warmup": "one sentence per process, on an accelerator the whole work once; recorded "
        "apart, loading is not timed",
        "fallbacks": [],
        "deviations": [
            "the source does not say what its analysis mode ran, on which length, batch, precision "
            f"and devices; here it is the scoring of held-out sentences by {model.name}"
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both arms, on held-out sentences."""
    drawn = read_table(inputs["test"]).sample(settings.items, random_state=run.seed)
    work, path = drawn[["en", "ja"]].to_dict("records"), run.folder / "work.json"
    write_json(path, work)
    model = reference.base(inputs["model"])
    table = observe(model.folder, path, settings.blocks, run)
    return [(table, conditions(model, work, settings.blocks, run))]
