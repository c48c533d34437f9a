"""F-4: what augmentation gains for a linear classifier on frozen sentence features.

Each seed draws originals, adds to them by each arm (`kensho.augment.study.arms`), fits a logistic
regression on features of a frozen sentence encoder, and answers test items of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from kensho.augment import guard, study
from kensho.bench.run import Inputs, Observed, Run
from kensho.files import read_json
from kensho.models import reference
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.study_settings import AugmentationFeatures as Settings

EXPERIMENT = "augmentation_features"
REGISTERED = (100, 500, 2000)  # sizes that claims read
ITERATIONS = 2000  # of L-BFGS, at most; 100 to 250 suffice


class Features(NamedTuple):
    """Unit vectors of distinct texts: (texts, 512), and the row of each text."""

    vectors: np.ndarray
    places: Mapping[str, int]

    def of(self, items: pd.DataFrame) -> np.ndarray:
        """(items, 512); of pairs u, v, |u - v|, u * v (Conneau et al. 2017, arXiv 1705.02364)."""
        first = self.vectors[items["first"].map(self.places)]
        if (items["second"] == "").all():
            return first
        second = self.vectors[items["second"].map(self.places)]
        return np.hstack([first, second, np.abs(first - second), first * second])


def features(texts: Iterable[str]) -> Features:
    """Of the frozen encoder."""
    distinct = sorted({*texts})
    return Features(guard.embed(distinct), {text: place for place, text in enumerate(distinct)})


def accuracy(features: Features, train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Share of the test items whose label a logistic regression (L2, C = 1) gives them.

    Raises ValueError where it does not converge.
    """
    classifier = LogisticRegression(max_iter=ITERATIONS).fit(features.of(train), train["label"])
    if max(classifier.n_iter_) >= ITERATIONS:
        raise ValueError(f"the classifier does not converge in {ITERATIONS} steps; raise sizes")
    return float(classifier.score(features.of(test), test["label"]))


def observe(
    task: str,
    items: pd.DataFrame,
    variants: Mapping[str, pd.DataFrame],
    settings: Settings,
    run: Run,
) -> list[Row]:
    """Metrics ``accuracy`` and ``variants`` (rows that are some) of task and size, by seed.

    ``items`` are those of :func:`kensho.augment.study.split`, ``variants`` what is kept of each
    technique. A size that the pool does not have is left out.
    """
    pool = study.pool(items)
    tests = {replicate: items[items["fold"] == replicate] for replicate in range(settings.seeds)}
    cells = [
        (replicate, size, *arm)
        for replicate in tests
        for size in settings.sizes
        if (drawn := study.draw(pool, size, settings.added, seed=run.seed, replicate=replicate))
        for arm in study.arms(drawn, variants)
    ]
    used = [*tests.values(), *(train for _, _, _, train, _ in cells)]
    known = features({text for one in used for side in study.SIDES for text in one[side]} - {""})
    rows = []
    with threadpool_limits(1):  # the matrices are small: more threads wait for each other
        for replicate, size, arm, train, new in cells:
            place, cell = (EXPERIMENT, arm, f"seed-{replicate + 1}", 0), f"{task}.n{size}"
            score = accuracy(known, train, tests[replicate])
            rows.append(Row(*place, f"accuracy.{cell}", score, "share"))
            rows.append(Row(*place, f"variants.{cell}", new, "samples"))
    return rows


def absent(observed: Collection[str]) -> dict[str, str]:
    """Why what claims read was not observed, by metric."""
    return {
        metric: f"no {size} originals of {task} were observed (bench.{EXPERIMENT}: tasks, sizes)"
        for task in study.TASKS
        for size in REGISTERED
        if (metric := f"accuracy.{task}.n{size}") not in observed
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, on the tasks whose data are at hand."""
    rows: list[Row] = []
    outcomes, read, data, shortfalls = {}, dict[str, dict](), [], list[str]()
    asked = [reference.base(path) for path in inputs["asked"]]
    for path, counted in zip(inputs["splits"], inputs["counts"], strict=True):
        task, items = path.parent.name, study.read_items(path)
        mine = [file for file in inputs["variants"] if file.parent == path.parent]
        variants, outcomes[task] = study.read_variants(
            mine, items, inputs.get("guard"), seed=run.seed
        )
        rows += observe(task, items, variants, settings, run)
        read[task] = read_json(counted)
        data.append({"name": task, "items": len(items), "of": read[task]["read"]})
        short = study.without_more(items, settings.sizes, settings.added)
        shortfalls += [f"{task}: {line}" for line in [*study.yields(items, variants), *short]]
        shortfalls += [
            f"{task}: {name} is not tried, for it changes what the labels state"
            for name in settings.techniques
            if name not in variants
        ]
    if "more-data" not in {row.arm for row in rows}:
        raise ValueError(
            f"bench.{EXPERIMENT}.sizes: no task has {1 + settings.added} times as many items as "
            "the smallest size, as the arm more-data needs; lower sizes"
        )
    conditions = {
        "ran": {
            "models": [model.ran() for model in asked],
            "data": data,
            "stand_ins": [
                f"a logistic regression on features of {guard.PACKAGE} stands for the language "
                "model and the task that the claim leaves unnamed"
            ],
        },
        "dtype": "float32 features, float64 classifier",
        "own": {
            **{"read": read, "outcomes": outcomes, "encoder": guard.identity(), "C": 1.0},
            **vars(settings),
        },
        "models": {model.name: model.described() for model in asked},
        "seeds": [run.seed],
        "threads": run.threads,
        "warmup": "none: accuracies do not depend on time",
        "absent": absent({row.metric for row in rows}),
        "fallbacks": [f"{name} left out: {reason}" for name, reason in run.left_out.items()],
        "deviations": [
            "each seed tests on items of its own; originals of different seeds overlap as far as "
            "the pool is small (conditions: own)",
            *shortfalls,
        ],
    }
    return [(table(rows), conditions)]
