"""Does replayed English keep a model from forgetting it while it learns Japanese?

Continual pre-training in small: plain Japanese sentences, of which a share is replaced by English
ones (Ibrahim et al. 2024, arXiv 2403.08763: 1 to 5 % for weak, about 25 % for strong shifts), with
adapters and with all weights, equal steps. The learning rate is warmed up and decays anew, as the
paper advises. Likelihood of held-out sentences of both languages before and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.bench import learning
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import REPLAY
from kensho.train.likelihood import nll_per_character, plain

if TYPE_CHECKING:
    from kensho.bench.study_settings import Replay as Settings

EXPERIMENT = "replay"


def mixture(pairs: pd.DataFrame, count: int, share: int, seed: int) -> list[str]:
    """``count`` sentences of the first columns ja and en, ``share`` per cent of them English.

    No pair gives both its sides. The Japanese sentences of a smaller share hold those of a larger.
    Raises ValueError where the pairs are too few.
    """
    english = round(count * share / 100)
    if count + english > len(pairs):
        raise ValueError(
            f"bench.{EXPERIMENT}.steps: {count + english:,} sentences, but the corpus has "
            f"{len(pairs):,}; raise data.train"
        )
    order = np.random.default_rng(seed).permutation(len(pairs))
    japanese = pairs["ja"].iloc[order[: count - english]]
    return [*japanese, *pairs["en"].iloc[order[len(pairs) - english :]]]


def after(study: Study, arm: str, seed: int) -> dict[str, float]:
    """Likelihood of both languages before and after the steps of one arm."""
    method, share = REPLAY[arm]
    plan = learning.training(study, arm, seed)
    if method == "full":
        plan = learning.whole(plan, study.settings.full_learning_rate)
    learner = learning.begin(study.base, plan)
    held = {side: plain(study.test[side]) for side in ("en", "ja")}
    before = {
        f"nll_per_character_{side}_before": nll_per_character(*learner, texts)
        for side, texts in held.items()
    }
    samples = plain(mixture(study.train, plan.samples, share, seed))
    learner = learning.learn(study, samples, plan, learner)
    return before | {
        f"nll_per_character_{side}": nll_per_character(*learner, texts)
        for side, texts in held.items()
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both methods at every share."""
    study = learning.of_corpus(EXPERIMENT, inputs, settings, run)
    observed = learning.observe(study, after, REPLAY, inputs)
    seen = settings.steps * settings.batch_size
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], settings.items)}
    deviations = [
        "replayed and held-out English are of one corpus: what replay gains holds what is learnt "
        "of that corpus beside what is not forgotten",
        f"{seen:,} sentences stand for the billions of tokens of a continued pre-training",
    ]
    return learning.by_arm(observed, learning.conditions(study, used, deviations))
