"""Two tasks one after the other: one adapter for both, a fresh one, or a fresh one over the merged.

Task A translates English to Japanese, task B Japanese to English. ``one``: the adapter of A learns
B. ``merged``: the adapter of A becomes part of the weights and a fresh one learns B. ``fresh``: an
adapter of its own learns B on the base, that of A stays aside and so forgets nothing. ``osf``
(Nayak et al. 2025, arXiv 2504.07097, as PEFT has it): each task learns the lower half of the
weights' singular directions by gradients that are orthogonal to the upper one, which AdamW's steps
are not quite, and becomes part of the weights.
Backward transfer (Lopez-Paz and Ranzato 2017, arXiv 1706.08840) is what B changes of A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from peft import OSFConfig

from kensho.bench import learning
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import CONTINUAL
from kensho.train.likelihood import nll_per_character
from kensho.train.methods import Method
from kensho.train.sft import asked

if TYPE_CHECKING:
    from kensho.bench.study_settings import Continual as Settings

EXPERIMENT = "continual"


def _subspaces(rank: int, targets: Sequence[str]) -> OSFConfig:
    return OSFConfig(target_modules=list(targets))  # half of each matrix, whatever LoRA's rank


OSF = Method("osf", weights="float32", adapter=_subspaces)


def after(study: Study, arm: str, seed: int) -> dict[str, float]:
    """Likelihood of A after A and after B, and of B after B; each task has half of the pairs."""
    half = len(study.train) // 2
    first, second = asked(study.train.iloc[:half]), asked(study.train.iloc[half:], "ja-en")
    into_ja, into_en = asked(study.test), asked(study.test, "ja-en")
    plan = learning.training(study, arm, seed)
    if arm == "osf":
        rate = study.settings.osf_learning_rate
        # in float32 gradients are orthogonal to rounding
        plan = replace(plan, method=OSF, dtype=torch.float32, learning_rate=rate)
    observed = {}
    learner = learning.begin(study.base, plan)
    if arm != "fresh":
        learner = learning.learn(study, first, plan, learner)
    if arm in ("merged", "osf"):
        learner = learner._replace(model=learner.model.merge_and_unload())
    if arm != "fresh":  # what merging rounds is none of what B changes
        observed["nll_per_character_a"] = nll_per_character(*learner, into_ja)
    learner = learning.learn(study, second, plan, learner, anew=arm != "one")
    return observed | {
        "nll_per_character_a_after": nll_per_character(*learner, into_ja),
        "nll_per_character_b": nll_per_character(*learner, into_en),
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, on halves of the corpus that share no pair."""
    study = learning.of_corpus(EXPERIMENT, inputs, settings, run)
    observed = learning.observe(study, after, CONTINUAL, inputs)
    seen = 2 * settings.steps * settings.batch_size
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], settings.items)}
    deviations = [
        "both tasks are of one corpus and opposite directions: other pairs of tasks differ",
        "osf computes in float32, the other arms in the dtype that is named",
    ]
    return learning.by_arm(observed, learning.conditions(study, used, deviations))
