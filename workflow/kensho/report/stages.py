"""The page of the recipes: what each stage changed, and its curves."""

from collections.abc import Sequence

import pandas as pd

from kensho.report import plots, tables
from kensho.report.templates import render


def build(
    evaluation: pd.DataFrame | None,
    loss: pd.DataFrame,
    audits: Sequence[str],
    *,
    rehearsal: bool,
) -> str:
    """The page as HTML.

    ``evaluation`` as `kensho.stats.describe.evaluation` makes it, differences being those from the
    stage before; None where no recipe is trained. ``loss`` and ``audits`` are those of
    `kensho.report.inputs`.
    """
    groups = [] if evaluation is None else tables.evaluation(evaluation)
    return render(
        "stages.html.j2",
        rehearsal=rehearsal,
        evaluation=[
            {**group, "svg": plots.differences(evaluation, group["metric"], "the stage before")}
            for group in groups
        ],
        curves=plots.panels(loss),
        audits=audits,
    )
