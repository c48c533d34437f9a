"""The history of a folder as the graph of a Provenance Run Crate.

What rests on what: claim <- review -> evidence <- judging attempt -> observations <- evaluation
-> trainings -> corpus -> source. Nobody and nothing is added to what the history holds.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from kensho import __version__
from kensho.claims.model import STALE, Verdict
from kensho.provenance import vocabulary as terms
from kensho.provenance.actions import MAIN, Actions, Entity, entity, link, stamp
from kensho.provenance.history import History, Item
from kensho.report.tables import source as document

ENGINE = f"{terms.SNAKEMAKE}/"
METADATA, PREVIEW = "ro-crate-metadata.json", "ro-crate-preview.html"
WORKFLOW_LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"


def graph(history: History, made: Iterable[Item]) -> list[Entity]:
    """The entities of ``ro-crate-metadata.json``, each once, in a fixed order.

    ``made`` are files that the export itself makes.
    """
    return [*_Graph(history, list(made)).entities()]


class _Graph:
    def __init__(self, history: History, made: list[Item]):
        self.history, self.made = history, made
        self.items, self.settings = history.items, history.workflow.settings
        self.documents: set[str] = set()  # that claims appear in
        self.ran = Actions(history, [link(identifier) for identifier, _ in self._authors()])

    def entities(self) -> Iterable[Entity]:
        yield from self._root()
        yield from self._workflow()
        yield from (self._item(item) for item in self._inside() + self._outside())
        yield from self._people()
        yield from self.ran.entities
        yield from self.ran.values.values()
        yield from self._sources()
        for entry in self.history.claims:
            yield from self._claim(entry)

    # --- the crate and its workflow

    def _root(self) -> Iterable[Entity]:
        settings, heads = self.settings, self.history.heads
        last = max((attempt.by for attempt in self.history.attempts.values()), default=None)
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
            datePublished=last and stamp(last),
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
            identifier=settings.licence,
        )
        if licence != WORKFLOW_LICENCE:
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
        tools = list(dict.fromkeys(step.script for step in self.ran.steps.values()))
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
        for place, step in enumerate(self.ran.steps.values(), start=1):
            yield entity(
                f"#step-{step.rule}",
                "HowToStep",
                name=step.rule,
                description=step.about,
                position=str(place),
                workExample=link(step.script),
                buildInstructions=step.environment and link(step.environment),
            )
        environments = {s.environment for s in self.ran.steps.values() if s.environment}
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
                input=self.ran.inputs.get(MAIN),
                url=MAIN,
                step=[link(f"#step-{rule}") for rule in self.ran.steps],
                hasPart=[link(tool) for tool in self.tools if tool != MAIN],
            )
        elif item.path in self.tools:
            entry["@type"] = ["File", "SoftwareApplication"]
            entry |= entity(
                item.path,
                entry["@type"],
                softwareVersion=__version__,
                input=self.ran.inputs.get(item.path),
                url=item.path,
            )
        elif item.path in self.environments:
            entry["conformsTo"] = link(terms.CONDA)
        elif item.path == "README.md":
            entry["about"] = link("./")
        return entry

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
                    f"{key}: {record[key]}"
                    for key in ("attribution", "place", "reason")
                    if record.get(key)
                ),
                version=record.get("revision"),
                license=record.get("licence"),
                sha256=record.get("sha256"),
                contentSize=None if size is None else str(size),
            )

    def _claim(self, entry: Mapping[str, Any]) -> Iterable[Entity]:
        name, analysis = entry["id"], entry["analysis"] or {}
        title, address = document(dict(entry))
        origin = address or f"#document-{entry['source']}"
        if origin not in self.documents:
            self.documents.add(origin)
            yield entity(origin, "CreativeWork", name=title, url=address)
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
