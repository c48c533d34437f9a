"""What ran, as entities: heads, the attempts of jobs, their parameters and machines."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kensho.provenance import vocabulary as terms
from kensho.provenance.history import SOURCES, Attempt, Head, History, Item, Step, version

MAIN = "Snakefile"
SETTINGS = ("command", "targets", "config", "commit", "changed", "diff", "plan")  # of a head
LOST = "killed before it could say why, or not recorded"

Entity = dict[str, Any]


def link(item: Item | str) -> Entity:
    """A reference to a file in the crate, or to what stands for one that is not."""
    if isinstance(item, str):
        return {"@id": item}
    return {"@id": ("#" if item.outside else "") + quote(item.path)}


def entity(identifier: str, kind: str | Sequence[str], /, **properties: Any) -> Entity:
    """An entity without what is unknown or empty; a list of one is its element."""
    entry: Entity = {"@id": identifier, "@type": kind}
    for name, value in properties.items():
        if value is None or value in ("", [], ()):
            continue
        single = isinstance(value, list) and len(value) == 1
        entry[name] = value[0] if single else value
    return entry


def stamp(time: datetime) -> str:
    """A time as the profile's checks read it."""
    return time.isoformat(timespec="milliseconds")


class Actions:
    """Entities of all that ran; ``values`` and ``inputs`` (of each tool) fill as they are made."""

    def __init__(self, history: History, agents: Sequence[Entity]):
        self.history, self.items, self.agents = history, history.items, list(agents)
        ran = {attempt.start.rule for attempt in history.attempts.values()}
        known = {step.rule: step for step in history.workflow.steps if step.rule in ran}
        earlier = "a rule that this version of the workflow has no longer"
        self.steps = known | {r: Step(r, earlier, MAIN, None) for r in sorted(ran - known.keys())}
        self.values: dict[str, Entity] = {}  # parameters and their values, by id
        self.inputs: dict[str, list[Entity]] = {}  # formal parameters, by tool
        self.entities = [entry for head in history.heads for entry in self._head(head)]

    def _head(self, head: Head) -> Iterable[Entity]:
        run, engine = f"#run-{head.id}", f"#engine-{head.id}"
        status = terms.FAILED
        if head.end and head.end.exit == 0:
            status = terms.COMPLETED
        made = [p for attempt in head.attempts for p in sorted(attempt.result)]
        pages = [p for p in made if p.endswith(".html") and not self.items[p].outside]
        last = max((attempt.by for attempt in head.attempts), default=head.start.time)
        inputs = [link(self.items[version(file, self.items)]) for file in head.files]
        environment = []
        if recorded := head.start.head:
            whole = {name: getattr(recorded, name) for name in SETTINGS}
            inputs += self._parameters("workflow", MAIN, whole)
            environment = self._named("environment", recorded.variables)
        about = f"One call of the workflow with {len(head.attempts)} attempts of jobs"
        yield entity(
            run,
            "CreateAction" if made else "ActivateAction",
            name=f"Run {head.id}",
            description=about if head.end else f"{about}; how it ended was not recorded",
            instrument=link(MAIN),
            agent=self.agents,
            startTime=stamp(head.start.time),
            endTime=stamp(head.end.time if head.end else last),
            actionStatus=status,
            error=None if status == terms.COMPLETED else head.end.cause if head.end else LOST,
            object=inputs,
            environment=environment,
            result=[link(self.items[path]) for path in pages or made],
        )
        if not head.attempts:
            return
        yield entity(
            engine,
            "OrganizeAction",
            name=f"Snakemake in run {head.id}",
            instrument=link("#snakemake"),
            agent=self.agents,
            startTime=stamp(head.start.time),
            endTime=stamp(head.end.time if head.end else last),
            object=[link(f"#control-{attempt.id}") for attempt in head.attempts],
            result=link(run),
        )
        for attempt in head.attempts:
            step = self.steps[attempt.start.rule]
            yield entity(
                f"#control-{attempt.id}",
                "ControlAction",
                name=f"Start of {attempt.start.job}",
                instrument=link(f"#step-{step.rule}"),
                object=link(f"#attempt-{attempt.id}"),
            )
            yield from self._attempt(attempt, step)

    def _attempt(self, attempt: Attempt, step: Step) -> Iterable[Entity]:
        event = attempt.last
        made = [self.items[path] for path in sorted(attempt.result)]
        inputs = [link(self.items[version(file, self.items)]) for file in event.inputs]
        if (source := event.wildcards.get("source")) and any(
            SOURCES.fullmatch(file.path) for file in event.outputs
        ):
            inputs.append(link(f"#source-{source}"))
        completed = attempt.status == "completed"
        usage = [*self._usage(attempt)]
        lines = [f"{attempt.status} on {attempt.host}", *event.fallbacks]
        if completed and event.outputs and not made:
            lines.append("superseded: a later attempt made its outputs anew")
        if event.scheduler:
            lines.append(f"SLURM job {event.scheduler}")
        if event.tail:
            lines.append("log: " + " | ".join(event.tail))
        yield entity(
            f"#attempt-{attempt.id}",
            "CreateAction" if made else "ActivateAction",
            name=event.job,
            description="; ".join(lines),
            instrument=link(step.script),
            agent=self.agents,
            startTime=stamp(attempt.start.time),
            endTime=stamp(attempt.by),
            actionStatus=terms.COMPLETED if completed else terms.FAILED,
            error=None if completed else event.cause or LOST,
            object=[*inputs, *self._parameters(step.rule, step.script, event.params)],
            result=[link(item) for item in made],
            additionalProperty=self._named("condition", self._conditions(attempt)),
            resourceUsage=[link(entry["@id"]) for entry in usage],
        )
        yield from usage

    def _usage(self, attempt: Attempt) -> Iterable[Entity]:
        event = attempt.last
        measured = {
            "seconds": event.seconds,
            "cores": event.held.cores or None,
            "devices": event.held.devices or None,
            "peak_bytes": event.peak_bytes,
            "device_peak_bytes": event.device_peak_bytes,
            "cost_usd": attempt.cost_usd,
        }
        for name, value in measured.items():
            if value is not None:
                quantity, unit = terms.USAGE[name]
                yield entity(
                    f"#usage-{attempt.id}-{name}",
                    "PropertyValue",
                    name=quantity,
                    propertyID=f"#{name}",
                    value=str(value),
                    unitCode=unit,
                )

    def _conditions(self, attempt: Attempt) -> dict[str, Any]:
        """Machine, code and packages of an attempt."""
        event = attempt.last
        machine = asdict(event.machine) if event.machine else {}
        installed = (e for e in self.history.past if e.event == "installed")
        packages = next((e.packages for e in installed if e.environment == event.environment), {})
        environment = {f"environment {name}": value for name, value in event.environment.items()}
        return {
            "host": attempt.host,
            "code": event.code,
            **machine,
            **environment,
            "packages": packages,
            "imported": event.imported,
        }

    def _named(self, owner: str, known: Mapping[str, Any]) -> list[Entity]:
        return [
            link(self._value(owner, name, value, None))
            for name, value in known.items()
            if value not in (None, "", [], {})
        ]

    def _parameters(self, owner: str, tool: str, params: Mapping[str, Any]) -> list[Entity]:
        return [
            link(self._value(owner, name, value, tool))
            for name, value in params.items()
            if value not in (None, "", [], {})
        ]

    def _value(self, owner: str, name: str, value: Any, tool: str | None) -> str:
        """The id of a value; of a parameter also what it is an example of."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        mark = hashlib.sha256(text.encode()).hexdigest()[:12]
        identifier = f"#value-{owner}-{quote(name)}-{mark}"
        entry = entity(identifier, "PropertyValue", name=name, value=text)
        if tool:
            parameter = f"#parameter-{owner}-{quote(name)}"
            if parameter not in self.values:
                self.values[parameter] = entity(
                    parameter, "FormalParameter", name=name, additionalType="PropertyValue"
                )
                self.inputs.setdefault(tool, []).append(link(parameter))
            entry["exampleOfWork"] = link(parameter)
        self.values.setdefault(identifier, entry)
        return identifier
