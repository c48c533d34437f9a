"""F-4: what augmentation gains for a language model that learns from few sentence pairs.

Each seed draws originals, adds to them by each arm (`kensho.augment.study.arms`), and trains a LoRA
adapter with equal steps and rows; the likelihood of held-out sentences and chrF of translations are
compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import torch

from kensho.augment import study
from kensho.bench.learning import planned
from kensho.bench.run import Inputs, Observed, Run
from kensho.data import corpus
from kensho.evaluate.translations import chrf
from kensho.models import reference
from kensho.models.loading import compute_dtype, load
from kensho.models.reference import Base, Reference
from kensho.observations import Row, table
from kensho.train.likelihood import nll_per_character
from kensho.train.sft import asked, stage

if TYPE_CHECKING:
    from kensho.bench.study_settings import AugmentationTraining as Settings

EXPERIMENT = "augmentation_training"
REGISTERED = 100  # originals of which claims read the metrics
UNITS = {"nll_per_character": "nat/character", "chrf": "points", "variants": "samples"}


def observe(
    base: Base,
    items: pd.DataFrame,
    variants: Mapping[str, pd.DataFrame],
    dtype: torch.dtype,
    settings: Settings,
    run: Run,
) -> pd.DataFrame:
    """Metrics ``nll_per_character``, ``chrf`` and ``variants`` (rows that are some) by size.

    ``items`` are those of :func:`kensho.augment.study.pairs`.

    Raises ValueError, before any training, where the pool is too small for an arm of the settings.
    """
    rows, pool = [], study.pool(items)
    for size in settings.sizes:
        taken = size * (1 + settings.added) if "more-data" in settings.arms else size
        if taken > len(pool):
            raise ValueError(
                f"bench.{EXPERIMENT}.sizes: {size} originals take {taken} samples in all its arms, "
                f"but the pool has {len(pool)}; raise its pool and data.train, or lower the sizes"
            )
    test = items[items["fold"] >= 0].rename(columns={"first": "ja"})
    for seed in settings.seeds:
        for size in settings.sizes:
            drawn = study.draw(pool, size, settings.added, seed=run.seed, replicate=seed)
            assert drawn is not None
            for arm, train, new in study.arms(drawn, variants):
                if arm not in settings.arms:
                    continue
                values = learnt(base, train, test, dtype, settings, seed, run) | {"variants": new}
                rows += [
                    Row(EXPERIMENT, arm, f"seed-{seed}", 0, f"{name}.n{size}", value, UNITS[name])
                    for name, value in values.items()
                ]
    return table(rows)


def learnt(
    base: Base,
    train: pd.DataFrame,
    test: pd.DataFrame,
    dtype: torch.dtype,
    settings: Settings,
    seed: int,
    run: Run,
) -> dict[str, float]:
    """Train an adapter on the rows of an arm: what it has learnt, by metric."""
    scratch = run.folder / "training"
    training = planned(f"{EXPERIMENT} seed {seed}", settings, seed, dtype=dtype)
    samples = train.rename(columns={"first": "ja"})[["ja", "en"]]
    stage(Reference.of_base(base), samples, scratch / "model", scratch / "checkpoints", training)
    model, tokenizer = load(base.folder, dtype, scratch / "model")
    samples = asked(test)
    values = {
        "nll_per_character": nll_per_character(model, tokenizer, samples),
        "chrf": chrf(model, tokenizer, samples.head(settings.translated), settings.max_new_tokens),
    }
    shutil.rmtree(scratch)
    return values


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms of the settings, on sentence pairs."""
    torch.set_num_threads(run.threads)
    dtype, base = compute_dtype("auto"), reference.base(inputs["model"])
    items = study.read_items(inputs["splits"])
    asked = [reference.base(path) for path in inputs["asked"]]
    variants, outcomes = study.read_variants(
        inputs["variants"], items, inputs.get("guard"), seed=run.seed
    )
    if "pivot" in settings.arms:  # what people wrote: no part of what techniques make together
        variants["pivot"], counts = study.pivoted(
            items, corpus.read_table(inputs["attested_pairs"]), settings.added, seed=run.seed
        )
        outcomes["pivot"] = counts
    observed = observe(base, items, variants, dtype, settings, run)
    tested = int((items["fold"] >= 0).sum())
    conditions = {
        "ran": {
            "models": [model.ran() for model in (base, *asked)],
            "data": [corpus.ran(inputs["test"], tested)],
        },
        "dtype": str(dtype).removeprefix("torch."),
        "own": {"outcomes": outcomes, **vars(settings)},
        "items": tested,
        "models": {model.name: model.described() for model in (base, *asked)},
        "seeds": list(settings.seeds),
        "threads": run.threads,
        "warmup": "none: likelihoods do not depend on time",
        "absent": {
            f"{metric}.n{size}": f"{size} originals are none of bench.{EXPERIMENT}.sizes"
            for size in {REGISTERED} - {*settings.sizes}
            for metric in ("nll_per_character", "chrf")
        },
        "fallbacks": [],
        "deviations": [
            f"{base.name}, sentence pairs, likelihood and chrF stand for what the claim leaves "
            "unnamed: model, task and metric",
            f"every arm has {settings.steps} steps of {settings.batch_size} rows",
            *study.yields(items, variants),
        ],
    }
    return [(observed, conditions)]
