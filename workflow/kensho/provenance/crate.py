"""The history of a folder as the graph of a Provenance Run Crate.

What rests on what: claim <- review -> evidence <- judging attempt -> observations <- evaluation
-> trainings -> corpus -> source. Nobody and nothing is added to what the history holds.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from kensho import __version__
from kensho.claims.model import STALE, Verdict
from kensho.messages import site
from kensho.provenance import vocabulary as terms
from kensho.provenance.history import SOURCES, Attempt, Head, History, Item, Step, version
from kensho.report.tables import source as document

MAIN = "Snakefile"
ENGINE = f"{terms.SNAKEMAKE}/"
METADATA, PREVIEW = "ro-crate-metadata.json", "ro-crate-preview.html"
WORKFLOW_LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"
PAGES = (".html",)

Entity = dict[str, Any]


def graph(history: History, made: Iterable[Item]) -> list[Entity]:
    """The entities of ``ro-crate-metadata.json``, each once, in a fixed order.

    ``made`` are files that the export itself makes.
    """
    return [*_Graph(history, list(made)).entities()]


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


class _Graph:
    def __init__(self, history: History, made: list[Item]):
        self.history, self.made = history, made
        self.items = history.items
        ran = {attempt.start.rule for attempt in history.attempts.values()}
        self.steps = {step.rule: step for step in history.workflow.steps if step.rule in ran}
        self.values: dict[str, Entity] = {}  # parameters and their values, by id
        self.inputs: dict[str, list[Entity]] = {}  # formal parameters of each tool
        self.settings = history.workflow.settings

    def entities(self) -> Iterable[Entity]:
        heads = [entry for head in self.history.heads for entry in self._head(head)]
        people = [*self._people()]
        yield from self._root()
        yield from self._workflow()
        yield from (self._item(item) for item in self._inside() + self._outside())
        yield from people
        yield from heads
        yield from self.values.values()
        yield from self._sources()
        for entry in self.history.claims:
            yield from self._claim(entry)

    # --- the crate and its workflow

    def _root(self) -> Iterable[Entity]:
        settings, heads = self.settings, self.history.heads
        last = max((attempt.last.time for attempt in self.history.attempts.values()), default=None)
        profiles = [link(address) for address in terms.PROFILES]
        yield entity(
            METADATA,
            "CreativeWork",
            about=link("./"),
            conformsTo=[link(terms.RO_CRATE), link(terms.WORKFLOW_CRATE)],
        )
        actions = [link(f"#run-{head.id}") for head in heads]
        actions += [link(f"#attempt-{name}") for name in self.history.attempts]
        licence = settings.licence or "#licence-of-results"
        yield entity(
            "./",
            "Dataset",
            name=settings.title or "Kenshō: claims in, verdicts out",
            description=settings.description or self._summary(),
            datePublished=last and last.isoformat(timespec="milliseconds"),
            license=link(licence),
            author=[link(identifier) for identifier, _ in self._authors()],
            publisher=settings.publisher and link(settings.publisher.url),
            conformsTo=profiles,
            mainEntity=link(MAIN),
            hasPart=[link(item) for item in self._inside()],
            mentions=[*actions, *(link(f"#review-{c['id']}") for c in self.history.claims)],
        )
        for address, (name, number) in terms.PROFILES.items():
            yield entity(address, "CreativeWork", name=name, version=number)
        yield entity(
            licence,
            "CreativeWork",
            name=settings.licence or "not named",
            description="of the results"
            if settings.licence
            else "whoever made these results has named no licence (provenance.licence)",
            url=settings.licence,
        )
        yield entity(
            WORKFLOW_LICENCE, "CreativeWork", name="Apache-2.0", description="of the workflow"
        )

    def _summary(self) -> str:
        words = [entry["verdict"] for entry in self.history.claims]
        counts = {word: words.count(word) for word in [*Verdict, STALE] if word in words}
        listed = ", ".join(f"{count} {word}" for word, count in counts.items())
        return f"Verdicts on published claims, with all they rest on: {listed}."

    def _authors(self) -> list[tuple[str, Any]]:
        return [
            (f"https://orcid.org/{a.orcid}" if a.orcid else f"#author-{number}", a)
            for number, a in enumerate(self.settings.authors, start=1)
        ]

    def _people(self) -> Iterable[Entity]:
        organisations = {}
        for identifier, author in self._authors():
            where = author.affiliation and f"#{quote(author.affiliation)}"
            if author.affiliation_url:
                where = author.affiliation_url
            if where:
                organisations[where] = entity(
                    where, "Organization", name=author.affiliation, url=author.affiliation_url
                )
            yield entity(identifier, "Person", name=author.name, affiliation=where and link(where))
        if publisher := self.settings.publisher:
            organisations[publisher.url] = entity(
                publisher.url, "Organization", name=publisher.name, url=publisher.url
            )
        yield from organisations.values()

    def _workflow(self) -> Iterable[Entity]:
        tools = list(dict.fromkeys(step.script for step in self.steps.values()))
        yield entity(
            "#language-snakemake",
            "ComputerLanguage",
            name="Snakemake",
            identifier=link(ENGINE),
            url=link(ENGINE),
        )
        yield entity(
            "#snakemake",
            "SoftwareApplication",
            name="Snakemake",
            url=ENGINE,
            softwareVersion=self.history.workflow.snakemake,
        )
        yield entity(terms.COMPUTATIONAL_WORKFLOW, "CreativeWork", name="ComputationalWorkflow")
        for place, step in enumerate(self.steps.values(), start=1):
            yield entity(
                f"#step-{step.rule}",
                "HowToStep",
                name=step.rule,
                description=step.about,
                position=str(place),
                workExample=link(step.script),
            )
        environments = {s.environment for s in self.steps.values() if s.environment}
        if environments:
            yield entity(terms.CONDA, "CreativeWork", name="conda environment file")
        self.tools, self.environments = tools, environments

    # --- files

    def _inside(self) -> list[Item]:
        items = [item for item in self.items.values() if not item.outside]
        return sorted([*items, *self.made], key=lambda item: item.path)

    def _outside(self) -> list[Item]:
        items = (item for item in self.items.values() if item.outside)
        return sorted(items, key=lambda item: item.path)

    def _item(self, item: Item) -> Entity:
        path = PurePosixPath(item.path)
        kind: str | list[str] = "CreativeWork" if item.outside else "File"
        entry = entity(
            link(item)["@id"],
            kind,
            name=path.name if item.outside else item.path,
            description=f"not in the crate: {item.outside}" if item.outside else None,
            encodingFormat=terms.FORMATS.get(path.suffix, None if item.outside else "text/plain"),
            contentSize=None if item.bytes is None else str(item.bytes),
            sha256=item.sha256,
            license="; ".join(item.licences),
        )
        if item.path == MAIN:
            entry["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
            entry |= entity(
                MAIN,
                entry["@type"],
                name="Kenshō",
                conformsTo=link(terms.COMPUTATIONAL_WORKFLOW),
                programmingLanguage=link("#language-snakemake"),
                version=__version__,
                license=link(WORKFLOW_LICENCE),
                url=MAIN,
                step=[link(f"#step-{rule}") for rule in self.steps],
                hasPart=[link(tool) for tool in self.tools],
            )
        elif item.path in self.tools:
            entry["@type"] = ["File", "SoftwareSourceCode"]
            step = next(s for s in self.steps.values() if s.script == item.path)
            entry |= entity(
                item.path,
                entry["@type"],
                version=__version__,
                input=self.inputs.get(item.path),
                url=item.path,
                buildInstructions=step.environment and link(step.environment),
            )
        elif item.path in self.environments:
            entry["conformsTo"] = link(terms.CONDA)
        elif item.path == "README.md":
            entry["about"] = link("./")
        return entry

    # --- what ran

    def _head(self, head: Head) -> Iterable[Entity]:
        run, engine = f"#run-{head.id}", f"#engine-{head.id}"
        status = terms.FAILED
        if head.end and head.end.exit == 0:
            status = terms.COMPLETED
        made = [p for attempt in head.attempts for p in sorted(attempt.result)]
        pages = [p for p in made if p.endswith(PAGES) and not self.items[p].outside]
        last = max((a.last.time for a in head.attempts), default=head.start.time)
        agents = [link(identifier) for identifier, _ in self._authors()]
        configs = [self.items[f.path] for f in head.start.inputs if f.path in self.items]
        about = f"One call of the workflow with {len(head.attempts)} attempts of jobs"
        yield entity(
            run,
            "CreateAction" if made else "ActivateAction",
            name=f"Run {head.id}",
            description=about if head.end else f"{about}; how it ended was not recorded",
            instrument=link(MAIN),
            agent=agents,
            startTime=head.start.time.isoformat(timespec="milliseconds"),
            endTime=(head.end.time if head.end else last).isoformat(timespec="milliseconds"),
            actionStatus=status if head.end else None,
            error=head.end.cause if head.end and status == terms.FAILED else None,
            object=[link(item) for item in configs],
            result=[link(self.items[path]) for path in pages or made],
        )
        if not head.attempts:
            return
        yield entity(
            engine,
            "OrganizeAction",
            name=f"Snakemake in run {head.id}",
            instrument=link("#snakemake"),
            agent=agents,
            startTime=head.start.time.isoformat(timespec="milliseconds"),
            endTime=(head.end.time if head.end else last).isoformat(timespec="milliseconds"),
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
            yield from self._attempt(attempt, step, agents)

    def _attempt(self, attempt: Attempt, step: Step, agents: list[Entity]) -> Iterable[Entity]:
        event = attempt.last
        made = [self.items[path] for path in sorted(attempt.result)]
        inputs = [link(self.items[version(file, self.items)]) for file in event.inputs]
        if (source := event.wildcards.get("source")) and any(
            SOURCES.fullmatch(file.path) for file in event.outputs
        ):
            inputs.append(link(f"#source-{source}"))
        completed = attempt.status == "completed"
        killed = "killed before it could say why"
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
            agent=agents,
            startTime=attempt.start.time.isoformat(timespec="milliseconds"),
            endTime=attempt.by.isoformat(timespec="milliseconds"),
            actionStatus=terms.COMPLETED if completed else terms.FAILED,
            error=None if completed else event.cause or killed,
            object=[*inputs, *self._parameters(step, event.params)],
            result=[link(item) for item in made],
            environment=self._environment(attempt),
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

    def _environment(self, attempt: Attempt) -> list[Entity]:
        """Machine and packages of an attempt, each value once."""
        event = attempt.last
        machine = asdict(event.machine) if event.machine else {}
        known = {"host": attempt.host, "code": event.code, **machine, **event.environment}
        return [
            link(self._value("environment", name, value, None))
            for name, value in known.items()
            if value not in (None, "", [], {})
        ]

    def _parameters(self, step: Step, params: Mapping[str, Any]) -> list[Entity]:
        return [
            link(self._value(step.rule, name, value, step.script))
            for name, value in params.items()
            if value is not None
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

    # --- sources and claims

    def _sources(self) -> Iterable[Entity]:
        named = {
            event.wildcards["source"]
            for event in (a.start for a in self.history.attempts.values())
            if event.rule == "fetch"
        }
        for name in sorted({*named, *self.history.sources}):
            record = self.history.sources.get(name, {})
            size = record.get("bytes")
            yield entity(
                f"#source-{name}",
                "CreativeWork",
                name=name,
                description="; ".join(
                    filter(None, [record.get("attribution"), record.get("reason")])
                ),
                version=record.get("revision"),
                license=record.get("licence"),
                sha256=record.get("sha256"),
                contentSize=None if size is None else str(size),
                url=site(record["from"]) if record.get("from") else None,
            )

    def _claim(self, entry: Mapping[str, Any]) -> Iterable[Entity]:
        name, analysis = entry["id"], entry["analysis"] or {}
        title, address = document(dict(entry))
        origin = address or f"#document-{entry['source']}"
        if origin not in self.values:
            self.values[origin] = entity(origin, "CreativeWork", name=title, url=address)
            yield self.values[origin]
        yield entity(
            f"#claim-{name}", "Claim", name=name, text=entry["statement"], appearance=link(origin)
        )
        estimate = f"#estimate-{name}" if analysis.get("estimate") is not None else None
        low, high = analysis.get("interval") or (None, None)
        evidence = [self.items[path] for path in self.history.evidence(entry) if path in self.items]
        yield entity(
            f"#review-{name}",
            "ClaimReview",
            name=f"{name}: {entry['verdict']}",
            itemReviewed=link(f"#claim-{name}"),
            claimReviewed=entry["statement"],
            reviewRating=link(f"#rating-{name}"),
            reviewBody=entry["sentence"],
            isBasedOn=[link(item) for item in evidence],
            additionalProperty=estimate and link(estimate),
            description=_conditions(analysis),
        )
        yield entity(f"#rating-{name}", "Rating", name="verdict", ratingValue=entry["verdict"])
        if estimate:
            yield entity(
                estimate,
                "PropertyValue",
                name=f"estimate of {entry['quantity']}",
                value=analysis["estimate"],
                minValue=low,
                maxValue=high,
                unitText=analysis["unit"],
            )


def _conditions(analysis: Mapping[str, Any]) -> str:
    """Tier, and how what ran differs from what the claim speaks of."""
    if not analysis:
        return ""
    tier = f"tier {analysis['tier']}, required {analysis['required_tier']}"
    return "; ".join([tier, *analysis["deviations"]])
