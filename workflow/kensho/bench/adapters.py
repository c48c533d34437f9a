"""R-5: four configurations of LoRA beside full fine-tuning, learning rates and alphas; file sizes.

Configurations are those of the source: rank 4 on q, v; rank 8 on q, k, v, o; rank 16 and rank 32 on
all linear layers, alpha twice the rank. Every arm of a seed learns the same samples in one order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kensho.bench import learning
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import CONFIGURATIONS, RATES, Configuration
from kensho.data.corpus import read_table
from kensho.models import reference
from kensho.models.reference import ADAPTER, WEIGHTS, Base
from kensho.observations import Row, table
from kensho.train.likelihood import nll_per_character
from kensho.train.plan import TARGETS

if TYPE_CHECKING:
    from kensho.bench.settings import Adapters as Settings
    from kensho.bench.settings import Rates


def after(
    experiment: str,
    base: Base,
    pool: pd.DataFrame,
    test: pd.DataFrame,
    name: str,
    one: Configuration,
    sizes: list[int],
    settings: Settings | Rates,
    run: Run,
    seed: int,
) -> dict[str, float]:
    """Likelihood of held-out translations by number of samples; the last size has no suffix."""
    order, observed = np.random.default_rng(seed).permutation(len(pool)), dict[str, float]()
    for size in sizes:
        changed: dict[str, Any] = {"steps": max(2, -(-size // settings.batch_size))}
        if one.rank:
            changed |= {"rank": one.rank, "targets": TARGETS[one.modules]}
        if one.learning_rate:
            changed["learning_rate"] = one.learning_rate
        plan = learning.training(settings, f"{experiment} {name} on {size}", seed, **changed)
        if one.rank is None:
            plan = learning.whole(plan, settings.full_learning_rate)  # type: ignore[union-attr]
        learner = learning.begin(base, whole=one.rank is None)
        samples = learning.translations(pool.iloc[order[:size]])
        learner = learning.learn(learner, samples, plan, run.folder / "training", alpha=one.alpha)
        nll = nll_per_character(*learner, learning.translations(test))
        suffix = "" if size == sizes[-1] else f".n{size}"
        observed[f"nll_per_character{suffix}"] = nll
    observed["log_likelihood_per_character"] = -nll
    if one.rank:
        folder = run.folder / "saved"
        learner.model.save_pretrained(folder)
        observed["adapter_bytes"] = (folder / ADAPTER).stat().st_size
    return observed


def _observed(
    experiment: str,
    arms: dict[str, Configuration],
    sizes: list[int],
    inputs: Inputs,
    settings: Settings | Rates,
    run: Run,
) -> tuple[pd.DataFrame, dict]:
    base, pool = reference.base(inputs["model"]), read_table(inputs["train"])
    test = read_table(inputs["test"]).head(settings.items)
    if max(sizes) > len(pool):
        raise ValueError(
            f"bench.{experiment}: {max(sizes):,} samples, but the corpus has {len(pool):,}; "
            "raise data.train"
        )
    functions: dict[str, Callable] = {
        name: partial(after, experiment, base, pool, test, name, one, sizes, settings, run)
        for name, one in arms.items()
    }
    observed = learning.observe(experiment, functions, learning.by_seed(settings), inputs, run)
    used = {"train": (inputs["train"], max(sizes)), "test": (inputs["test"], settings.items)}
    deviations = [f"{base.name} and {max(sizes):,} samples, each seen once, stand for the claim's"]
    return observed, learning.conditions(base, used, settings, run, deviations)


def configurations(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """The four configurations and full fine-tuning, with the bytes of what is saved."""
    name = "adapters"
    observed, made = _observed(name, CONFIGURATIONS, settings.sizes, inputs, settings, run)
    base = reference.base(inputs["model"])
    sizes = {
        "base_bytes": sum(path.stat().st_size for path in base.folder.glob(WEIGHTS)),
        "base_bytes_16_bit": 2 * base.parameters,
    }
    rows = [
        Row(name, "full", block, 0, metric, size, "bytes")
        for block in observed["block"].unique()
        for metric, size in sizes.items()
    ]
    return [(pd.concat([observed, table(rows)], ignore_index=True), made)]


def rates(inputs: Inputs, settings: Rates, run: Run) -> Observed:
    """Learning rates and alphas of one configuration."""
    return [_observed("rates", RATES, [settings.samples], inputs, settings, run)]
