"""The validation report as one HTML page."""

import pandas as pd

from kensho.report import claim_plots, plots, tables
from kensho.report.templates import render
from kensho.report.text import MISSING

OPTIONAL = ("hardware", "tasks_not_tested", "versions")  # of runs that evaluated models


def build(
    summary: dict,
    execution: dict,
    cost: dict | None = None,
    *,
    evaluation: pd.DataFrame | None = None,
    loss: pd.DataFrame | None = None,
    drops: pd.DataFrame | None = None,
    augmentation: pd.DataFrame | None = None,
    kv_grid: pd.DataFrame | None = None,
) -> str:
    """The report as HTML: self-contained, byte-equal for equal inputs, nothing computed but layout.

    Args:
        summary: of `inputs.summary`: every key that `kensho.stats.summary.summarise` writes, with
            analyses as `kensho.stats.derive.derive` makes them, and the `OPTIONAL` ones.
        execution: of `inputs.execution`; `wall_seconds` is shown in the header.
        cost: of `inputs.cost`; no section where it is empty.
        evaluation: arm, seed, metric, n, estimate, low, high, difference, difference_low,
            difference_high, unit; NaN in the differences of the base arm.
        loss: arm, seed, step, loss (nats per token).
        drops: stage, reason, count.
        augmentation: technique, outcome, count.
        kv_grid: arm, length, batch, dtype, cache_bytes, closed_form_bytes, equal.

    A table that is None or empty has no section.

    Raises:
        ValueError: two claims have the same id, a verdict is not one of the five words, or a key
            is missing.
    """
    _check(summary["claims"])
    claims = [_view(claim) for claim in summary["claims"]]
    judged = [claim for claim in claims if claim["verdict"] != "NOT TESTED"]
    return render(
        "template.html.j2",
        summary={**dict.fromkeys(OPTIONAL), **summary},
        judged=judged,
        untested=[claim for claim in claims if claim["verdict"] == "NOT TESTED"],
        schools=tables.schools(judged),
        multiplicity=tables.multiplicity(judged),
        verdicts=tables.VERDICTS,
        most_units=claim_plots.MOST_UNITS,
        tally={v: sum(claim["verdict"] == v for claim in claims) for v in tables.VERDICTS},
        **(_training(loss) if _held(loss) else {"losses": []}),
        **(_cache(kv_grid) if _held(kv_grid) else {"grid": []}),
        evaluation=[
            {**group, "svg": plots.differences(evaluation, group["metric"])}
            for group in (tables.evaluation(evaluation) if _held(evaluation) else [])
        ],
        drops=drops.to_dict("records") if _held(drops) else [],
        augmentation=(
            tables.counts(augmentation, "technique", "outcome") if _held(augmentation) else None
        ),
        execution=execution,
        cost=cost,
    )


def _held(table: pd.DataFrame | None) -> bool:
    return table is not None and not table.empty


def _training(loss: pd.DataFrame) -> dict:
    limits = (float(loss.loss.min()) * 0.95, float(loss.loss.max()) * 1.02)
    arms = dict.fromkeys(loss.arm)
    return {
        "seeds": sorted(loss.seed.unique()),
        "losses": [(arm, plots.loss(loss, arm, limits)) for arm in arms],
    }


def _cache(kv_grid: pd.DataFrame) -> dict:
    return {
        "grid": tables.cache_grid(kv_grid),
        "cells": len(kv_grid),
        "equal": int(kv_grid["equal"].sum()),
    }


def _view(claim: dict) -> dict:
    """A claim with everything that its card and its rows show."""
    try:
        view = {**claim, "cited": tables.source(claim), "claimed_text": tables.claimed(claim)}
        return view | (_result(claim) if claim["analysis"] else _NO_RESULT)
    except KeyError as error:
        raise ValueError(
            f"statistical_summary.json: claim {claim['id']}: the key {error} is missing; run the "
            "workflow again"
        ) from None


_NO_RESULT = {"estimate_text": MISSING, "changed": "as registered"}


def _result(claim: dict) -> dict:
    name, analysis, region = claim["id"], claim["analysis"], claim["region"]
    view = {
        "edges": tables.edges(claim),
        "estimate_text": tables.estimate(claim),
        "axis": "logarithmic" if analysis["scale"] in tables.LOGARITHMIC else "linear",
        "registered": tables.registered(claim),
        "changed": analysis["registration"]["status"],
        "facts": tables.facts(claim),
        "posterior_facts": tables.posterior_facts(claim),
        "certainty": tables.certainty(analysis),
        "diagnostics": tables.nested(analysis["diagnostics"]),
        "planning": tables.planning(analysis),
        "priors": tables.priors(claim),
        "tests": tables.tests(analysis),
        "readings": tables.readings(claim),
        "observations": tables.observations(analysis),
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
        f"claim {claim['id']}: verdict {claim['verdict']!r} is not one of {tables.VERDICTS}"
        for claim in claims
        if claim["verdict"] not in tables.VERDICTS
    ]
    if problems:
        raise ValueError("statistical_summary.json: " + "; ".join(problems))
