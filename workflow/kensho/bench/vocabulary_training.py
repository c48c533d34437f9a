"""F-8 and R-2: does an expanded vocabulary still predict Japanese, before and after equal training?

New embeddings start as means of old ones and cost likelihood until training has moved them. Base
and expanded model are fully fine-tuned on the same samples in the same order; likelihood is given
per character, since tokens differ. A block is a seed: a fresh process for each arm.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Inputs, Observed, Run, Settings
from kensho.data.corpus import read_table
from kensho.data.prompt import completion, prompt
from kensho.files import read_json
from kensho.models.loading import PRELOAD, compute_dtype, load
from kensho.models.reference import Reference
from kensho.train.methods import full
from kensho.train.run import Training
from kensho.train.sft import stage

EXPERIMENT = "vocabulary_training"
UNITS = {
    "nll_per_character_before": "nat/character",
    "nll_per_character": "nat/character",
    "perplexity_per_character_before": "perplexity",
    "perplexity_per_character": "perplexity",
    "training_tokens": "tokens",
    "training_seconds": "s",
}


def observe(
    folders: Mapping[str, Path],
    samples: Path,
    held_out: Path,
    *,
    work: Path,
    seeds: Sequence[int],
    threads: int,
    **schedule,
) -> pd.DataFrame:
    """Observation table of the models by arm; ``samples`` and ``held_out`` are CSV (id, en, ja).

    ``schedule`` is what :func:`run_arm` takes beside them; ``work`` holds checkpoints meanwhile.
    Metrics: ``nll_per_character_before`` and, after training, ``nll_per_character`` of held-out
    translations, both also as perplexity (exp); ``training_tokens`` and ``training_seconds`` of
    all steps.
    """
    results = []
    preload = [*PRELOAD, __name__]
    for block, seed in enumerate(seeds):
        given = {"work": work, "seed": seed, "threads": threads, **schedule}
        runs = {
            arm: partial(run_arm, arm, path, samples, held_out, **given)
            for arm, path in folders.items()
        }
        for result in interleaved(runs, blocks=1, seed=seed, threads=threads, preload=preload):
            results.append({**result, "block": block})
    return observed(EXPERIMENT, results, UNITS)


def run_arm(
    arm: str,
    folder: Path,
    samples: Path,
    held_out: Path,
    *,
    work: Path,
    seed: int,
    threads: int,
    dtype: torch.dtype,
    items: int,
    steps: int,
    batch_size: int,
    max_length: int,
    learning_rate: float,
) -> dict:
    """One process: score ``items`` held-out pairs, train, score them again."""
    torch.set_num_threads(threads)
    pairs = read_table(held_out).head(items)
    before = nll_per_character(folder, dtype, pairs)
    scratch = work / "training"  # one run at a time; what a killed one left goes first
    shutil.rmtree(scratch, ignore_errors=True)
    training = Training(
        name=f"{EXPERIMENT} {arm} seed {seed}",
        method=full.METHOD,
        learning_rate=learning_rate,
        steps=steps,
        batch_size=batch_size,
        max_length=max_length,
        checkpoint_every=steps + 1,  # none: the run is short
        dtype=dtype,
        seed=seed,
    )
    output, checkpoints = scratch / "model", scratch / "checkpoints"
    table, _ = stage(Reference.of(folder), read_table(samples), output, checkpoints, training)
    after = nll_per_character(scratch / "model", dtype, pairs)
    shutil.rmtree(scratch)
    return {
        "nll_per_character_before": before,
        "nll_per_character": after,
        "perplexity_per_character_before": math.exp(before),
        "perplexity_per_character": math.exp(after),
        "training_tokens": int(table["tokens"].sum()),
        "training_seconds": float(table["seconds"].sum()),
    }


@torch.inference_mode()
def nll_per_character(folder: Path, dtype: torch.dtype, pairs: pd.DataFrame) -> float:
    """Negative log-likelihood (nat) of the Japanese sides under their prompts, by characters."""
    model, tokenizer = load(folder, dtype)
    total = 0.0
    for english, japanese in zip(pairs["en"], pairs["ja"], strict=True):
        context, target = (
            tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (prompt(english), completion(japanese))
        )
        ids = torch.tensor([context + target], device=model.device)
        logits = model(ids, logits_to_keep=len(target) + 1).logits[0, :-1].float()
        total += float(cross_entropy(logits, ids[0, len(context) :], reduction="sum"))
    return total / int(pairs["ja"].str.len().sum())


def conditions(*, dtype: torch.dtype, seeds: Sequence[int], threads: int, **schedule) -> dict:
    """What was run; a few steps of a small model stand for continual pre-training: ``reduced``."""
    return {
        "tier": "reduced",
        "dtype": str(dtype).removeprefix("torch."),
        "own": schedule,
        "seeds": list(seeds),
        "threads": threads,
        "warmup": "none: likelihoods do not depend on time; training_seconds holds every step",
        "fallbacks": [],
        "deviations": [
            "SmolLM2-135M stands for Llama-2-7b, translation pairs for 100 billion tokens of web "
            "text; equal steps see equal samples, of which the expanded model makes fewer tokens",
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both arms, before and after training."""
    trained = {**settings, "dtype": compute_dtype("auto"), "threads": run.threads}
    folders = {arm: inputs[arm] for arm in ("base", "expanded")}
    observed = observe(folders, inputs["train"], inputs["test"], work=run.folder, **trained)
    return [(observed, conditions(**trained, **read_json(inputs["record"])))]
