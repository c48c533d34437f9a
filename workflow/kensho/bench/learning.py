"""What studies of training share: a model learns samples, and each arm and seed is kept as it ends.

A study trains in memory with :func:`kensho.train.loop.train` and scores held-out text; nothing but
what it observes stays.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase, set_seed

from kensho.bench.run import Inputs, Observed, Run
from kensho.data import corpus
from kensho.data.corpus import read_table
from kensho.evaluate.journal import Journal, digest
from kensho.files import sha256
from kensho.models import reference
from kensho.models.loading import compute_dtype, computes_on
from kensho.models.reference import Base, Reference
from kensho.observations import Row, table
from kensho.train.loop import train
from kensho.train.methods import full, lora
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.schedule import Diverged
from kensho.train.stage import begun, draw, prepared, require_targets
from kensho.train.targets import ATTENTION

if TYPE_CHECKING:
    from kensho.bench.study_settings import Learning as Settings
    from kensho.bench.study_settings import Seeded

DIVERGED = "diverged"
CUT = "samples_cut"
UNITS = {
    DIVERGED: "trainings",
    "nll_per_character": "nat/character",
    "log_likelihood_per_character": "nat/character",
    "samples": "samples",
    "trainable_parameters": "parameters",
    "adapter_bytes": "bytes",
    "rank": "dimensions",
    "learning_rate": "per step",
}


class Study(NamedTuple):
    """What the arms of a study share: a base, samples to learn and to be asked, and how it runs.

    Trainings count in ``cut`` how often a sample was longer than its ``max_length``.
    """

    name: str
    base: Base
    train: pd.DataFrame
    test: pd.DataFrame
    settings: Any
    run: Run
    cut: Counter[str] | None = None

    @property
    def folder(self) -> Path:
        """Where one training at a time keeps its checkpoint."""
        return self.run.folder / "training"


# What an arm, by name, observes of a block, by metric.
Observe = Callable[[Study, str, Any], Mapping[str, float]]


def of_corpus(name: str, inputs: Inputs, settings: Settings, run: Run) -> Study:
    """A study of the corpus's pairs: all to learn, the first items of the test set to be asked."""
    train, test = read_table(inputs["train"]), read_table(inputs["test"]).head(settings.items)
    return Study(name, reference.base(inputs["model"]), train, test, settings, run)


class Learner(NamedTuple):
    """A model that learns, and its tokenizer."""

    model: Any
    tokenizer: PreTrainedTokenizerBase


def begin(base: Base, plan: Training) -> Learner:
    """The base, its weights held as the method of the training has them.

    Raises ValueError where it lacks a module that the training targets.
    """
    of = Reference.of_base(base)
    require_targets(of, plan)
    return Learner(*begun(of, plan))


def training(study: Study, arm: str, seed: int, **changed: Any) -> Training:
    """One training of an arm of a study, as :func:`planned`."""
    return planned(f"{study.name} {arm} seed {seed}", study.settings, seed, **changed)


def planned(name: str, settings: Any, seed: int, /, **changed: Any) -> Training:
    """A training by LoRA with the settings of an experiment; ``changed`` are fields of Training.

    Its one checkpoint is made when all is learnt.
    """
    own: dict[str, Any] = {
        "method": lora.METHOD,
        "rank": getattr(settings, "rank", None),
        "targets": ATTENTION,
        "learning_rate": settings.learning_rate,
        "steps": getattr(settings, "steps", 0),
        "dtype": compute_dtype("auto"),
    } | changed
    return Training(
        name=name,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        checkpoint_every=own["steps"],
        seed=seed,
        **own,
    )


def whole(plan: Training, learning_rate: float) -> Training:
    """The same where every weight is trained."""
    changed: dict[str, Any] = {"method": full.METHOD, "rank": None, "targets": None}
    return replace(plan, learning_rate=learning_rate, **changed)


def learn(
    study: Study,
    samples: pd.DataFrame,
    plan: Training,
    learner: Learner | None = None,
    *,
    anew: bool = True,
) -> Learner:
    """Train on samples (columns prompt and completion) in an order of the seed.

    What learns is the base, or a ``learner`` that a training of the same method began with. With
    ``anew`` a method of adapters makes one first; otherwise what is trained already learns on.
    """
    model, tokenizer = learner or begin(study.base, plan)
    folder = study.folder
    if anew:
        model = prepared(model, plan)
    else:
        set_seed(plan.seed)
    order = draw(samples, plan.samples, plan.seed)
    rows = [
        encoded(tokenizer, *pair, chat=False)
        for pair in zip(order["prompt"], order["completion"], strict=True)
    ]
    if study.cut is not None:
        study.cut[CUT] += sum(len(row["input_ids"]) > plan.max_length for row in rows)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    train(model, rows, tokenizer.pad_token_id, folder, plan)
    shutil.rmtree(folder)
    return Learner(model.eval(), tokenizer)


def by_seed(settings: Seeded) -> dict[str, int]:
    """A block for each seed."""
    return {f"seed-{seed}": seed for seed in settings.seeds}


def observe(
    study: Study,
    after: Observe,
    arms: Iterable[str],
    inputs: Inputs,
    blocks: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Observation table: what each arm observes of each block (by default a seed), given by name.

    A block whose training diverges has metric ``diverged`` in the place of its own; where samples
    were cut ``samples_cut`` counts them. What an earlier attempt of the same job observed in the
    same dtype is taken from ``run.journal``.
    """
    run = study.run
    torch.set_num_threads(run.threads)
    journal: Any = {} if run.journal is None else Journal(run.journal)
    read = [sha256(path) for path in inputs.values() if path.is_file()]
    dtype = str(compute_dtype("auto"))  # of this machine, which may be another than the last
    rows = []
    for block, of in (by_seed(study.settings) if blocks is None else blocks).items():
        for arm in arms:
            key = digest([*run.identity, read, dtype, computes_on(), arm, block])
            if key not in journal:
                cut = Counter[str]()
                try:
                    values = after(study._replace(cut=cut), arm, of)
                except Diverged as error:
                    print(f"{arm}, {block}: {error}", file=sys.stderr)
                    values = {DIVERGED: 1}
                values = {**values, **+cut}
                journal[key] = [[name, float(value)] for name, value in values.items()]
            rows += [
                Row(study.name, arm, block, 0, name, value, _unit(name))
                for name, value in journal[key]
            ]
    return table(rows)


def by_arm(observed: pd.DataFrame, made: dict, beside: Sequence[Row] = ()) -> Observed:
    """Table and conditions of each arm, as an experiment returns them.

    Of an arm of which a block diverged no other metric can be judged: the blocks that are left
    would be those on which it fared well. What stands ``beside`` comes of no such training.
    """
    metrics = [metric for metric in observed["metric"].unique() if metric not in (DIVERGED, CUT)]
    if not metrics:
        raise ValueError(
            f"bench.{observed['experiment'].iloc[0]}: every training diverged; lower learning_rate"
        )
    every = pd.concat([observed, table(beside)], ignore_index=True) if beside else observed
    tables = []
    for arm, rows in every.groupby("arm", sort=False):
        own = dict(made)
        lost = rows.loc[rows["metric"] == DIVERGED, "block"]
        if len(lost):
            own["absent"] = dict.fromkeys(metrics, f"{arm} diverged ({', '.join(lost)})")
        if times := int(rows.loc[rows["metric"] == CUT, "value"].sum()):
            deviations = [
                f"{times:,} times a sample was longer than max_length, "
                f"{made['own']['max_length']:,} tokens, and was cut"
            ]
            own["deviations"] = [*made["deviations"], *deviations]
        tables.append((rows.reset_index(drop=True), own))
    return tables


def _unit(metric: str) -> str:
    return next(unit for name, unit in UNITS.items() if metric.startswith(name))


def conditions(
    study: Study, data: Mapping[str, tuple[Path, int]], deviations: Sequence[str]
) -> dict:
    """What ran: ``data`` are tables by what they are for, and how many of their rows were used."""
    base, settings, run = study.base, study.settings, study.run
    return {
        "ran": {
            "models": [base.ran()],
            "data": [
                corpus.ran(path, items) | {"name": name} for name, (path, items) in data.items()
            ],
        },
        "dtype": str(compute_dtype("auto")).removeprefix("torch."),
        "own": dict(vars(settings)),
        "items": settings.items,
        "models": {base.name: base.described()},
        "seeds": list(getattr(settings, "seeds", [run.seed])),
        "threads": run.threads,
        "warmup": "none: likelihoods do not depend on time",
        "fallbacks": [],
        "deviations": list(deviations),
    }
