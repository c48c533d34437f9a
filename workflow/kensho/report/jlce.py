"""The JLCE page: tasks of Japanese on several models, from the files of their run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from kensho import observations
from kensho.files import read_json
from kensho.jlce import catalogue
from kensho.jlce.catalogue import tasks
from kensho.report import svg, tables, text
from kensho.report.templates import render
from kensho.report.text import absent, number

TASKS = tuple(tasks())
GROUPS = {
    group: tuple(n for n, task in tasks().items() if task.group == group and not task.own)
    for group in catalogue.GROUPS
} | {"Our own, none of the sixteen": tuple(n for n, task in tasks().items() if task.own)}
TITLES = {name: task.title for name, task in tasks().items()}
METRICS = {
    **{"acc": "accuracy", "balanced_acc": "balanced accuracy", "mcc": "Matthews correlation"},
    **{"uas": "UAS", "las": "LAS", "upos_f1": "UPOS F1", "word_f1": "word F1"},
    **{"span_f1": "span F1", "character_f1": "character F1", "chrf": "chrF"},
    **{"bleu": "BLEU of the corpus", "sentence_bleu": "BLEU of sentences, mean"},
    **{"match_by_reading": "exact match, kana by reading", "form_acc": "honorific form"},
    **{"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"},
    **{"style_acc": "style accuracy", "joint": "style × chrF"},
}
# The dataset by which a kind of item is known; as a source it has this name in lower case.
NAMED = {
    **{"reading": "JSQuAD", "nli": "JNLI", "commonsense": "JCommonsenseQA", "sentiment": "MARC-ja"},
    **{"acceptability": "JCoLA", "syntax": "UD-Japanese-GSD"},
    **{"long_units": "UD-Japanese-GSDLUW"},
}
KEY = ["task", "template", "arm", "metric"]
SCORES = [*KEY, "main", "value", "low", "high", "clusters", "items", "chance", "majority", "parsed"]
RANKING = ["models", "score", "rank_probabilities", "average_rank", "friedman", "nemenyi", "tasks"]
RANKING += ["items", "shared", "prior", "sensitivity", "diagnostics"]
CONTAMINATION = ["kind", "cluster", "item", "share"]
WITHHELD = ["holds", "decided", "decided_by_items"]
CONTAMINATED = 0.5  # share of an item's character 13-grams in the training text
SETTLED = 0.95  # probability from which the first place is not called open
TINT = 48  # percent of its colour in the strongest cell: text on it stays readable
PLOT, MARGIN = 224, 14  # CSS pixels of an axis of intervals, and at each of its ends


def read(
    scores: str, ranking: str, origins: str, contamination: str, observed: Iterable[str]
) -> dict:
    """What `build` takes, from the files; tables among `observed` are checked and counted.

    Raises:
        ValueError: a file is missing, lacks a column or was changed after it was written.
    """
    runs = [observations.read(path) for path in observed if str(path).endswith(".csv")]
    return {
        "scores": read_table(scores, SCORES),
        "ranking": read_json(ranking),
        "origins": read_json(origins),
        "contamination": read_table(contamination, CONTAMINATION),
        "arms": [{**conditions, "rows": len(table)} for table, conditions in runs],
    }


def _withheld(table: pd.DataFrame) -> dict[str, float]:
    """Shares of comparisons that means and items decide, and how many limits fail to hold."""
    return {
        "comparisons": len(table),
        "outside": int((~table["holds"]).sum()),
        "by_means": float(table["decided"].mean()),
        "by_items": float(table["decided_by_items"].mean()),
    }


def read_table(path: str | Path, columns: list[str]) -> pd.DataFrame:
    """A CSV in which names stay text and only an empty cell is missing."""
    names = dict.fromkeys(("task", "arm", "metric", "kind", "cluster", "item"), str)
    try:
        table = pd.read_csv(path, dtype=names, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        reason = str(error).strip()
        raise ValueError(f"{path}: not readable ({reason}); delete it and run again") from None
    for column in columns:
        if column not in table:
            raise ValueError(f"{path}: column {column} is missing; delete it and run again")
    return table


def build(
    scores: pd.DataFrame,
    ranking: dict,
    origins: dict,
    contamination: pd.DataFrame,
    arms: list[dict],
    noise: dict | None = None,
    withheld: pd.DataFrame | None = None,
) -> str:
    """The JLCE page as HTML: self-contained, byte-equal for equal inputs, nothing but layout.

    Args:
        scores: columns `SCORES`, one row per task, template, arm and metric.
        ranking: content of `ranking.json`; the models are shown in its order.
        origins: content of `items.json`: kinds (source, licence, attribution, test, of, train by
            kind of item), tasks (kind, main by task), left_out (reasons).
        contamination: columns `CONTAMINATION`, share from 0 to 1.
        arms: conditions of each arm's observations, with the number of these as `rows`.
        noise: what `kensho.evaluate.noise.measured` found, with the model's name and dtype.
        withheld: columns `WITHHELD`, what means alone would decide of every two models.

    Raises:
        ValueError: a task is unknown, a score is given twice, an arm is not in every file, or a
            key is missing.
    """
    _check(scores, ranking, arms)
    try:
        return _page(scores, ranking, origins, contamination, arms, noise, withheld)
    except KeyError as error:
        raise ValueError(f"page jlce: the key {error} is missing; run the workflow again") from None


def _page(
    scores: pd.DataFrame,
    ranking: dict,
    origins: dict,
    contamination: pd.DataFrame,
    arms: list[dict],
    noise: dict | None = None,
    withheld: pd.DataFrame | None = None,
) -> str:
    models, asked = ranking["models"], [one["kind"] for one in origins["tasks"].values()]
    kinds = {kind: origins["kinds"][kind] for kind in dict.fromkeys(asked)}
    task_titles = {
        kind: ", ".join(TITLES[t] for t, one in origins["tasks"].items() if one["kind"] == kind)
        for kind in kinds
    }
    default = scores[scores["main"] & (scores["template"] == 1)]
    return render(
        "jlce.html.j2",
        rehearsal=any(arm["tier"] == "rehearsal" for arm in arms),
        ranking=ranking,
        noise=text.of_batches(noise) if noise else None,
        withheld=_withheld(withheld) if withheld is not None and len(withheld) else None,
        prompts=scores["template"].nunique(),
        plot=_intervals(ranking),
        differing=_differing(ranking["nemenyi"]),
        others=[row["first"] for row in ranking["sensitivity"]],
        settled=SETTLED,
        diagnostics=tables.nested(ranking["diagnostics"]),
        heat=_heat(default, models),
        unranked=[t for t in dict.fromkeys(default["task"]) if t not in ranking["items"]],
        shared=[
            (" · ".join(TITLES[t] for t in group["tasks"]), group["correlation"])
            for group in ranking["shared"]
        ],
        signatures=_signatures(arms),
        missing=[TITLES[task] for task in TASKS if task not in set(default["task"])],
        details={
            task: [_prompt(template, rows, models) for template, rows in part.groupby("template")]
            for task, part in scores.groupby("task")
        },
        titles=TITLES,
        origins={**origins, "kinds": kinds},
        task_titles=task_titles,
        stand_ins=[
            f"{origin['source']} for {NAMED[kind]} ({task_titles[kind]})"
            for kind, origin in kinds.items()
            if kind in NAMED and origin["source"] != NAMED[kind].lower()
        ],
        contamination={
            kind: part.sort_values("share", ascending=False, kind="stable").to_dict("records")
            for kind, part in contamination.groupby("kind", sort=False)
            if kind in kinds
        },
        limit=CONTAMINATED,
        arms=[{**arm, "href": f"benchmark_data/jlce/{quote(arm['arm'])}"} for arm in arms],
        tint=TINT,
        p_value=text.p_value,
    )


def _signatures(arms: list[dict]) -> dict[str, str]:
    """How corpus BLEU was computed, by task; several ways where arms differ."""
    signatures: dict[str, list[str]] = {}
    for arm in arms:
        for task, signature in arm.get("bleu", {}).items():
            signatures.setdefault(task, []).append(signature)
    return {task: "; ".join(dict.fromkeys(several)) for task, several in signatures.items()}


def _differing(nemenyi: dict) -> list[str]:
    """The pairs of models whose average ranks are too far apart for chance."""
    distances = {
        f"{pair['a']} and {pair['b']} (p = {text.p_value(pair['p_value'])})": pair["difference"]
        for pair in nemenyi["pairs"]
    }
    return [line for line, x in distances.items() if abs(x) >= nemenyi["critical_difference"]]


def _check(scores: pd.DataFrame, ranking: dict, arms: list[dict]) -> None:
    for key in RANKING:
        if key not in ranking:
            raise ValueError(f"ranking.json: {key} is missing; delete it and run again")
    for task in sorted(set(scores["task"]) - set(TASKS)):
        raise ValueError(f"scores.csv: unknown task {task}; name it in report/jlce.py, GROUPS")
    for task in sorted(set(ranking["items"]) - set(scores["task"])):
        raise ValueError(
            f"ranking.json: the task {task} has no scores; delete ranking.json and run again"
        )
    for row in scores[scores.duplicated(KEY)].itertuples():
        where = f"{row.task}, prompt {row.template}, {row.arm}, {row.metric}"
        raise ValueError(f"scores.csv: {where} is given twice; delete it and run again")
    named = {"scores.csv": set(scores["arm"]), "the observations": {arm["arm"] for arm in arms}}
    for name, names in named.items():
        for arm in sorted(names ^ set(ranking["models"])):
            raise ValueError(
                f"ranking.json and {name}: the arm {arm} is in only one of them; delete "
                "ranking.json and run again"
            )


def _intervals(ranking: dict) -> dict:
    """Ability of each model in words and in pixels of an axis that holds all and zero."""
    scores = ranking["score"]
    ends = [0.0, *(score[end] for score in scores.values() for end in ("low", "high"))]
    low, high = min(ends), max(ends)

    def place(x: float) -> float:
        return round(MARGIN + (PLOT - 2 * MARGIN) * (x - low) / ((high - low) or 1), 1)

    return {
        "width": PLOT,
        "zero": place(0),
        "ticks": [(place(x), f"{'+' * (x > 0)}{number(x)}") for x in svg.ticks("share", low, high)],
        "rows": {
            model: {
                "text": text.with_bounds(one["mean"], (one["low"], one["high"]), sign=True),
                **{key: place(one[key]) for key in ("low", "mean", "high")},
            }
            for model, one in scores.items()
        },
    }


def _heat(default: pd.DataFrame, models: list[str]) -> dict[str, list[dict]]:
    """Lines of the heat map by group: the main metric of each model with the default prompt."""
    parts = dict(tuple(default.groupby("task")))
    return {
        group: [_line(task, parts[task], models) for task in titles if task in parts]
        for group, titles in GROUPS.items()
        if set(titles) & set(parts)
    }


def _line(task: str, part: pd.DataFrame, models: list[str]) -> dict:
    rows, levels = {row.arm: row for row in part.itertuples()}, part[["chance", "majority"]].max()
    return {
        "task": task,
        "metric": _metric(part["metric"].iloc[0]),
        **{name: number(level, 2) for name, level in levels.items()},
        "cells": [_cell(rows.get(model), levels["chance"]) for model in models],
    }


def _cell(row: Any, chance: float) -> dict | None:
    """Text of a cell, and its tint: percent of the way from chance to 1, or below chance."""
    if row is None or absent(row.value):
        return None
    base = 0 if absent(chance) else chance
    gain = (row.value - base) / ((1 - base) or 1)
    value, low, high = (round(x, 2) + 0 for x in (row.value, row.low, row.high))  # no minus zero
    return {
        "value": number(value, 2),
        "interval": text.bounds((low, high), 2),
        "tint": round(TINT * min(1, abs(gain)), 1),
        "below": gain < 0,
        "above": row.low > base,
    }


def _prompt(template: int, rows: pd.DataFrame, models: list[str]) -> dict:
    """A task with one prompt: its items, a line per metric, percent of answers not read."""
    cells = {
        (row.metric, row.arm): text.with_bounds(row.value, (row.low, row.high))
        for row in rows.itertuples()
    }
    main = list(dict.fromkeys(rows.loc[rows["main"], "metric"]))
    unread = 100 * (1 - rows.groupby("arm")["parsed"].first().reindex(models))
    return {
        "template": template,
        **{key: text.words(sorted(set(rows[key]))) for key in ("items", "clusters")},
        "lines": [
            (_metric(name), name in main, [cells.get((name, m), text.MISSING) for m in models])
            for name in dict.fromkeys([*main, *rows["metric"]])
        ],
        "unread": [] if unread.isna().all() else [number(x, 1) for x in unread],
    }


def _metric(name: str) -> str:
    return METRICS.get(name) or text.label(name)
