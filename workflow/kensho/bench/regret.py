"""What the strategy's choice costs against the best of a grid, and its memory against its plan.

The strategy (:mod:`kensho.train.strategy`) analyses base, corpus and device and chooses.
The grid is LoRA of several ranks and learning rates, otherwise trained as the choice is: equal
samples, each seen once. Its best cell is the one with the highest likelihood of sentences that are
not judged on, since the best of many is best by chance too.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import torch

from kensho.bench import learning
from kensho.bench.blocks import interleaved
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import REGRET
from kensho.data.corpus import read_table
from kensho.models import reference
from kensho.models.cards import Card, of_model
from kensho.models.loading import compute_dtype
from kensho.observations import Row
from kensho.part import resolve
from kensho.train import step, strategy
from kensho.train.analysis import analyse
from kensho.train.catalogue import METHODS
from kensho.train.likelihood import nll_per_character
from kensho.train.plan import TARGETS, Step
from kensho.train.run import Training
from kensho.train.schedule import Diverged
from kensho.train.sft import asked
from kensho.train.strategy import Analysis, Decision

if TYPE_CHECKING:
    from kensho.bench.study_settings import Regret as Settings

EXPERIMENT = "regret"
PROCESSES = 3
PRELOAD = ["kensho.train.step", "peft"]


class Corpus(NamedTuple):
    """Samples to learn, those that select the best cell, and those that judge."""

    train: pd.DataFrame
    selecting: pd.DataFrame
    judging: pd.DataFrame


def steps_of(decision: Decision, samples: int) -> int:
    """Steps of the choice's width that see so many samples, two at least."""
    return max(2, -(-samples // (decision.stage["batch_size"] * decision.stage["accumulation"])))


def after(
    corpus: Corpus, decision: Decision, study: Study, arm: str, seed: int
) -> dict[str, float]:
    """Likelihood of the judging samples after the choice's training, or that of the best cell."""
    own, settings = decision.stage, study.settings
    cells = list(product(settings.ranks, settings.learning_rates))
    if arm == "chosen":
        cells = [(own["method"]["rank"], own["learning_rate"])]
    steps = steps_of(decision, settings.samples)
    scored, diverged = [], []
    for rank, rate in cells:
        plan = Training(
            name=f"{EXPERIMENT} {arm} rank {rank} rate {rate:g} seed {seed}",
            method=resolve(METHODS[own["method"]["name"]].code),
            rank=rank,
            targets=own["method"]["targets"],
            learning_rate=rate,
            steps=steps,
            batch_size=own["batch_size"],
            accumulation=own["accumulation"],
            checkpointing=own["checkpointing"],
            max_length=settings.max_length,
            checkpoint_every=steps,
            dtype=compute_dtype("auto"),
            seed=seed,
        )
        parts = (corpus.selecting, corpus.judging)
        try:
            learner = learning.learn(study, corpus.train, plan)
            scored.append((*(nll_per_character(*learner, part) for part in parts), rank, rate))
        except Diverged as error:  # no candidate for the best
            diverged.append(error)
    if not scored:
        raise diverged[0]
    _, nll, best_rank, best_rate = min(scored)
    return {
        "nll_per_character": nll,
        "rank": best_rank,
        "learning_rate": best_rate,
        "diverged_cells": len(diverged),
    }


def memory(card: Card, decision: Decision, analysis: Analysis, run: Run) -> list[Row]:
    """Planned and measured peak of a step as chosen, each in a process of its own (a block)."""
    own = decision.stage
    named = own["method"]["targets"]
    targets = next(key for key, names in TARGETS.items() if {*named} <= {*names})
    shape = Step(
        resolve(METHODS[own["method"]["name"]].code),
        *(analysis.dtype, own["batch_size"], decision.max_length, own["method"]["rank"], targets),
        checkpointing=own["checkpointing"],
    )
    work = partial(step.run, card, shape, run.threads, watched=False)
    return [
        Row(EXPERIMENT, "chosen", f"process-{place}", 0, name, float(peak), "bytes")
        for place, one in enumerate(interleaved({"chosen": work}, PROCESSES, run, preload=PRELOAD))
        for name, peak in (
            ("planned_peak_bytes", decision.peak_bytes),
            ("peak_bytes", one["peak_bytes"]),
        )
    ]


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """The choice and the best cell by seed, and the choice's memory."""
    base = reference.base(inputs["model"])
    card = of_model(base.folder, base.name)
    strategy.require_planned(card, f"bench.{EXPERIMENT}.model")
    pairs = read_table(inputs["train"])
    test = read_table(inputs["test"]).head(2 * settings.items)
    torch.set_num_threads(run.threads)
    analysis = analyse(base, pairs, test, settings.items, compute_dtype("auto"))
    tables = strategy.read(Path(inputs["tables"]))
    decision = strategy.decide(analysis, card, settings.task, tables)
    held = asked(test)
    corpus = Corpus(asked(pairs), held.iloc[1::2], held.iloc[::2])
    # a choice follows from the machine, and a killed job may go on on another
    run = run._replace(identity=[*run.identity, decision.stage])
    study = Study(EXPERIMENT, base, pairs, test, settings, run)
    observed = learning.observe(study, partial(after, corpus, decision), REGRET, inputs)
    width = decision.stage["batch_size"] * decision.stage["accumulation"]
    seen = steps_of(decision, settings.samples) * width
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], len(test))}
    deviations = [
        f"{seen:,} samples stand for a corpus; the strategy's table is of sources that "
        "trained on more, at lower rates"
    ]
    made = learning.conditions(study, used, deviations)
    made["own"] |= {
        "chosen": decision.stage,
        "analysis": {key: value for key, value in vars(analysis).items()},
    }
    return learning.by_arm(observed, made, memory(card, decision, analysis, run))
