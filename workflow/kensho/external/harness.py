"""What lm-evaluation-harness writes: logs of samples, and means of tasks.

As of 0.4.13, and as far back as 0.4.0 (logs) and 0.3 (results).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from kensho.claims.base import ExternalTable
from kensho.external.kinds import expect
from kensho.external.records import document, objects
from kensho.external.rows import (
    AVERAGE,
    At,
    Evidence,
    Row,
    block,
    choice,
    dig,
    known,
    need,
    number,
    owner,
    text,
)
from kensho.external.wanted import Experiment

LOG_NAME = re.compile(r"samples_(.+)_\d{4}-\d{2}-\d{2}T.*\.jsonl(\.gz)?")
# Keys of a sample that are no metric.
SAMPLE = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}


def samples(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Rows of one log; its documents are items, `doc_id` names them unless `item` does."""
    expect(table.path, table.format)
    named = LOG_NAME.fullmatch(Path(table.path).name)
    where, filters = None, set()
    for where, line in objects(table):
        filters.add(name := str(line.get("filter", "none")))
        if table.filter is None and len(filters) > 1:
            filters |= {str(line.get("filter", "none")) for _, line in objects(table)}
            choice("filter", None, filters, table.path)
        if table.filter not in (None, name):
            continue
        metric = table.metric or choice("metric", None, _metrics(line), where)
        text(metric, "metric", where)
        logged = line.get("doc")
        doc = logged if isinstance(logged, dict) else {}
        item = need(doc, table.item, where) if table.item else need(line, "doc_id", where)
        cluster = need(doc, table.cluster, where) if table.cluster else None
        task = table.task or line.get("task") or (named and named[1])
        yield Row(
            owner(table),
            metric,
            block(experiment.levels, item, cluster, task, where),
            number(_metric(line, metric, where), metric, where),
            where.place,
            evidence=evidence(line, doc, task),
        )
    if where is None:
        raise ValueError(f"{table.path}: holds no result")
    choice("filter", table.filter, filters, table.path)


def _metrics(line: Mapping) -> list[str]:
    """Metrics of a sample: those that it lists, else whatever is a number."""
    listed = line.get("metrics")
    if isinstance(listed, list) and listed:
        return [str(name) for name in listed]
    return [k for k, v in line.items() if k not in SAMPLE and isinstance(v, int | float)]


def _metric(line: Mapping, metric: str, where: At) -> object:
    try:
        return dig(line, metric)
    except KeyError:
        raise ValueError(f"{where}: no {metric}, {known(metric, _metrics(line))}") from None


def evidence(line: Mapping, doc: Mapping, task: object) -> Evidence:
    """What a sample says of its document.

    The harness's own hash comes first: a task may have written an answer into the logged document,
    or its publisher may have cut it. Where there is none, the harness's formula gives it. A
    document without any text (a running number) could be any, and tells nothing.
    """
    own, target = line.get("doc_hash") or None, line.get("target")
    spelt = json.dumps(doc, indent=2, ensure_ascii=False).encode(errors="replace")
    logged = hashlib.sha256(spelt).hexdigest()
    of_logged = own in (None, logged)
    texts = list(_texts(doc))
    return Evidence(
        str(own) if own else logged if doc else None,
        str(own) if not of_logged else digest(texts) if texts else None,
        digest(doc) if doc and of_logged else None,
        _prompt(line.get("arguments")),
        None if target is None else digest(str(target)),
        None if task is None else str(task),
    )


def digest(value: object) -> str:
    """Digest of a value's canonical JSON: the order of keys does not matter."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _texts(value: object) -> Iterator[str]:
    """Texts with a letter in it; of names (q/17) the letters, since they may be numbered."""
    if isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
    elif isinstance(value, str) and any(c.isalpha() for c in value):
        yield re.sub("[0-9]", "", value) if re.fullmatch(r"[!-~]+", value) else value


def _prompt(arguments: object) -> str | None:
    """Digest of what was asked: the texts among a sample's arguments, in old and new form."""
    if isinstance(arguments, Mapping):  # {gen_args_0: {arg_0: ..., arg_1: ...}}
        arguments = [
            list(call.values()) if isinstance(call, Mapping) else call
            for call in arguments.values()
        ]
    if not isinstance(arguments, list):
        return None
    calls = [call if isinstance(call, list) else [call] for call in arguments]
    texts = [[part for part in call if isinstance(part, str)] for call in calls]
    return digest(texts) if any(part.strip() for call in texts for part in call) else None


def results(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Means of tasks, each a unit; groups and averages are left out, being no tasks of their own.

    The version of a task is what two arms must have in common, and the number of examples shown.
    """
    expect(table.path, table.format)
    whole = document(table)
    means = whole.get("results") if isinstance(whole, dict) else None
    if not isinstance(means, dict) or not all(isinstance(m, dict) for m in means.values()):
        raise ValueError(f"{table.path}: holds no results of tasks")
    groups, tasks_of, versions, shots = (
        section if isinstance(section := whole.get(key), dict) else {}
        for key in ("groups", "group_subtasks", "versions", "n-shot")
    )
    place = 0
    for task, scores in means.items():
        if task in groups or tasks_of.get(task) or AVERAGE.fullmatch(task):
            continue
        place += 1
        where = At(table, place)
        metric, value = _mean(table, scores, where)
        version, shot = (
            None if of.get(task) is None else str(of[task]) for of in (versions, shots)
        )
        yield Row(
            owner(table),
            metric,
            block(experiment.levels, None, None, task, where),
            number(value, metric, where),
            place,
            evidence=Evidence(version, version and digest([task, version]), shots=shot),
        )
    if not place:
        raise ValueError(f"{table.path}: holds no result")


def _mean(table: ExternalTable, scores: Mapping, where: At) -> tuple[str, object]:
    """Metric and its value; since 0.4 a key is "acc,none", metric and filter."""
    by_metric: dict[str, dict[str, object]] = {}
    new = any("," in key for key in scores)
    for key, value in scores.items():
        metric, comma, filtered = key.partition(",")
        if isinstance(value, int | float) and not metric.endswith("_stderr") and (comma or not new):
            by_metric.setdefault(metric, {})[filtered or "none"] = value
    metric = choice("metric", table.metric, by_metric, where)
    filters = by_metric[metric]
    return metric, filters[choice("filter", table.filter, filters, where)]
