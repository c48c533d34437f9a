"""The validation report as one HTML page."""

from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from kensho.report import plots, tables

HERE = Path(__file__).parent


def build(
    summary: dict,
    evaluation: pd.DataFrame,
    loss: pd.DataFrame,
    drops: pd.DataFrame,
    augmentation: pd.DataFrame,
    kv_grid: pd.DataFrame,
    execution: dict,
) -> str:
    """The report as HTML: self-contained, byte-equal for equal inputs, nothing computed but layout.

    Args:
        summary: content of `statistical_summary.json`; `claims` holds every claim with its
            verdict and its analysis or null, and its registered `region` where there is one.
        evaluation: arm, seed, metric, n, estimate, low, high, difference, difference_low,
            difference_high, unit; NaN in the differences of the base arm.
        loss: arm, seed, step, loss (nats per token).
        drops: stage, reason, count.
        augmentation: technique, outcome, count.
        kv_grid: arm, length, batch, dtype, cache_bytes, closed_form_bytes, equal.
        execution: what the run was; `wall_seconds` is shown in the header, the rest as a list,
            `rules` (rule, jobs, seconds) as a table.

    Raises:
        ValueError: two claims have the same id, or a verdict is not one of the five words.
    """
    claims = [_view(claim) for claim in summary.get("claims", [])]
    _check(claims)
    arms = list(dict.fromkeys(loss.arm))
    limits = (float(loss.loss.min()) * 0.95, float(loss.loss.max()) * 1.02) if arms else (0.0, 1.0)
    return (
        _environment()
        .get_template("template.html.j2")
        .render(
            summary=summary,
            style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
            judged=[claim for claim in claims if claim["verdict"] != "NOT TESTED"],
            untested=[claim for claim in claims if claim["verdict"] == "NOT TESTED"],
            verdicts=tables.VERDICTS,
            tally={v: sum(claim["verdict"] == v for claim in claims) for v in tables.VERDICTS},
            seeds=sorted(loss.seed.unique()),
            losses=[(arm, plots.loss(loss, arm, limits)) for arm in arms],
            evaluation=[
                {**group, "svg": plots.differences(evaluation, group["metric"])}
                for group in tables.evaluation(evaluation)
            ],
            grid=tables.cache_grid(kv_grid),
            cells=len(kv_grid),
            equal=int(kv_grid["equal"].sum()),
            drops=drops.to_dict("records"),
            augmentation=tables.counts(augmentation, "technique", "outcome"),
            execution=execution,
        )
    )


def _view(claim: dict) -> dict:
    """A claim with everything that its card and its rows show."""
    analysis, region = claim.get("analysis") or {}, tables.region(claim)
    return {
        **claim,
        "analysis": analysis,
        "claimed_text": tables.claimed(claim),
        "estimate_text": tables.with_bounds(analysis.get("estimate"), analysis.get("interval")),
        "sources": tables.sources(claim),
        "facts": tables.facts(analysis),
        "posterior_facts": tables.posterior_facts(analysis),
        "readings": tables.readings(claim),
        "observations": tables.observations(analysis),
        "strip": plots.strip(claim["id"], analysis, region),
        "blocks": plots.blocks(claim["id"], analysis, region),
    }


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


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = (
        "number",
        "bounds",
        "probability",
        "size",
        "duration",
        "words",
        "label",
        "unit_suffix",
    )
    environment.filters |= {name: getattr(tables, name) for name in names}
    return environment
