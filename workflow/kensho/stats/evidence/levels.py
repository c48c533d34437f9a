"""The level of one arm: its mean score, its share of right answers when items are repeated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kensho.claims import base, designs
from kensho.stats import frequentist, intervals, multiverse
from kensho.stats.evidence.base import Evidence, specification
from kensho.stats.scales import LEVEL, SHARE
from kensho.stats.units import Tables, by_unit, means, split, values


def mean_score(test: designs.MeanScore, reading: base.Level, tables: Tables, seed: int) -> Evidence:
    """Mean score of one arm over items or clusters, replicates averaged within their item."""
    cells = values(reading.of, tables[reading.of.arm], test.experiment)
    parts = split(cells.index, test.levels, test.experiment)
    units = by_unit(means(cells), parts)
    y = units.to_numpy()
    varies = frequentist.varies(y, 2)
    clusters = parts[test.levels[0]].to_numpy() if len(test.levels) > 1 else None
    scores = cells.tolist()
    tests = {"interval_bootstrap": frequentist.bootstrap_interval(y, 0.05, seed)} if varies else {}
    return Evidence(
        scale=LEVEL,
        units=units,
        interval=(lambda alpha: intervals.mean(y, alpha)) if varies else None,
        constant=f"{test.experiment}: {y.size} units and one score in all of them",
        n=y.size,
        sd=float(y.std(ddof=1)) if y.size > 1 else float("nan"),
        model="normal",
        data={"y": y},
        frequentist=tests,
        prior=test.prior,
        specifications=lambda alpha: multiverse.specifications(
            scores, None, LEVEL, alpha, clusters=clusters, seed=seed
        ),
    )


def repeats(test: designs.Proportion, reading: base.Level, tables: Tables, seed: int) -> Evidence:
    """Share of right answers of items that were answered several times, over items or clusters.

    Each item counts with the share of its own answers that are right.
    """
    answers = values(reading.of, tables[reading.of.arm], test.experiment)
    for item, cell in answers.items():
        if not set(cell) <= {0.0, 1.0}:
            raise ValueError(
                f"{test.experiment}: reading '{reading.label}': block '{item}' holds an answer "
                f"that is neither right (1) nor wrong (0): {', '.join(f'{x:g}' for x in cell)}; "
                "register 'design: mean_score', or mend the table"
            )
    parts = split(answers.index, test.levels, test.experiment)
    units = by_unit(means(answers), parts)
    counts = pd.DataFrame({"right": answers.map(sum), "answers": answers.map(len)}).astype(int)
    data = tally(*counts.groupby(parts[test.levels[0]].to_numpy(), sort=False).sum().to_numpy().T)
    y = units.to_numpy()
    return Evidence(
        scale=SHARE,
        units=units,
        interval=(lambda alpha: intervals.share(y, alpha)) if y.size > 1 else None,
        n=y.size,
        sd=float(y.std(ddof=1)) if y.size > 1 else float("nan"),
        model="repeats",
        data=data,
        prior=test.prior,
        specifications=lambda alpha: _repeats_alternatives(answers, y, seed, alpha),
    )


def tally(right: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    """Units by their number of answers: answers (G,), units (G, K + 1) with 0 to K right ones."""
    distinct, row = np.unique(answers, return_inverse=True)
    units = np.zeros((distinct.size, distinct.max() + 1), dtype=int)
    np.add.at(units, (row, right), 1)
    return {"answers": distinct, "units": units}


def _repeats_alternatives(answers: pd.Series, y: np.ndarray, seed: int, alpha: float) -> list[dict]:
    """t and bootstrap over units, the first answers alone, and every answer as an item."""
    first, every = answers.map(lambda cell: cell[0]).to_numpy(), np.concatenate(answers.to_list())
    low, high = frequentist.bootstrap_interval(y, alpha, seed)
    fits = {
        "t over units": intervals.mean(y, alpha)[:3],
        "percentile bootstrap": (y.mean(), low, high),
        "first answers, Wilson": intervals.proportion(first.sum(), first.size, alpha)[:3],
        "every answer an item, Wilson": intervals.proportion(every.sum(), every.size, alpha)[:3],
    }
    return [specification(label, *fit) for label, fit in fits.items()]
