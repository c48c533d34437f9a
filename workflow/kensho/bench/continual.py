"""Two tasks one after the other: one adapter for both, a fresh one, or a fresh one over the merged.

Task A translates English to Japanese, task B Japanese to English. ``one``: the adapter of A learns
B. ``merged``: the adapter of A becomes part of the weights and a fresh one learns B. ``fresh``: an
adapter of its own learns B on the base, that of A stays aside and so forgets nothing. ``osf``
(Nayak et al. 2025, arXiv 2504.07097, as PEFT has it): each task learns the lower half of the
weights' singular directions, orthogonal to the upper one, and becomes part of the weights.
Backward transfer (Lopez-Paz and Ranzato 2017, arXiv 1706.08840) is what B changes of A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import torch
from peft import OSFConfig

from kensho.bench import learning
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import CONTINUAL
from kensho.data.corpus import read_table
from kensho.data.prompt import completion, prompt_back
from kensho.models import reference
from kensho.models.reference import Base
from kensho.train.likelihood import nll_per_character
from kensho.train.methods import Method

if TYPE_CHECKING:
    from kensho.bench.settings import Continual as Settings

EXPERIMENT = "continual"


def _subspaces(rank: int, targets: Sequence[str]) -> OSFConfig:
    return OSFConfig(target_modules=list(targets))  # half of each matrix, whatever LoRA's rank


OSF = Method("osf", weights="float32", adapter=_subspaces)


def backwards(pairs: pd.DataFrame) -> pd.DataFrame:
    """Samples of Japanese to English, of columns en and ja."""
    sides = {"prompt": pairs["ja"].map(prompt_back), "completion": pairs["en"].map(completion)}
    return pd.DataFrame(sides)


def after(
    base: Base,
    pairs: pd.DataFrame,
    test: pd.DataFrame,
    arm: str,
    settings: Settings,
    run: Run,
    seed: int,
) -> dict[str, float]:
    """Likelihood of A after A and after B, and of B after B; each task has half of the pairs."""
    half = len(pairs) // 2
    first, second = learning.translations(pairs.iloc[:half]), backwards(pairs.iloc[half:])
    asked, answered = learning.translations(test), backwards(test)
    plan = learning.training(settings, f"{EXPERIMENT} {arm}", seed)
    if arm == "osf":
        own = {"method": OSF, "dtype": torch.float32}  # what is orthogonal stays so to rounding
        plan = replace(plan, learning_rate=settings.osf_learning_rate, **own)
    folder, observed = run.folder / "training", {}
    learner = learning.begin(base, whole=arm == "osf")
    if arm != "fresh":
        learner = learning.learn(learner, first, plan, folder)
    if arm in ("merged", "osf"):
        learner = learner._replace(model=learner.model.merge_and_unload())
    if arm != "fresh":  # what merging rounds is none of what B changes
        observed["nll_per_character_a"] = nll_per_character(*learner, asked)
    learner = learning.learn(learner, second, plan, folder, anew=arm != "one")
    return observed | {
        "nll_per_character_a_after": nll_per_character(*learner, asked),
        "nll_per_character_b": nll_per_character(*learner, answered),
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, on halves of the corpus that share no pair."""
    base, pairs = reference.base(inputs["model"]), read_table(inputs["train"])
    test = read_table(inputs["test"]).head(settings.items)
    arms = {arm: partial(after, base, pairs, test, arm, settings, run) for arm in CONTINUAL}
    observed = learning.observe(EXPERIMENT, arms, learning.by_seed(settings), inputs, run)
    seen = 2 * settings.steps * settings.batch_size
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], settings.items)}
    deviations = [
        "both tasks are of one corpus and opposite directions: other pairs of tasks differ",
        "osf computes in float32, the other arms in the dtype that is named",
    ]
    return [(observed, learning.conditions(base, used, settings, run, deviations))]
