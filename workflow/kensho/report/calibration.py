"""The calibration page: how often the engine is wrong, from the tables of its simulations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from scipy import stats

from kensho.report import svg
from kensho.report.svg import BAND, INK, MUTED, RULE, SERIES
from kensho.report.templates import render
from kensho.report.text import absent, bounds, number, p_value, probability, words

RANKED = 99  # draws among which a true value takes its rank
PANEL = 172  # CSS pixels of one of many small figures
VERDICTS = ("verified", "partial", "failed", "inconclusive")
Row = dict[str, object]


@dataclass(frozen=True)
class Section:
    """One table of the page. `group` heads runs of rows; `columns` maps heads to cell texts.

    `holds` names the column that says whether a line holds, None where lines are only shown.
    """

    key: str
    title: str
    text: str
    group: str
    columns: dict[str, Callable[[Row], str]]
    holds: str | None = None
    bars: bool = False


def _as(show: Callable, key: str) -> Callable[[Row], str]:
    return lambda row: show(row[key])


def _limits(row: Row) -> str:
    return bounds([row["low"], row["high"]])


SECTIONS = (
    Section(
        "acceptance",
        "Acceptance",
        "What the closed-form engine must keep, each line with its value and its limits.",
        "check",
        {"Subject": _as(words, "subject"), "Value": _as(number, "value"), "Limits": _limits},
        "holds",
    ),
    Section(
        "characteristics",
        "Operating characteristics",
        "Simulated data with a known truth, judged by the shipped rule: at the centre of the "
        "claimed region, at its ends, outside it, and at no effect. Coverage is that of the "
        "interval.",
        "claim_type",
        {
            "Truth": _as(words, "truth"),
            "n": _as(number, "n"),
            "Runs": _as(number, "replications"),
            "Coverage": _as(probability, "coverage"),
            **{name.upper(): _as(probability, name) for name in VERDICTS},
        },
        bars=True,
    ),
    Section(
        "sbc",
        "Simulation-based calibration",
        "Parameters drawn from the prior, data from the model, and the rank of the truth "
        "among posterior draws, which is uniform if prior, likelihood and sampler agree. KS "
        "and z² decide, χ² is shown.",
        "model",
        {
            "Quantity": _as(words, "quantity"),
            "KS": _as(p_value, "ks_p"),
            "χ²": _as(p_value, "chi2_p"),
            "z²": _as(p_value, "z2_p"),
        },
        "passes",
    ),
    Section(
        "coverage",
        "Coverage of the Bayesian path",
        "Data simulated at fixed parameters: how often the 95 % equal-tailed interval holds "
        "the truth, and how often the verdict is that of the closed form.",
        "model",
        {
            "Truth": _as(words, "truth"),
            "Runs": _as(number, "replications"),
            "Coverage": _as(probability, "coverage"),
            "Agreement": _as(probability, "agreement"),
        },
        "holds",
    ),
    Section(
        "binary",
        "Calibration of P(region)",
        "Of the cases in which the claimed region has the posterior probability p, a share p "
        "must lie in it. Bars: 99.9 % binomial bands; a dot outside its bar is open.",
        "model",
        {
            "P(region) from": _as(words, "bin"),
            "Cases": _as(number, "n"),
            "Mean P": _as(probability, "mean_p"),
            "Share in the region": _as(probability, "share"),
            "Band": _limits,
        },
        "holds",
    ),
    Section(
        "formula",
        "Contrasts of formulas",
        "Small awkward tables: how often the interval of a formula's contrast holds the truth and "
        "the rule errs where the truth is an end of the region, and the ranks of true values "
        "among posterior draws of the models that bambi builds.",
        "check",
        {"Subject": _as(words, "subject"), "Value": _as(number, "value"), "Limits": _limits},
        "holds",
    ),
    Section(
        "audit",
        "Audit of published figures",
        "Random consistent figures, none of which may be called impossible, and the same with one "
        "planted error: of errors that are certain 0.95 must be found. Power is the share of all "
        "planted errors that is found, by the number of items (parts, players) and of decimals.",
        "check",
        {
            "Items": _as(number, "n"),
            "Decimals": _as(number, "decimals"),
            "Runs": _as(number, "replications"),
            "False alarms": _as(number, "false_alarms"),
            "Certain errors": _as(number, "certain"),
            "Of these found": _as(probability, "found"),
            "Power": _as(probability, "power"),
        },
        "holds",
    ),
    Section(
        "mutants",
        "Planted faults",
        "Faults put into the engine on purpose, each with the check that must see it. The "
        "engine without a fault must pass the same checks.",
        "mutant",
        {
            "Check": _as(words, "check"),
            "Value": _as(number, "value"),
            "Limit": _as(number, "limit"),
        },
        "killed",
    ),
    Section(
        "adversarial",
        "Bad data",
        "Data that break the assumptions, with the truth outside the claimed region: the "
        "share of wrong VERIFIED.",
        "",
        {
            "Case": _as(words, "case"),
            "Runs": _as(number, "replications"),
            "Wrong VERIFIED": _as(probability, "wrong_verified"),
            "Limit": _as(number, "limit"),
        },
        "holds",
    ),
    Section(
        "metamorphic",
        "Relations",
        "Changes of the data that must leave the verdict as it is, or turn it round.",
        "relation",
        {"Design": _as(words, "design")},
        "holds",
    ),
)


def read(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """Tables by the names of their CSV files. Only an empty cell is missing: `null` is a truth."""
    return {
        Path(path).stem: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in paths
    }


def build(tables: dict[str, pd.DataFrame], meta: dict) -> str:
    """The calibration page as HTML, self-contained, byte-equal for equal inputs.

    Args:
        tables: by name, with the columns of `SECTIONS`; one that is missing is said not to have
            run. `ranks` (model, quantity, rank of 0 to 99) is drawn beside `sbc`.
        meta: `size`, `engine` (digest), `versions` (name: version).

    Raises:
        ValueError: a table lacks a column.
    """
    lines = {section.key: _lines(section, tables.get(section.key)) for section in SECTIONS}
    figures = {"sbc": _rank_figures(tables), "binary": _reliability_figures(tables)}
    sections = [
        {**vars(section), "figures": figures.get(section.key), **_shown(lines[section.key])}
        for section in SECTIONS
    ]
    judged = [line for group in lines.values() for line in group if line["holds"] is not None]
    return render(
        "calibration.html.j2",
        meta=meta,
        sections=sections,
        broken=[line for line in judged if not line["holds"]],
        count=len(judged),
        verdicts=VERDICTS,
    )


def _lines(section: Section, table: pd.DataFrame | None) -> list[dict]:
    """Lines of a section as the template shows them; none where it was not run."""
    if table is None or table.empty:
        return []
    try:
        return [_line(section, row) for row in table.to_dict("records")]
    except KeyError as error:
        raise ValueError(
            f"calibration table {section.key}: column {error} is missing; run it again"
        ) from None


def _shown(lines: list[dict]) -> dict:
    """Lines under the heads of their groups; many judged ones are folded, for they are counted."""
    heads = dict.fromkeys(line["group"] for line in lines)
    judged = [line["holds"] for line in lines if line["holds"] is not None]
    return {
        "groups": {head: [line for line in lines if line["group"] == head] for head in heads},
        "count": len(lines),
        "holding": judged.count(True) if judged else None,
        "open": len(judged) <= 24,
    }


def _line(section: Section, row: Row) -> dict:
    answer = row[section.holds] if section.holds else None
    holds = not absent(answer) and bool(answer) if section.holds else None
    group = words(row[section.group]) if section.group else ""
    if section.key == "mutants" and group == "none":  # the engine itself is not to be killed
        holds, group = not holds, "none, the engine as shipped"
    shares = [row[verdict] for verdict in VERDICTS] if section.bars else []
    cells = [show(row) for show in section.columns.values()]
    return {
        "section": section.title,
        "group": group,
        "cells": cells,
        "holds": holds,
        "shares": [0 if absent(share) else round(100 * float(str(share)), 2) for share in shares],
    }


def _rank_figures(tables: dict[str, pd.DataFrame]) -> list[tuple[str, Markup]]:
    if tables.get("ranks") is None:
        return []
    groups = tables["ranks"].groupby(["model", "quantity"], sort=False)["rank"]
    return [
        (f"{model}: {what}", rank_ecdf(model, what, r.to_numpy())) for (model, what), r in groups
    ]


def rank_ecdf(model: str, quantity: str, ranks: np.ndarray) -> Markup:
    """ECDF of ranks minus that of the uniform, with the 99 % band of the Kolmogorov statistic."""
    steps = np.arange(RANKED + 1)
    uniform = (steps + 1) / (RANKED + 1)
    difference = (ranks[:, None] <= steps).mean(0) - uniform
    limit = float(stats.kstwo.ppf(0.99, ranks.size))
    inside = np.abs(difference).max() <= limit
    figure, axes = svg.figure(height=92, left=6, bottom=8, right=6, width=PANEL)
    axes.axhspan(-limit, limit, color=BAND, linewidth=0)
    axes.axhline(0, color=RULE, linewidth=0.8)
    axes.step(uniform, difference, where="post", color=SERIES[0 if inside else 1], linewidth=1.4)
    span = 1.15 * max(limit, np.abs(difference).max())
    axes.set(xlim=(0, 1), ylim=(-span, span), xticks=[], yticks=[])
    text = (
        f"{model}, {quantity}: ECDF of {ranks.size} ranks {'in' if inside else 'out'}side its band"
    )
    return svg.inline(figure, f"ecdf {model} {quantity}", text)


def _reliability_figures(tables: dict[str, pd.DataFrame]) -> list[tuple[str, Markup]]:
    if tables.get("binary") is None:
        return []
    groups = tables["binary"].groupby("model", sort=False)
    return [(model, reliability(model, part)) for model, part in groups]


def reliability(model: str, bins: pd.DataFrame) -> Markup:
    """Share of cases in the region over their posterior probability, with binomial bands."""
    figure, axes = svg.figure(height=PANEL, left=26, bottom=20, right=8, width=PANEL)
    axes.plot([0, 1], [0, 1], ":", color=MUTED, linewidth=1)
    axes.vlines(bins.mean_p, bins.low, bins.high, color=SERIES[0], linewidth=4, alpha=0.3)
    inside = bins["holds"].astype(bool)
    for part, colour, face in ((bins[inside], INK, INK), (bins[~inside], SERIES[1], "none")):
        axes.plot(part.mean_p, part.share, "o", markersize=5, markeredgecolor=colour, color=face)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    text = f"{model}: share of cases in the region over their probability"
    return svg.inline(figure, f"reliability {model}", text)
