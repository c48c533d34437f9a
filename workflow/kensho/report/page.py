"""The validation report as one HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import pandas as pd

from kensho.claims.model import Obstacle
from kensho.report import claim_plots, plots, text
from kensho.report import tables as rows
from kensho.report.tables import VERDICTS
from kensho.report.templates import render
from kensho.report.text import MISSING

OPTIONAL = ("hardware", "tasks_not_tested", "versions")  # of runs that evaluated models


@dataclass(frozen=True)
class Tables:
    """Tables beside the verdicts; one that is None or empty has no section.

    evaluation: arm, seed, metric, n, estimate, low, high, difference, difference_low,
        difference_high, unit; NaN in the differences of the base arm.
    loss: arm, seed, step, unit (of the loss) and the columns of `inputs.CURVES`, NaN where there is
        none.
    audits: lines of what trainings were about to learn.
    drops: stage, reason, count.
    augmentation: technique, outcome, count.
    meaning: technique, scored, similarity (mean cosine to the parent), below (share below the
        guard's threshold), unattested (share that joins words as nobody has written them).
    gains: of :func:`kensho.stats.gains.table`.
    kv_grid: arm, length, batch, dtype, cache_bytes, closed_form_bytes, equal.
    noise: of :func:`kensho.evaluate.noise.measured`, with the model's name and dtype.
    """

    evaluation: pd.DataFrame | None = None
    loss: pd.DataFrame | None = None
    audits: Sequence[str] = ()
    drops: pd.DataFrame | None = None
    augmentation: pd.DataFrame | None = None
    meaning: pd.DataFrame | None = None
    gains: pd.DataFrame | None = None
    kv_grid: pd.DataFrame | None = None
    noise: dict | None = None


def build(
    summary: dict,
    execution: dict,
    cost: dict | None = None,
    pages: Sequence[dict] = (),
    tables: Tables = Tables(),
) -> str:
    """The report as HTML: self-contained, byte-equal for equal inputs, nothing computed but layout.

    Args:
        summary: of `inputs.summary`: every key that `kensho.stats.summary.summarise` writes, with
            analyses as `kensho.stats.derive.derive` makes them, and the `OPTIONAL` ones.
        execution: of `inputs.execution`; `wall_seconds` is shown in the header.
        cost: of `inputs.cost`; no section where it is empty.
        pages: others: `target` and `command` that make each, `href`, whether it is `there`, why it
            is `stale` (None where it is not); no section where there are none.

    Raises:
        ValueError: two claims have the same id, a verdict is none of `VERDICTS`, or a key is
            missing.
    """
    _check(summary["claims"])
    claims = [_view(claim) for claim in summary["claims"]]
    groups = {verdict: [c for c in claims if c["verdict"] == verdict] for verdict in VERDICTS}
    judged = [claim for claim in claims if claim["verdict"] not in ("STALE", "NOT TESTED")]
    evaluation, loss, grid = tables.evaluation, tables.loss, tables.kv_grid
    drops, augmentation = tables.drops, tables.augmentation
    return render(
        "template.html.j2",
        rehearsal=summary["scale"].startswith("rehearsal"),
        summary={**dict.fromkeys(OPTIONAL), **summary},
        judged=judged,
        stale=groups["STALE"],
        untested=groups["NOT TESTED"],
        kinds=rows.kinds(groups["NOT TESTED"]),
        final=sum(map(_final, groups["NOT TESTED"])),
        schools=rows.schools(judged),
        multiplicity=rows.multiplicity(judged),
        verdicts=VERDICTS,
        filters={
            "verdict": [verdict for verdict in VERDICTS if groups[verdict]],
            **{key: sorted({claim[key] for claim in claims}) for key in ("tier", "source")},
        },
        most_units=claim_plots.MOST_UNITS,
        tally={verdict: len(group) for verdict, group in groups.items()},
        curves=plots.panels(loss) if _held(loss) else [],
        audits=tables.audits,
        **(_cache(grid) if _held(grid) else {"grid": []}),
        evaluation=[
            {**group, "svg": plots.differences(evaluation, group["metric"])}
            for group in (rows.evaluation(evaluation) if _held(evaluation) else [])
        ],
        noise=text.of_batches(tables.noise) if tables.noise else None,
        drops=drops.to_dict("records") if _held(drops) else [],
        augmentation=(
            rows.counts(augmentation, "technique", "outcome") if _held(augmentation) else None
        ),
        meaning=(
            {row["technique"]: row for row in tables.meaning.to_dict("records")}
            if _held(tables.meaning)
            else {}
        ),
        gains=rows.gains(tables.gains) if _held(tables.gains) else None,
        execution=execution,
        cost=cost,
        pages=pages,
    )


def _final(claim: dict) -> bool:
    """Whether nobody but its source could test a claim."""
    return claim["command"] is None and any(Obstacle(kind).final for kind in claim["kinds"])


def _held(table: pd.DataFrame | None) -> TypeGuard[pd.DataFrame]:
    return table is not None and not table.empty


def _cache(kv_grid: pd.DataFrame) -> dict:
    return {
        "grid": rows.cache_grid(kv_grid),
        "cells": len(kv_grid),
        "equal": int(kv_grid["equal"].sum()),
    }


def _view(claim: dict) -> dict:
    """A claim with everything that its card and its rows show."""
    try:
        view = {**claim, "cited": rows.source(claim), "claimed_text": rows.claimed(claim)}
        return view | (_result(claim) if claim["analysis"] else _NO_RESULT)
    except KeyError as error:
        raise ValueError(
            f"statistical_summary.json: claim {claim['id']}: the key {error} is missing; run the "
            "workflow again"
        ) from None


_NO_RESULT = {"tier": MISSING, "estimate_text": MISSING, "changed": "as registered"}


def _result(claim: dict) -> dict:
    name, analysis, region = claim["id"], claim["analysis"], claim["region"]
    view = {
        "tier": analysis["tier"],
        "edges": rows.edges(claim),
        "estimate_text": rows.estimate(claim),
        "axis": "logarithmic" if analysis["scale"] in rows.LOGARITHMIC else "linear",
        "registered": rows.registration(claim),
        "changed": analysis["registration"]["status"],
        "facts": rows.facts(claim),
        "posterior_facts": rows.posterior_facts(claim),
        "certainty": rows.certainty(analysis),
        "diagnostics": rows.nested(analysis["diagnostics"]),
        "planning": rows.planning(analysis),
        "priors": rows.priors(claim),
        "tests": rows.tests(analysis),
        "readings": rows.readings(claim),
        "observations": rows.observations(analysis),
        "strip": claim_plots.strip(name, analysis, region),
        "blocks": claim_plots.blocks(name, analysis, region),
        "posterior": claim_plots.posterior(name, analysis, region),
        "ranks": claim_plots.ranks(name, analysis),
        "predictive": claim_plots.predictive(name, analysis),
        "power": claim_plots.power(name, analysis),
        "multiverse": claim_plots.multiverse(name, analysis, region, claim["verdict"]),
    }
    return view | {"sure": any(map(view.get, _SURE))}


_SURE = ("blocks", "multiverse", "power", "ranks", "diagnostics", "planning", "priors", "tests")


def _check(claims: list[dict]) -> None:
    ids = [claim["id"] for claim in claims]
    problems = [
        f"claim {i}: the id is used twice" for i in sorted({i for i in ids if ids.count(i) > 1})
    ]
    problems += [
        f"claim {claim['id']}: verdict {claim['verdict']!r} is not one of {VERDICTS}"
        for claim in claims
        if claim["verdict"] not in VERDICTS
    ]
    if problems:
        raise ValueError("statistical_summary.json: " + "; ".join(problems))
