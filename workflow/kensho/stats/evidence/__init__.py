"""From the tables of a claim's arms to the evidence on one of its readings, by design."""

from __future__ import annotations

from collections.abc import Callable

from kensho.claims import base, designs
from kensho.stats.evidence.base import Evidence, Undefined
from kensho.stats.evidence.dose import dose_optimum
from kensho.stats.evidence.formula import formula_contrast
from kensho.stats.evidence.levels import mean_score
from kensho.stats.evidence.pairs import difference, ratio, ratio_of_means
from kensho.stats.evidence.shares import proportion, win_rate
from kensho.stats.evidence.strengths import pair_ranking
from kensho.stats.evidence.tasks import rank_order, tasks
from kensho.stats.evidence.unpaired import unpaired_difference
from kensho.stats.units import Tables

__all__ = ["Evidence", "Undefined", "gather"]

_BY_DESIGN: dict[str, Callable[..., Evidence]] = {
    "paired_log_ratio": ratio,
    "peak_memory": ratio,
    "ratio_of_means": ratio_of_means,
    "paired_difference": difference,
    "unpaired_difference": unpaired_difference,
    "proportion": proportion,
    "mean_score": mean_score,
    "win_rate": win_rate,
    "dose_optimum": dose_optimum,
    "tasks": tasks,
    "rank_order": rank_order,
    "formula": formula_contrast,
    "pair_ranking": pair_ranking,
}


def gather(
    test: designs.Test,
    reading: base.Reading | base.Contrast | base.Level | None,
    tables: Tables,
    seed: int,
) -> Evidence:
    """Evidence on a reading of a registered test; `reading` is None where a design has only one.

    Raises Undefined where the observations give no such quantity, and ValueError naming file, line
    or block for tables that cannot be used.
    """
    return _BY_DESIGN[test.design](test, reading, tables, seed)
