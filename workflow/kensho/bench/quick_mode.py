"""R-8: one evaluation stage run plainly and in its quick form, with the same answers.

The stage scores multiple-choice items behind a few worked examples. The plain form sends each
choice with its whole prompt through the model, one at a time. The quick form computes the shared
examples once, keeps their keys and values, and scores all choices in one batch behind them, with
logits only where a choice stands.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import log_softmax

from kensho.bench.blocks import Work, interleaved, observed
from kensho.bench.run import Inputs, Observed, Run
from kensho.data.corpus import read_table
from kensho.data.prompt import completion, prompt
from kensho.files import write_json
from kensho.models import reference
from kensho.models.loading import PRELOAD, device, load
from kensho.models.reference import Base

if TYPE_CHECKING:
    from kensho.bench.settings import QuickMode as Settings

EXPERIMENT = "quick_mode"
CHOICES = 4
TOLERANCE = 1e-3  # relative, between the log-likelihoods of the two forms in float32


def make_items(train: pd.DataFrame, test: pd.DataFrame, *, items: int, shots: int, seed: int):
    """Worked examples (one text) and items with prompt, choices and the index of the right one.

    The right choice is the item's translation, the wrong ones are translations of other held-out
    sentences. Columns needed: en, ja.
    """
    rng = np.random.default_rng(seed)
    worked = train.iloc[rng.choice(len(train), shots, replace=False)]
    shared = "".join(
        prompt(en) + completion(ja) + "\n\n"
        for en, ja in zip(worked["en"], worked["ja"], strict=True)
    )
    questions = []
    for index in rng.choice(len(test), items, replace=False):
        wrong = rng.choice(np.delete(np.arange(len(test)), index), CHOICES - 1, replace=False)
        order = rng.permutation(np.append(wrong, index))
        questions.append(
            {
                "prompt": prompt(test["en"].iloc[index]),
                "choices": [completion(test["ja"].iloc[i]) for i in order],
                "answer": int(np.flatnonzero(order == index)[0]),
            }
        )
    return {"shared": shared, "items": questions}


def encode(tokenizer, work: dict) -> tuple[list[int], list[list[tuple[list[int], list[int]]]]]:
    """Token ids of the shared text and, by item and choice, of prompt and choice."""

    def ids(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    items = [[(ids(i["prompt"]), ids(choice)) for choice in i["choices"]] for i in work["items"]]
    return ids(work["shared"]), items


@torch.inference_mode()
def score_plain(model, shared, items) -> list[list[float]]:
    """Log-likelihood of each choice, one whole prompt after the other."""
    scores = []
    for choices in items:
        row = []
        for context, choice in choices:
            ids = torch.tensor([shared + context + choice], device=model.device)
            logits = log_softmax(model(ids).logits[0].float(), dim=-1)
            start = len(shared) + len(context)
            row.append(float(sum(logits[start + k - 1, token] for k, token in enumerate(choice))))
        scores.append(row)
    return scores


@torch.inference_mode()
def score_quick(model, shared, items) -> list[list[float]]:
    """The same log-likelihoods from one pass over the shared text and one batch behind it."""
    flat = [context + choice for choices in items for context, choice in choices]
    begins = [len(context) for choices in items for context, _ in choices]
    longest, count = max(map(len, flat)), len(flat)
    ids = torch.zeros(count, longest, dtype=torch.long, device=model.device)
    seen = torch.zeros(count, len(shared) + longest, dtype=torch.long, device=model.device)
    seen[:, : len(shared)] = 1
    for row, sequence in enumerate(flat):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        seen[row, len(shared) : len(shared) + len(sequence)] = 1
    begun = torch.tensor([shared], device=model.device)
    cache = model(begun, use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(count)
    first = min(begins) - 1  # no logits before the earliest choice
    logits = model(
        ids,
        attention_mask=seen,
        past_key_values=cache,
        logits_to_keep=torch.arange(first, longest, device=model.device),
    ).logits.float()
    scores = []
    for row, (sequence, begin) in enumerate(zip(flat, begins, strict=True)):
        steps = log_softmax(logits[row, begin - 1 - first : len(sequence) - 1 - first], dim=-1)
        chosen = torch.tensor(sequence[begin:], device=model.device)
        scores.append(float(steps.gather(1, chosen[:, None]).sum()))
    return np.array(scores).reshape(len(items), -1).tolist()


FORMS = {"plain": score_plain, "quick": score_quick}


def observe(model: Path, work: Path, blocks: int, run: Run) -> pd.DataFrame:
    """Observation table of both forms, as :func:`timed_forms` gives it."""
    runs = {form: partial(run_form, form, model, work, run.threads) for form in FORMS}
    return timed_forms(EXPERIMENT, runs, blocks, run)


def timed_forms(experiment: str, runs: Mapping[str, Work], blocks: int, run: Run) -> pd.DataFrame:
    """Metrics ``wall_seconds`` and ``warmup_seconds`` of each form and block, fresh process each.

    Each run returns them and ``scores``, log-likelihoods by item and choice. Raises ValueError if
    two forms ever choose differently or their log-likelihoods differ by more than the tolerance:
    a faster form that answers something else is no speed-up.
    """
    results = interleaved(runs, blocks, run, preload=[*PRELOAD, __name__])
    reference = results[0]["scores"]
    for result in results:
        for item, (ours, theirs) in enumerate(zip(result["scores"], reference, strict=True)):
            close = all(
                math.isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(ours, theirs, strict=True)
            )
            if not close or np.argmax(ours) != np.argmax(theirs):
                where = f"arm {result['arm']}, block {result['block']}, item {item}"
                raise ValueError(f"{experiment}: {where}: the two forms give different results")
    return observed(experiment, results, {"wall_seconds": "s", "warmup_seconds": "s"})


def run_form(form: str, model: Path, work: Path, threads: int) -> dict:
    """One process: load, one short unrecorded pass, then the timed work."""
    torch.set_num_threads(threads)
    loaded, tokenizer = load(model, torch.float32)
    shared, items = encode(tokenizer, json.loads(work.read_text(encoding="utf-8")))
    began = time.perf_counter()
    score_plain(loaded, shared[:8], [[(items[0][0][0], items[0][0][1][:2])]])
    if device() == "cuda":  # kernels are chosen and loaded at the first call of a shape
        FORMS[form](loaded, shared, items)
    warm = time.perf_counter()
    scores = FORMS[form](loaded, shared, items)
    seconds = {"warmup_seconds": warm - began, "wall_seconds": time.perf_counter() - warm}
    return {**seconds, "scores": scores}


def conditions(model: Base, work: dict, blocks: int, run: Run) -> dict:
    """What was run; the original's conditions are unknown."""
    return {
        "ran": {"models": [model.ran()]},
        "device": device(),
        "dtype": "float32",
        "batch": {"plain": 1, "quick": CHOICES * len(work["items"])},
        "items": len(work["items"]),
        "own": {"choices": CHOICES},
        **run.timing(blocks),
        "warmup": "one short pass per process, on an accelerator the whole work once; recorded "
        "apart, loading is not timed",
        "fallbacks": [],
        "deviations": [
            "the source does not say what its quick mode ran, on which length, batch, precision "
            f"and devices; here it is the scoring of multiple-choice items by {model.name}"
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both arms, on items drawn from the corpus."""
    train, test = (read_table(inputs[name]) for name in ("train", "test"))
    work = make_items(train, test, items=settings.items, shots=settings.shots, seed=run.seed)
    path = run.folder / "work.json"
    write_json(path, work)
    model = reference.base(inputs["model"])
    table = observe(model.folder, path, settings.blocks, run)
    return [(table, conditions(model, work, settings.blocks, run))]
