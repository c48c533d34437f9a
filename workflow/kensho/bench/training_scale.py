"""C-1: held-out likelihood after training on one to five units of samples, each seen equally often.

A dose is a number of samples in units of ``bench.training_scale.unit``: 1,000 where the claim's own
sizes are trained. Within a seed a smaller dose is the beginning of a larger one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.bench import learning
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import DOSES
from kensho.data.corpus import read_table
from kensho.models import reference
from kensho.models.reference import Base
from kensho.train.likelihood import nll_per_character

if TYPE_CHECKING:
    from kensho.bench.settings import TrainingScale as Settings

EXPERIMENT = "training_scale"
CLAIMED = 1000  # samples of a unit in the source


def after(
    base: Base,
    pool: pd.DataFrame,
    test: pd.DataFrame,
    arm: str,
    settings: Settings,
    run: Run,
    seed: int,
) -> dict[str, float]:
    """Likelihood of held-out translations after the units of the seed's samples that the arm is."""
    count = DOSES[arm] * settings.unit
    order = np.random.default_rng(seed).permutation(len(pool))[:count]
    steps = -(-count * settings.epochs // settings.batch_size)
    plan = learning.training(settings, f"{EXPERIMENT} {arm}", seed, steps=steps)
    samples = learning.translations(pool.iloc[order])
    learner = learning.learn(learning.begin(base), samples, plan, run.folder / "training")
    nll = nll_per_character(*learner, learning.translations(test))
    return {"nll_per_character": nll, "log_likelihood_per_character": -nll, "samples": count}


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All doses. Raises ValueError where the corpus holds fewer samples than the largest."""
    base, pool = reference.base(inputs["model"]), read_table(inputs["train"])
    test = read_table(inputs["test"]).head(settings.items)
    largest = max(DOSES.values()) * settings.unit
    if largest > len(pool):
        raise ValueError(
            f"bench.{EXPERIMENT}.unit: {largest:,} samples, but the corpus has {len(pool):,}; "
            "raise data.train"
        )
    arms = {arm: partial(after, base, pool, test, arm, settings, run) for arm in DOSES}
    observed = learning.observe(EXPERIMENT, arms, learning.by_seed(settings), inputs, run)
    used = {"train": (inputs["train"], largest), "test": (inputs["test"], settings.items)}
    smaller = (
        [f"a dose is {settings.unit:,} samples where the source's is {CLAIMED:,}"]
        if settings.unit != CLAIMED
        else []
    )
    deviations = [
        f"{base.name} and everyday translations stand for the source's models and domain",
        f"every sample is seen {settings.epochs} times; the source's number of epochs is not known",
        *smaller,
    ]
    made = learning.conditions(base, used, settings, run, deviations)
    made["ran"]["stand_ins"] = [deviations[0], *smaller]
    return [(observed, made)]
