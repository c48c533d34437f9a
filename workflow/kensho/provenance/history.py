"""What a folder's files tell of its runs: heads, attempts, files, sources and claims.

Everything that the crate and its page say is here, and nothing is read but files.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from kensho.claims.model import Claim
from kensho.files import read_json, sha256
from kensho.provenance.settings import Provenance
from kensho.run import budget, events, record
from kensho.run.events import Event, File
from kensho.stats.summary import Judged, summarise

OWN = "provenance"  # the rule that exports, which says nothing of itself
# Texts and answers to them: they may leave only as their sources' licences allow.
TEXTS = re.compile(r"\.jsonl$|^results/data/|^results/jlce")
WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth")
SOURCES = re.compile(r"results/sources/([^/]+)/record\.json")
ANALYSIS = "results/analysis/{}.json"

Status = Literal["completed", "failed", "killed"]


@dataclass(frozen=True)
class Step:
    """A rule of the workflow; paths are relative to it."""

    rule: str
    about: str
    script: str
    environment: str | None


@dataclass(frozen=True)
class Workflow:
    """What an export is told by the head: the rules, the registry, and why claims have no verdict.

    ``repository`` are its files as paths below the folder; ``beside`` as ``Run.beside`` has it,
    but why of each that is ``stale``.
    """

    steps: Sequence[Step]
    claims: Sequence[Claim]
    beside: Mapping[str, Any]
    snakemake: str  # its version
    scale: str
    alpha: float
    budget: budget.Budget
    settings: Provenance
    repository: Collection[str]


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job. ``result`` are the outputs that are still as it left them."""

    start: Event
    end: Event | None
    host: str  # by number
    by: datetime  # when it had ended, of a killed one at the latest
    cost_usd: float | None  # None without a price for what it held
    result: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        return self.start.attempt

    @property
    def status(self) -> Status:
        if self.end is None:
            return "killed"
        return "completed" if self.end.event == "finished" else "failed"

    @property
    def last(self) -> Event:
        """Its end, or its start where that is all there is."""
        return self.end or self.start


@dataclass(frozen=True)
class Head:
    """One call of the workflow; without an end it was killed, or is of a version before ends.

    ``start`` is its first event, of whichever kind.
    """

    id: str
    start: Event
    end: Event | None
    attempts: Sequence[Attempt]

    @property
    def files(self) -> Sequence[File]:
        """Of the configuration."""
        return self.start.head.files if self.start.head else ()


@dataclass(frozen=True)
class Item:
    """A file or folder; one without ``outside`` is in the crate."""

    path: str
    bytes: int | None
    sha256: str | None
    outside: str = ""  # why it is not in the crate
    maker: str | None = None  # attempt whose result it is
    licences: Sequence[str] = ()  # of the texts in it


@dataclass(frozen=True)
class History:
    workflow: Workflow
    heads: Sequence[Head]
    items: Mapping[str, Item]  # by path
    sources: Mapping[str, Mapping[str, Any]]  # records by name
    claims: Sequence[Mapping[str, Any]]  # entries of the summary
    past: Sequence[Event]  # all events, but those of exports
    unknown: Sequence[str]

    @cached_property
    def attempts(self) -> dict[str, Attempt]:
        return {attempt.id: attempt for head in self.heads for attempt in head.attempts}

    def evidence(self, entry: Mapping[str, Any]) -> list[str]:
        """Files that a verdict rests on: the analysis, its observations and their conditions."""
        if entry["analysis"] is None:
            return []
        return evidence_of(entry["id"], entry["analysis"])


def evidence_of(claim: str, analysis: Mapping[str, Any]) -> list[str]:
    """Paths of an analysis, its observations and their conditions."""
    paths = [ANALYSIS.format(claim)]
    for file in analysis["observations"]:
        observations = f"results/{file['file']}"
        paths += [observations, observations.removesuffix(".csv") + ".conditions.json"]
    return paths


def read(root: Path, workflow: Workflow) -> History:
    """The history of a folder.

    Raises ValueError naming a file that is not as its attempt left it.
    """
    past = _told(events.read(root / events.LOG))
    heads = _heads(past, workflow.budget)
    makers = _makers(heads)
    sources = {
        match[1]: read_json(root / path)
        for path in makers
        if (match := SOURCES.fullmatch(path)) and (root / path).is_file()
    }
    items = _made(root, makers) | _repository(root, workflow.repository)
    items |= _used(root, heads, items)
    items = _shared(items, heads, sources, workflow.settings.texts)
    kept = {path for path, item in items.items() if item.maker}
    heads = [
        replace(head, attempts=[_with_result(attempt, makers, kept) for attempt in head.attempts])
        for head in heads
    ]
    claims = _claims(root, workflow, items, heads)
    history = History(workflow, heads, items, sources, claims, past, [])
    return replace(history, unknown=_unknown(history))


# --- heads and attempts


def _told(past: Iterable[Event]) -> list[Event]:
    """Events with their runs, without those of exports and of runs that did nothing else."""
    run, named = "run-0", []
    for place, event in enumerate(past, start=1):
        if event.event == "run":
            run = event.run or f"run-{place}"  # of a version whose heads had no ids
        named.append(event if event.run else replace(event, run=run))
    exporting = {event.run for event in named if event.rule == OWN}
    working = {event.run for event in named if event.event in events.OF_JOBS and event.rule != OWN}
    told = [e for e in named if e.rule != OWN and (e.run in working or e.run not in exporting)]
    used = [event.environment for event in told if event.event != "installed"]
    return [event for event in told if event.event != "installed" or event.environment in used]


def _heads(past: Sequence[Event], settings: budget.Budget) -> list[Head]:
    """Heads with their attempts, each in the order of their starts."""
    last = past[-1].time if past else None
    seconds = {event.attempt: event.seconds for event in budget.attempts(past, last)}
    ends = {e.attempt: e for e in past if e.event in events.OF_JOBS and e.event != "started"}
    hosts: dict[str, str] = {}
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for start in (event for event in past if event.event == "started"):
        host = hosts.setdefault(start.host, f"host-{len(hosts) + 1}")
        price, took = settings.prices.per_hour(start.held), seconds.get(start.attempt)
        cost = price * took / 3600 if price and took is not None else None
        end = ends.get(start.attempt)
        attempts[start.run].append(
            Attempt(start, end, host, end.time if end else _gone(start, past), cost)
        )
    starts = {event.run: event for event in reversed(past)}  # where its head wrote nothing
    starts |= {event.run: event for event in past if event.event == "run"}
    closed = {event.run: event for event in past if event.event == "ended"}
    return [
        Head(run, start, closed.get(run), attempts[run])
        for run, start in sorted(starts.items(), key=lambda item: item[1].time)
    ]


def _gone(start: Event, past: Sequence[Event]) -> datetime:
    """When a killed attempt had ended at the latest: its job or another run began after it."""
    after = past[past.index(start) + 1 :]
    again = (
        event.time
        for event in after
        if event.event == "run" or (event.event == "started" and event.job == start.job)
    )
    return next(again, past[-1].time)


def _makers(heads: Iterable[Head]) -> dict[str, tuple[Attempt, File]]:
    """Of each output the last attempt that completed it, and what it was then."""
    makers: dict[str, tuple[Attempt, File]] = {}
    for attempt in sorted(
        (attempt for head in heads for attempt in head.attempts if attempt.status == "completed"),
        key=lambda attempt: attempt.last.time,
    ):
        makers |= {file.path: (attempt, file) for file in attempt.last.outputs}
    return makers


def _with_result(
    attempt: Attempt, makers: Mapping[str, tuple[Attempt, File]], kept: set[str]
) -> Attempt:
    made = {path for path, (maker, _) in makers.items() if maker.id == attempt.id}
    return replace(attempt, result=frozenset(made & kept)) if made else attempt


# --- files


def _made(root: Path, makers: Mapping[str, tuple[Attempt, File]]) -> dict[str, Item]:
    """Outputs as they are now, each checked against what its attempt left."""
    items = {}
    for path, (attempt, was) in makers.items():
        place = root / path
        if was.sha256 is None or not place.exists():
            items[path] = Item(path, was.bytes, was.sha256, "no longer there")
            continue
        outside = ""
        if place.is_dir():
            outside = "a folder of a model: its digest stands for it"
        elif place.suffix in WEIGHTS:
            outside = "weights: their digest stands for them"
        if record.file(place).sha256 != was.sha256:
            raise ValueError(
                f"{path}: is not what {attempt.start.job} wrote (attempt {attempt.id}); restore "
                "it, or delete it and run the workflow again"
            )
        items[path] = Item(path, was.bytes, was.sha256, outside, attempt.id)
    return items


def _repository(root: Path, paths: Iterable[str]) -> dict[str, Item]:
    return {path: Item(path, (root / path).stat().st_size, sha256(root / path)) for path in paths}


def _used(root: Path, heads: Iterable[Head], items: Mapping[str, Item]) -> dict[str, Item]:
    """Inputs that are no file of the crate as it is: of other places, or as they once were."""
    used = {}
    files = [file for head in heads for attempt in head.attempts for file in attempt.last.inputs]
    files += [file for head in heads for file in head.files]
    for file in files:
        name = version(file, items)
        if name not in items:
            why = "an earlier version" if file.path in items else "not made by this workflow"
            used[name] = Item(name, file.bytes, file.sha256, why)
    return used


def version(file: File, items: Mapping[str, Item]) -> str:
    """The path of an input, with the begin of its sha256 where that file is another by now."""
    item = items.get(file.path)
    if item is None or file.sha256 in (None, item.sha256):
        return file.path
    return f"{file.path}@{file.sha256[:12]}"


def _shared(
    items: dict[str, Item],
    heads: Iterable[Head],
    records: Mapping[str, Mapping[str, Any]],
    allowed: Collection[str],
) -> dict[str, Item]:
    """Texts with the licences of the data sets that they come from, left out where one forbids."""
    attempts = {attempt.id: attempt for head in heads for attempt in head.attempts}
    origins: dict[str, frozenset[str]] = {}

    def sources(path: str) -> frozenset[str]:
        if path in origins:
            return origins[path]
        origins[path] = frozenset()  # of a circle, which there is none of
        item, match = items.get(path), SOURCES.fullmatch(path)
        if match:
            origins[path] = frozenset({match[1]} & records.keys())
        elif item and item.maker:
            inputs = attempts[item.maker].last.inputs
            origins[path] = frozenset().union(*(sources(version(f, items)) for f in inputs))
        return origins[path]

    shared = {}
    for path, item in items.items():
        if item.outside or not TEXTS.search(path):
            shared[path] = item
            continue
        sets = [records[n] for n in sorted(sources(path)) if records[n]["kind"] == "dataset"]
        refused = [r["name"] for r in sets if r["licence_class"] not in allowed]
        outside = (
            f"texts of {', '.join(refused)}, whose licence does not allow it (provenance.texts)"
        )
        licences = tuple(dict.fromkeys(record["licence"] for record in sets))
        shared[path] = replace(item, outside=outside if refused else "", licences=licences)
    return shared


# --- claims


def _claims(
    root: Path, workflow: Workflow, items: Mapping[str, Item], heads: Sequence[Head]
) -> list[dict[str, Any]]:
    """Every claim of the registry with the verdict that holds for the files as they are."""
    attempts = {attempt.id: attempt for head in heads for attempt in head.attempts}
    beside, analyses, stale = workflow.beside, {}, dict(workflow.beside["stale"])
    for claim in workflow.claims:
        path = ANALYSIS.format(claim.id)
        if not (root / path).is_file():
            continue
        analyses[claim.id] = read_json(root / path)
        maker = attempts.get(items[path].maker or "") if path in items else None
        unmade = [
            evidence
            for evidence in evidence_of(claim.id, analyses[claim.id])
            if evidence not in items or not items[evidence].maker
        ]
        if unmade:
            stale.setdefault(claim.id, f"no recorded attempt made {unmade[0]}")
        changed = [f.path for f in maker.last.inputs if "@" in version(f, items)] if maker else []
        if changed:
            stale.setdefault(claim.id, f"{changed[0]} has changed since")
    judged = Judged(analyses, beside["untested"], stale, beside["commands"], beside["kinds"])
    shown = [claim for claim in workflow.claims if claim.id in beside["shown"]]
    return summarise(
        shown, judged, scale=workflow.scale, alpha=workflow.alpha, registry=list(workflow.claims)
    )["claims"]


# --- what is not known


def _unknown(history: History) -> list[str]:
    settings, attempts = history.workflow.settings, history.attempts.values()
    lines = []
    for head in history.heads:
        if head.end is None:
            lines.append(f"how run {head.id} ended: it was killed, or did not write it")
        if not head.start.head:
            lines.append(f"command, configuration and commit of run {head.id}: not recorded then")
    killed = [attempt for attempt in attempts if attempt.status == "killed"]
    lines += [f"why {a.start.job} (attempt {a.id}) ended: it was killed" for a in killed]
    if not history.workflow.budget.prices.any():
        lines.append("what the run cost: no prices are configured (budget.prices)")
    for name, key in (("authors", settings.authors), ("publisher", settings.publisher)):
        if not key:
            lines.append(f"the {name} of this crate: provenance.{name} names nobody")
    if not settings.licence:
        lines.append("the licence of the results: provenance.licence names none")
    return list(dict.fromkeys(lines))
