"""The page on a corpus: what it holds, what fell and why, what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from kensho.report import svg
from kensho.report.svg import BAND, INK, MUTED, RULE
from kensho.report.templates import render
from kensho.report.text import number, p_value

KEYS = ("stage", "filter", "reason")
EXAMPLES = 3  # of each reason
BINS = 40
PANEL = 172  # CSS pixels of one of many small figures
LEAST = 6  # values of a measure that are worth a picture
VARYING = re.compile(r"\(.*\)|the text '.*'|\d[\d,]*")  # in the reasons of rows that are not read
QUANTILES = {"5 %": 0.05, "median": 0.5, "95 %": 0.95}
# Measures whose threshold FineWeb-2 gives are drawn with it, under the names of its settings.
TITLES = {
    "characters": "characters",
    "lines": "lines",
    "hiragana": "share of hiragana",
    "katakana": "share of katakana",
    "kanji": "share of kanji",
    "latin": "share of Latin letters",
    "digits": "share of digits",
    "punctuation": "share of punctuation",
    "other_scripts": "share of other scripts",
    "japanese": "share of kana and kanji",
    "duplicated_lines": "duplicated lines",
    "punctuated_lines": "lines that end a sentence",
    "newline_ratio": "line ends per word",
    "top_2_grams": "commonest word 2-gram",
    "top_3_grams": "commonest word 3-gram",
    "top_4_grams": "commonest word 4-gram",
    "repetition": "repeated character 5-grams",
    "personal": "patterns of personal information",
}


class Missing(NamedTuple):
    """Tables of :mod:`kensho.data.missing`: shares by field, Little's test, imputations."""

    shares: pd.DataFrame
    test: Mapping[str, Any]
    imputed: pd.DataFrame


@dataclass(frozen=True)
class Quality:
    """Of one corpus: rows read and kept, the values of each measure, drops and examples of them.

    ``summary``: measure, documents, mean, quantiles, of all documents and of those kept;
    ``histograms``: by measure edges, counts of all and of those kept; ``drops``: stage, filter,
    reason, count; ``examples``: the first of each reason with id, text and the id that it is like.
    """

    read: int
    kept: int
    summary: pd.DataFrame
    histograms: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    drops: pd.DataFrame
    examples: pd.DataFrame


def read(measures: Iterable[str], drops: Iterable[str]) -> Quality:
    """Read the tables of all shards, one measure at a time."""
    paths = [*measures]
    kept = _column(paths, "kept").astype(bool)
    rows, histograms = [], {}
    for name in TITLES:
        values = _column(paths, name)
        there = ~np.isnan(values)
        for which, chosen in (("read", values[there]), ("kept", values[there & kept])):
            quantiles = np.quantile(chosen, [*QUANTILES.values()]) if len(chosen) else [np.nan] * 3
            mean = chosen.mean(dtype=float) if len(chosen) else np.nan
            rows.append((name, which, len(chosen), mean, *quantiles))
        if there.sum() >= LEAST:
            high = float(np.quantile(values[there], 0.995))
            edges = np.linspace(0, high if high > 0 else 1, BINS + 1)
            clipped = np.clip(values, edges[0], edges[-1])
            both = [np.histogram(clipped[w], edges)[0] for w in (there, there & kept)]
            histograms[name] = (edges, both[0], both[1])
    columns = ["measure", "documents", "count", "mean", *QUANTILES]
    counted, examples = _drops(drops)
    lost = int(counted["count"].sum())
    unread = int(counted.loc[counted["stage"] == "read", "count"].sum())
    total = len(kept) + unread
    summary = pd.DataFrame(rows, columns=columns)
    return Quality(total, total - lost, summary, histograms, counted, examples)


def _column(paths: Iterable[str], name: str) -> np.ndarray:
    parts = [pq.read_table(path, columns=[name]).column(0).to_numpy() for path in paths]
    return np.concatenate(parts) if parts else np.empty(0)


def _drops(paths: Iterable[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = [*KEYS]
    counts, examples = [], []
    for path in paths:
        table = pq.read_table(path).to_pandas()
        unread = table["stage"] == "read"
        full = table["reason"]
        table["reason"] = full.where(~unread, full.str.replace(VARYING, "…", regex=True))
        table["text"] = table["text"].where(~unread, full)
        counts.append(table.groupby(keys).size().rename("count").reset_index())
        examples.append(table.groupby(keys).head(EXAMPLES))
    if not counts:
        return pd.DataFrame(columns=[*keys, "count"]), pd.DataFrame(columns=[*keys, "id"])
    total = pd.concat(counts).groupby(keys, as_index=False)["count"].sum()
    shown = pd.concat(examples).groupby(keys).head(EXAMPLES)
    return total.sort_values(["stage", "count"], ascending=[False, False]), shown


def table(quality: Quality, missing: Missing, perplexity: pd.DataFrame | None) -> pd.DataFrame:
    """All figures of the page: columns section, name, statistic, value (empty: there is none)."""
    rows: list[tuple[str, str, str, Any]] = [
        ("rows", "rows", "read", quality.read),
        ("rows", "rows", "kept", quality.kept),
    ]
    for drop in quality.drops.itertuples():
        name = ": ".join(filter(None, (drop.filter, drop.reason)))
        rows.append((f"dropped, {drop.stage}", name, "count", drop.count))
    for line in quality.summary.to_dict("records"):
        for statistic in ("count", "mean", *QUANTILES):
            value = line[statistic]
            rows.append(("measures", line["measure"], f"{statistic}, {line['documents']}", value))
    for line in missing.shares.itertuples():
        rows.append(("missing", line.field, "share", line.share))
    rows += [("missing", "Little's test", key, value) for key, value in missing.test.items()]
    for line in missing.imputed.itertuples():
        rows.append(("imputation", line.variable, f"mean, {line.method}", line.mean))
        rows.append(("imputation", line.variable, f"sd, {line.method}", line.sd))
    if perplexity is not None:
        values = perplexity["nat_per_character"].dropna()
        rows.append(("perplexity", "nat per character", "texts", len(values)))
        rows.append(("perplexity", "nat per character", "mean", values.mean()))
    return pd.DataFrame(rows, columns=["section", "name", "statistic", "value"])


def build(
    corpus: str,
    quality: Quality,
    missing: Missing,
    perplexity: pd.DataFrame | None,
    about: Mapping[str, Any],
) -> str:
    """The page as HTML, self-contained; every text of the corpus is escaped.

    Args:
        about: ``licences`` (classes), ``attribution``, ``thresholds`` of FineWeb-2 by measure,
            ``near_duplicate``, and whether it is of a ``rehearsal``.
    """
    examples = quality.examples.to_dict("records")
    drops = [
        {
            **row,
            "share": row["count"] / max(1, quality.read),
            "examples": [
                one
                for one in examples
                if all(one[k] == row[k] for k in ("stage", "filter", "reason"))
            ],
        }
        for row in quality.drops.to_dict("records")
    ]
    figures = [
        (title, _histogram(name, title, *quality.histograms[name], about["thresholds"].get(name)))
        for name, title in TITLES.items()
        if name in quality.histograms
    ]
    if perplexity is not None:
        values = perplexity["nat_per_character"].dropna().to_numpy()
        if len(values) >= LEAST:
            edges = np.linspace(0, values.max(), BINS + 1)
            counts = np.histogram(values, edges)[0]
            title = "nat per character under the base model"
            figures.append((title, _histogram("perplexity", title, edges, counts, counts, None)))
    return render(
        "quality.html.j2",
        rehearsal=about["rehearsal"],
        corpus=corpus,
        about=about,
        quality=quality,
        drops=drops,
        figures=figures,
        summary=[
            {**row, "title": TITLES[row["measure"]]}
            for row in quality.summary.to_dict("records")
            if row["count"]
        ],
        quantiles=[*QUANTILES],
        shares=missing.shares.to_dict("records"),
        test=_of_test(missing.test),
        imputed=missing.imputed.to_dict("records"),
    )


def _of_test(test: Mapping[str, Any]) -> str:
    if test["p"] is None:
        return "There is nothing to test: no number is missing, or too few vary."
    return (
        f"Little's test that numbers are missing completely at random: χ² = "
        f"{number(test['statistic'])}, {test['df']} degrees of freedom, p = {p_value(test['p'])}, "
        f"{test['patterns']} patterns. A small p says that they are not."
    )


def _histogram(
    name: str,
    title: str,
    edges: np.ndarray,
    every: np.ndarray,
    kept: np.ndarray,
    threshold: float | None,
) -> Markup:
    """Documents by a measure: all that were read, and in front those that cleaning kept."""
    figure, axes = svg.figure(height=130, left=38, bottom=24, width=PANEL)
    widths = np.diff(edges)
    axes.bar(edges[:-1], every, widths, align="edge", color=BAND, linewidth=0)
    axes.bar(edges[:-1], kept, widths, align="edge", color=INK, linewidth=0)
    if threshold is not None and threshold <= edges[-1]:
        axes.axvline(threshold, color=MUTED, linewidth=1, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    return svg.inline(figure, f"quality {name}", f"documents by {title}")
