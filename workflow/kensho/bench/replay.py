"""Does replayed English keep a model from forgetting it while it learns Japanese?

Continual pre-training in small: plain Japanese sentences, of which a share is replaced by English
ones (Ibrahim et al. 2024, arXiv 2403.08763: 1 to 5 % for weak, about 25 % for strong shifts), with
adapters and with all weights, equal steps. The learning rate is warmed up and decays anew, as the
paper advises. Likelihood of held-out sentences of both languages before and after.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.bench import learning
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import REPLAY
from kensho.data.corpus import read_table
from kensho.models import reference
from kensho.models.reference import Base
from kensho.train.likelihood import nll_per_character, plain

if TYPE_CHECKING:
    from kensho.bench.settings import Replay as Settings

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


def after(
    base: Base,
    pairs: pd.DataFrame,
    test: pd.DataFrame,
    arm: str,
    settings: Settings,
    run: Run,
    seed: int,
) -> dict[str, float]:
    """Likelihood of both languages before and after the steps of one arm."""
    method, share = REPLAY[arm]
    learner = learning.begin(base, whole=method == "full")
    held = {side: plain(test[side]) for side in ("en", "ja")}
    before = {
        f"nll_per_character_{side}_before": nll_per_character(*learner, texts)
        for side, texts in held.items()
    }
    plan = learning.training(settings, f"{EXPERIMENT} {arm}", seed)
    if method == "full":
        plan = learning.whole(plan, settings.full_learning_rate)
    samples = plain(mixture(pairs, plan.samples, share, seed))
    learner = learning.learn(learner, samples, plan, run.folder / "training")
    return before | {
        f"nll_per_character_{side}": nll_per_character(*learner, texts)
        for side, texts in held.items()
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both methods at every share."""
    base, pairs = reference.base(inputs["model"]), read_table(inputs["train"])
    test = read_table(inputs["test"]).head(settings.items)
    arms = {arm: partial(after, base, pairs, test, arm, settings, run) for arm in REPLAY}
    observed = learning.observe(EXPERIMENT, arms, learning.by_seed(settings), inputs, run)
    seen = settings.steps * settings.batch_size
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], settings.items)}
    deviations = [
        "replayed and held-out English are of one corpus: what replay gains holds what is learnt "
        "of that corpus beside what is not forgotten",
        f"{seen:,} sentences stand for the billions of tokens of a continued pre-training",
    ]
    return [(observed, learning.conditions(base, used, settings, run, deviations))]
