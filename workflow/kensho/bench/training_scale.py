"""C-1: held-out likelihood after training on one to five units of samples, each seen equally often.

A dose is a number of samples in units of ``bench.training_scale.unit``: 1,000 where the claim's own
sizes are trained. Within a seed a smaller dose is the beginning of a larger one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kensho.bench import learning
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import DOSES
from kensho.train.likelihood import nll_per_character
from kensho.train.sft import asked

if TYPE_CHECKING:
    from kensho.bench.study_settings import TrainingScale as Settings

EXPERIMENT = "training_scale"
CLAIMED = 1000  # samples of a unit in the source


def after(study: Study, arm: str, seed: int) -> dict[str, float]:
    """Likelihood of held-out translations after the units of the seed's samples that the arm is."""
    settings, count = study.settings, DOSES[arm] * study.settings.unit
    order = np.random.default_rng(seed).permutation(len(study.train))[:count]
    steps = -(-count * settings.epochs // settings.batch_size)
    plan = learning.training(study, arm, seed, steps=steps)
    samples = asked(study.train.iloc[order])
    learner = learning.learn(study, samples, plan)
    nll = nll_per_character(*learner, asked(study.test))
    return {"nll_per_character": nll, "log_likelihood_per_character": -nll, "samples": count}


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All doses. Raises ValueError where the corpus holds fewer samples than the largest."""
    study = learning.of_corpus(EXPERIMENT, inputs, settings, run)
    largest = max(DOSES.values()) * settings.unit
    if largest > len(study.train):
        raise ValueError(
            f"bench.{EXPERIMENT}.unit: {largest:,} samples, but the corpus has "
            f"{len(study.train):,}; raise data.train"
        )
    observed = learning.observe(study, after, DOSES, inputs)
    used = {"train": (inputs["train"], largest), "test": (inputs["test"], settings.items)}
    smaller = (
        [f"a dose is {settings.unit:,} samples where the source's is {CLAIMED:,}"]
        if settings.unit != CLAIMED
        else []
    )
    deviations = [
        f"{study.base.name} and everyday translations stand for the source's models and domain",
        f"every sample is seen {settings.epochs} times; the source's number of epochs is not known",
        *smaller,
    ]
    made = learning.conditions(study, used, deviations)
    made["ran"]["stand_ins"] = [deviations[0], *smaller]
    return learning.by_arm(observed, made)
