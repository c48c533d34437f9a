"""The crate as one HTML page: verdicts, what each rests on, all that ran, and what is not known."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kensho import __version__
from kensho.claims.model import STALE, Verdict
from kensho.provenance import cards, chain, vocabulary
from kensho.provenance.history import Attempt, Head, History, Item, version
from kensho.report import tables
from kensho.report.templates import render
from kensho.report.text import label, words
from kensho.run.events import File

HERE = Path(__file__).parent
REPORT = "results/validation_report.html"
CODE = ("code", "code_of")  # parameters that are shown as what the attempt says of its code
ELSEWHERE = ("config", "files", "diff")  # of a head: in the log, as files, below its facts
Rows = list[tuple[str, str]]
_NOTHING: tuple = (None, "", [], {})


def build(history: History, graph: Sequence[Mapping[str, Any]]) -> str:
    """``ro-crate-preview.html``: self-contained, byte-equal for equal input.

    Raises ValueError where a claim or an analysis lacks a key.
    """
    root = next(entity for entity in graph if entity["@id"] == "./")
    attempts = {name: _attempt(history, one) for name, one in history.attempts.items()}
    claims = [_claim(history, entry, attempts) for entry in history.claims]
    groups = {word: [c for c in claims if c["verdict"] == word] for word in tables.VERDICTS}
    items = sorted(history.items.values(), key=lambda item: item.path)
    return render(
        "preview.html.j2",
        folder=HERE,
        own_style=Markup((HERE / "preview.css").read_text(encoding="utf-8")),
        graph=_script({"@context": vocabulary.CONTEXT, "@graph": list(graph)}),
        title=root["name"],
        description=root["description"],
        facts=_facts(history),
        groups=groups,
        heads=[_head(head, attempts) for head in history.heads],
        machines=_machines(history.attempts.values()),
        installed=[event for event in history.past if event.event == "installed"],
        sources=history.sources,
        texts=[item for item in items if item.licences and not item.outside],
        outside=[item for item in items if item.outside],
        unknown=history.unknown,
        href=cards.href,
        told=cards.told,
    )


def _script(document: object) -> Markup:
    """JSON that no content can end the element of."""
    return Markup(json.dumps(document, ensure_ascii=False).replace("<", "\\u003c"))


def _facts(history: History) -> Rows:
    settings, attempts = history.workflow.settings, history.attempts.values()
    counts = Counter(attempt.status for attempt in attempts)
    return [
        ("Scale", history.workflow.scale),
        ("Kenshō", __version__),
        ("Snakemake", history.workflow.snakemake),
        ("First attempt", min((_time(a.start.time) for a in attempts), default="none")),
        ("Attempts of jobs", ", ".join(f"{count} {word}" for word, count in counts.items())),
        ("By", ", ".join(author.name for author in settings.authors) or "nobody is named"),
        ("Publisher", settings.publisher.name if settings.publisher else "nobody is named"),
        ("Licence of the results", settings.licence or "none is named"),
    ]


def _known(values: Mapping[str, object]) -> Rows:
    """What is known, exactly: numbers of a record are not rounded or grouped."""
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in values.items()
        if value not in _NOTHING
    ]


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(attempt: Attempt) -> str:
    began, ended = _time(attempt.start.time), _time(attempt.by)
    same_day = began[:11] == ended[:11]
    latest = "" if attempt.end else " at the latest"
    return f"{began} to {ended[11:] if same_day else ended}{latest}"


# --- claims


def _claim(
    history: History, entry: Mapping[str, Any], attempts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A claim with what its card shows, and its chain where it has been judged."""
    claim = dict(entry)
    view = {**claim, "cited": tables.source(claim), "claimed_text": tables.claimed(claim)}
    if entry["verdict"] in (Verdict.NOT_TESTED, STALE):
        return view
    rests = chain.of(history, entry)
    jobs = {attempt.start.job for attempt in rests.attempts.values()}
    made = defaultdict(list)
    for item in rests.files.values():
        made[item.maker].append(item)
    steps = [
        {**shown, "files": made[name]}
        for name, shown in attempts.items()
        if history.attempts[name].start.job in jobs
    ]
    report = history.items.get(REPORT)
    return view | {
        "estimate_text": tables.estimate(claim),
        "report": cards.href(report) if report else None,
        "drawing": cards.drawing(history, entry, rests),
        "steps": sorted(steps, key=lambda step: step["time"]),
        "jobs": len(rests.attempts),
        "sources": rests.sources,
        "ends": rests.ends,
    }


# --- what ran


def _attempt(history: History, attempt: Attempt) -> dict[str, Any]:
    event = attempt.last
    outputs = [_output(history, attempt, file) for file in event.outputs]
    superseded = attempt.status == "completed" and outputs and not attempt.result
    params = {name: value for name, value in event.params.items() if name not in CODE}
    return {
        "id": attempt.id,
        "job": event.job,
        "status": "superseded" if superseded else attempt.status,
        "time": _span(attempt),
        "seconds": event.seconds,
        "host": attempt.host,
        "facts": _known(
            {
                "code": event.code,
                "code of": event.part,
                "parameters": params,
                "cores held": event.held.cores,
                "accelerators held": event.held.devices,
                "device": event.device,
                "SLURM job": event.scheduler,
                "exit status": event.exit,
                "peak memory, bytes": event.peak_bytes,
                "peak memory of the device, bytes": event.device_peak_bytes,
                "cost, USD": attempt.cost_usd,
                "fallbacks": event.fallbacks,
                "distance from the processor": event.device_probe,
                "packages used": event.imported,
            }
        ),
        "cause": event.cause or ("killed before it could say why" if not attempt.end else ""),
        "tail": event.tail,
        "inputs": [
            history.items[version(file, history.items)]
            if file.sha256
            else Item(file.path, file.bytes, None, "what it held then is not recorded")
            for file in event.inputs
        ],
        "outputs": outputs,
    }


def _output(history: History, attempt: Attempt, was: File) -> Item:
    """An output as it is in the crate, or as this attempt left it."""
    if was.path in attempt.result:
        return history.items[was.path]
    return Item(was.path, was.bytes, was.sha256, "no longer as this attempt left it")


def _head(head: Head, attempts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    began, end = head.start.head, head.end
    facts: dict[str, object] = {
        "began": _time(head.start.time),
        "ended": _time(end.time) if end else "not recorded: killed, or of an earlier version",
        "exit status": end.exit if end else None,
        "cause": end.cause if end else None,
    }
    if began:
        facts |= {label(k): v for k, v in asdict(began).items() if k not in ELSEWHERE}
        facts |= {"command": " ".join(began.command), "commit": began.commit or "not known"}
    else:
        facts["command, configuration and commit"] = "not recorded"
    return {
        "id": head.id,
        "facts": _known(facts),
        "diff": began.diff if began else "",
        "attempts": [attempts[attempt.id] for attempt in head.attempts],
    }


def _machines(attempts: Iterable[Attempt]) -> dict[str, Rows]:
    """By host what its attempts say of it; each value once."""
    hosts: dict[str, dict[str, dict[str, None]]] = {}
    for attempt in attempts:
        machine, environment = attempt.last.machine, attempt.last.environment
        known = asdict(machine) if machine else {"hardware": "not recorded"}
        for name, value in {**known, "environment": environment}.items():
            if value not in _NOTHING:
                hosts.setdefault(attempt.host, {}).setdefault(name, {})[words(value)] = None
    return {
        host: [(label(name), "; ".join(values)) for name, values in facts.items()]
        for host, facts in hosts.items()
    }
