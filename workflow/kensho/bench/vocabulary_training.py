"""F-8 and R-2: does an expanded vocabulary still predict Japanese, before and after equal training?

New embeddings start as means of old ones and cost likelihood until training has moved them. Base
and expanded model go through the same continual pre-training (:mod:`kensho.train.cpt`, all
weights): the same sentences in the same order. Likelihood is given per character, since tokens
differ. A block is a seed: a fresh process for each arm.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from kensho.bench.blocks import interleaved, observed
from kensho.bench.learning import planned, whole
from kensho.bench.run import Inputs, Observed, Run
from kensho.data import corpus
from kensho.data.corpus import read_table
from kensho.evaluate.translations import chrf
from kensho.models import reference
from kensho.models.encoding import start
from kensho.models.loading import PRELOAD, compute_dtype, load
from kensho.models.reference import Reference
from kensho.train.cpt import stage
from kensho.train.loop import summed_loss
from kensho.train.samples import IGNORED
from kensho.train.sft import asked

if TYPE_CHECKING:
    from kensho.bench.settings import VocabularyTraining as Settings

EXPERIMENT = "vocabulary_training"
UNITS = {
    "nll_per_character_before": "nat/character",
    "nll_per_character": "nat/character",
    "perplexity_per_character_before": "perplexity",
    "perplexity_per_character": "perplexity",
    "chrf": "points",
    "training_tokens": "tokens",
    "training_seconds": "s",
}


ARMS = ("base", "expanded")


def observe(inputs: Inputs, dtype: torch.dtype, settings: Settings, run: Run) -> pd.DataFrame:
    """Observation table of the models of ``inputs`` by arm, beside tables train and test (en, ja).

    Metrics: ``nll_per_character_before`` and, after training, ``nll_per_character`` of held-out
    Japanese sentences, both also as perplexity (exp); ``chrf`` of translations after training;
    ``training_tokens`` and ``training_seconds`` of all steps. Raises ValueError where the arms of a
    seed learn different sentences.
    """
    results = []
    for block, seed in enumerate(settings.seeds):
        seeded = run._replace(seed=seed)
        runs = {arm: partial(run_arm, arm, inputs, dtype, settings, seeded) for arm in ARMS}
        made = interleaved(runs, 1, seeded, first=block, preload=[*PRELOAD, __name__])
        if len({one["sentences_sha256"] for one in made}) > 1:
            raise ValueError(
                f"bench.{EXPERIMENT}.max_length: a sentence is longer in tokens, so that base and "
                "expanded model learn different sentences; raise max_length"
            )
        results += made
    return observed(EXPERIMENT, results, UNITS)


def run_arm(arm: str, inputs: Inputs, dtype: torch.dtype, settings: Settings, run: Run) -> dict:
    """One process: score held-out sentences, train, score them again, and translate some."""
    torch.set_num_threads(run.threads)
    base, test = reference.base(inputs[arm]), read_table(inputs["test"])
    held_out = test.head(settings.items)
    model, tokenizer = load(base.folder, dtype)
    before = nll_per_character(model, tokenizer, held_out["ja"])
    del model
    scratch = run.folder / "training"  # one run at a time; what a killed one left goes first
    shutil.rmtree(scratch, ignore_errors=True)
    plan = planned(f"{EXPERIMENT} {arm} seed {run.seed}", settings, run.seed, dtype=dtype)
    training = whole(plan, settings.learning_rate)
    output, checkpoints = scratch / "model", scratch / "checkpoints"
    samples = read_table(inputs["train"])
    table, measured = stage(Reference.of_base(base), samples, output, checkpoints, training)
    model, tokenizer = load(output, dtype)
    after = nll_per_character(model, tokenizer, held_out["ja"])
    translations = asked(test.head(settings.translated))
    shutil.rmtree(scratch)
    return {
        "nll_per_character_before": before,
        "nll_per_character": after,
        "perplexity_per_character_before": math.exp(before),
        "perplexity_per_character": math.exp(after),
        "chrf": chrf(model, tokenizer, translations, settings.max_new_tokens),
        "training_tokens": int(table["tokens"].sum()),
        "training_seconds": float(table["seconds"].sum()),
        "sentences_sha256": measured.samples_in_order_sha256,
    }


@torch.inference_mode()
def nll_per_character(model: Any, tokenizer: Any, sentences: Iterable[str]) -> float:
    """Negative log-likelihood (nat) of sentences by characters.

    Each stands behind the start token, since a first token that is not scored would be several
    characters of one vocabulary and a part of one of another.
    """
    total, characters = 0.0, 0
    for text in sentences:
        own = tokenizer(text, add_special_tokens=False)["input_ids"]
        rows = [[start(tokenizer), *own], [IGNORED, *own]]
        ids, labels = (torch.tensor([row], device=model.device) for row in rows)
        total, characters = total + summed_loss(model, ids, labels).item(), characters + len(text)
    return total / characters


def conditions(inputs: Inputs, dtype: torch.dtype, settings: Settings, run: Run) -> dict:
    """What was run; a few steps of a small model stand for continual pre-training."""
    models = {arm: reference.base(inputs[arm]) for arm in ARMS}
    tested = max(settings.items, settings.translated)
    used = {"train": settings.steps * settings.batch_size, "test": tested}
    return {
        "ran": {
            "models": [model.ran() for model in models.values()],
            "data": [corpus.ran(inputs[name], items) for name, items in used.items()],
        },
        "dtype": str(dtype).removeprefix("torch."),
        "own": {
            "steps": settings.steps,
            "batch_size": settings.batch_size,
            "max_length": settings.max_length,
            "learning_rate": settings.learning_rate,
            **models["expanded"].made,
        },
        "items": settings.items,
        "seeds": list(settings.seeds),
        "threads": run.threads,
        "warmup": "none: likelihoods do not depend on time; training_seconds holds every step",
        "fallbacks": [],
        "deviations": [
            f"{models['base'].name} stands for Llama-2-7b, sentences of the corpus for 100 billion "
            "tokens of web text; equal steps see equal sentences, of which the expanded model "
            "makes fewer tokens",
            "translation into Japanese stands for the downstream tasks that are not named (chrF)",
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both arms, before and after training."""
    dtype = compute_dtype("auto")
    table = observe(inputs, dtype, settings, run)
    return [(table, conditions(inputs, dtype, settings, run))]
