"""F-7: held-out likelihood by the rank of LoRA, on a standard task and on a complex one.

The standard task is translation of everyday sentences; the complex one is writing the next turns of
a dialogue between people with personas. All ranks of a seed learn the same samples in the same
order, with alpha twice the rank.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.bench import dialogues, learning
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import RANKS
from kensho.data.corpus import read_table
from kensho.models import reference
from kensho.models.reference import Base
from kensho.train.likelihood import nll_per_character

if TYPE_CHECKING:
    from kensho.bench.settings import Ranks as Settings
    from kensho.bench.settings import RanksDialogue


def after(
    experiment: str,
    base: Base,
    train: pd.DataFrame,
    test: pd.DataFrame,
    arm: str,
    settings: Settings,
    run: Run,
    seed: int,
) -> dict[str, float]:
    """Likelihood of held-out completions after learning samples at a rank."""
    plan = learning.training(settings, f"{experiment} {arm}", seed, rank=RANKS[arm])
    learner = learning.learn(learning.begin(base), train, plan, run.folder / "training")
    trained = sum(p.numel() for p in learner.model.parameters() if p.requires_grad)
    return {
        "nll_per_character": nll_per_character(*learner, test),
        "trainable_parameters": trained,
    }


def _observed(
    experiment: str,
    base: Base,
    train: pd.DataFrame,
    test: pd.DataFrame,
    inputs: Inputs,
    settings: Settings,
    run: Run,
) -> pd.DataFrame:
    arms = {arm: partial(after, experiment, base, train, test, arm, settings, run) for arm in RANKS}
    return learning.observe(experiment, arms, learning.by_seed(settings), inputs, run)


def standard(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All ranks on translation from English to Japanese."""
    base, name = reference.base(inputs["model"]), "ranks"
    train, test = (learning.translations(read_table(inputs[side])) for side in ("train", "test"))
    table = _observed(name, base, train, test.head(settings.items), inputs, settings, run)
    seen = settings.steps * settings.batch_size
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], settings.items)}
    deviations = [
        f"{base.name}, translation of everyday sentences and likelihood stand for what the claim "
        "leaves unnamed: model, standard task and score"
    ]
    return [(table, learning.conditions(base, used, settings, run, deviations))]


def dialogue(inputs: Inputs, settings: RanksDialogue, run: Run) -> Observed:
    """All ranks on the next turns of dialogues; dialogues that are learnt are not asked."""
    base, name = reference.base(inputs["model"]), "ranks_dialogue"
    turns, source = dialogues.read(inputs["dialogues"])
    samples = dialogues.continuations(turns, settings.turns, settings.max_characters)
    order = np.random.default_rng(run.seed).permutation(samples["dialogue"].unique())
    held = samples["dialogue"].isin(order[: len(order) // 5])
    test = samples[held].head(settings.items)
    table = _observed(name, base, samples[~held], test, inputs, settings, run)
    deviations = [
        f"{base.name}, the next turn of dialogues ({source['name']}) and likelihood stand for what "
        "the claim leaves unnamed: model, complex generation and score"
    ]
    made = learning.conditions(base, {}, settings, run, deviations)
    seen = min(settings.steps * settings.batch_size, int((~held).sum()))
    made["ran"]["data"] = [
        {"name": "dialogues that are learnt", "items": seen, "of": int((~held).sum())},
        {"name": "dialogues that are asked", "items": len(test), "of": int(held.sum())},
    ]
    return [(table, made | {"datasets": {source["name"]: source}})]
