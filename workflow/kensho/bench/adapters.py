"""R-5: four configurations of LoRA beside full fine-tuning, learning rates and alphas; file sizes.

Configurations are those of the source: rank 4 on q, v; rank 8 on q, k, v, o; rank 16 and rank 32 on
all linear layers, alpha twice the rank. Every arm of a seed learns the same samples in one order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kensho.bench import learning
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import CONFIGURATIONS, RATES
from kensho.models.reference import ADAPTER, WEIGHTS
from kensho.observations import Row
from kensho.train.likelihood import nll_per_character
from kensho.train.plan import TARGETS
from kensho.train.sft import asked

if TYPE_CHECKING:
    from kensho.bench.study_settings import Adapters as Settings
    from kensho.bench.study_settings import Rates


def after(study: Study, name: str, seed: int) -> dict[str, float]:
    """Likelihood of held-out translations by number of samples; the last size has no suffix."""
    one, sizes = {**CONFIGURATIONS, **RATES}[name], _sizes(study)
    order, observed = np.random.default_rng(seed).permutation(len(study.train)), dict[str, float]()
    for size in sizes:
        changed: dict[str, Any] = {"steps": max(2, -(-size // study.settings.batch_size))}
        if one.rank:
            changed |= {"rank": one.rank, "targets": TARGETS[one.modules]}
        if one.learning_rate:
            changed["learning_rate"] = one.learning_rate
        if one.alpha:
            changed["settings"] = {"method": {"alpha": one.alpha}}
        plan = learning.training(study, f"{name} on {size}", seed, **changed)
        if one.rank is None:
            plan = learning.whole(plan, study.settings.full_learning_rate)
        samples = asked(study.train.iloc[order[:size]])
        learner = learning.learn(study, samples, plan)
        nll = nll_per_character(*learner, asked(study.test))
        suffix = "" if size == sizes[-1] else f".n{size}"
        observed[f"nll_per_character{suffix}"] = nll
    observed["log_likelihood_per_character"] = -nll
    if one.rank:
        folder = study.run.folder / "saved"
        learner.model.save_pretrained(folder)
        observed["adapter_bytes"] = (folder / ADAPTER).stat().st_size
    return observed


def _sizes(study: Study) -> list[int]:
    return study.settings.sizes if study.name == "adapters" else [study.settings.samples]


def _observed(study: Study, arms: Iterable[str], inputs: Inputs) -> tuple[pd.DataFrame, dict]:
    largest = max(_sizes(study))
    if largest > len(study.train):
        raise ValueError(
            f"bench.{study.name}: {largest:,} samples, but the corpus has {len(study.train):,}; "
            "raise data.train"
        )
    observed = learning.observe(study, after, arms, inputs)
    items = study.settings.items
    used = {"train": (inputs["train"], largest), "test": (inputs["test"], items)}
    stand_in = f"{study.base.name} and {largest:,} samples, each seen once, stand for the claim's"
    return observed, learning.conditions(study, used, [stand_in])


def configurations(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """The four configurations and full fine-tuning, with the bytes of what is saved."""
    study = learning.of_corpus("adapters", inputs, settings, run)
    observed, made = _observed(study, CONFIGURATIONS, inputs)
    base = study.base
    sizes = {
        "base_bytes": sum(path.stat().st_size for path in base.folder.glob(WEIGHTS)),
        "base_bytes_16_bit": 2 * base.parameters,
    }
    rows = [
        Row(study.name, "full", block, 0, metric, size, "bytes")
        for block in observed["block"].unique()
        for metric, size in sizes.items()
    ]
    return learning.by_arm(observed, made, rows)


def rates(inputs: Inputs, settings: Rates, run: Run) -> Observed:
    """Learning rates and alphas of one configuration."""
    study = learning.of_corpus("rates", inputs, settings, run)
    return learning.by_arm(*_observed(study, RATES, inputs))
