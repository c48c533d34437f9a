"""A crate told in the formats of others, from its graph alone: PROV-JSON, in-toto, Zenodo.

Nobody and nothing is added: what the graph does not hold is left out.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kensho.provenance.settings import Provenance

Entity = Mapping[str, Any]

ACTIONS = ("CreateAction", "ActivateAction")
PREFIXES = {
    "crate": "arcp://name,kensho.crate/",  # https://datatracker.ietf.org/doc/draft-soilandreyes-arcp
    "https": "https:",  # an absolute id is its own name
    "schema": "http://schema.org/",
    "wfrun": "https://w3id.org/ro/terms/workflow-run#",
}
TERMS = {  # of PROV-JSON, for properties of the graph
    "name": "prov:label",
    "startTime": "prov:startTime",
    "endTime": "prov:endTime",
    "value": "prov:value",
    "sha256": "wfrun:sha256",
    "contentSize": "schema:contentSize",
    "actionStatus": "schema:actionStatus",
    "error": "schema:error",
    "reviewBody": "schema:reviewBody",
}
# The metadata state the sha256 of all other files.
SUBJECTS = re.compile(r"ro-crate-metadata\.json|results/(analysis/.+|statistical_summary)\.json")


def prov(graph: Iterable[Entity]) -> dict[str, dict[str, Any]]:
    """Runs, attempts of jobs and verdicts as PROV-JSON, https://www.w3.org/submissions/prov-json.

    An attempt is started by its run; both follow a script as their plan. That an output is derived
    from each input of its job is not said, for nothing shows it; a verdict is from its evidence.
    """
    entities = {entity["@id"]: entity for entity in graph}
    document: dict[str, dict[str, Any]] = {"prefix": PREFIXES}

    def node(kind: str, identifier: str, role: str | None = None) -> str:
        """Name of a node that is in the document from now on."""
        entity = entities[identifier]
        types = [f"schema:{name}" for name in _listed(entity["@type"])] + ([role] if role else [])
        properties = {
            "prov:type": [{"$": name, "type": "prov:QUALIFIED_NAME"} for name in types],
            **{new: str(entity[old]) for old, new in TERMS.items() if old in entity},
        }
        name = identifier if identifier.startswith("https:") else f"crate:{identifier}"
        document.setdefault(kind, {}).setdefault(name, properties)
        return name

    def relate(relation: str, **ends: str) -> None:
        those = document.setdefault(relation, {})
        those[f"_:{relation}{len(those) + 1}"] = {f"prov:{end}": name for end, name in ends.items()}

    for entity in entities.values():
        if entity["@type"] in ACTIONS:
            activity = node("activity", entity["@id"])
            for identifier in _ids(entity, "object"):
                relate("used", activity=activity, entity=node("entity", identifier))
            for identifier in [] if _is_run(entity) else _ids(entity, "result"):
                relate("wasGeneratedBy", entity=node("entity", identifier), activity=activity)
            [plan] = (node("entity", script, "prov:Plan") for script in _ids(entity, "instrument"))
            agents = [node("agent", one, "prov:Person") for one in _ids(entity, "agent")]
            for agent in [*agents, node("agent", "#snakemake", "prov:SoftwareAgent")]:
                relate("wasAssociatedWith", activity=activity, agent=agent, plan=plan)
        elif entity["@type"] == "OrganizeAction":
            [run] = _ids(entity, "result")
            for control in _ids(entity, "object"):
                [attempt] = _ids(entities[control], "object")
                started, starter = node("activity", attempt), node("activity", run)
                relate("wasStartedBy", activity=started, starter=starter)
        elif entity["@type"] == "ClaimReview":
            verdict = node("entity", entity["@id"])
            for identifier in [*_ids(entity, "itemReviewed"), *_ids(entity, "isBasedOn")]:
                evidence = node("entity", identifier)
                relate("wasDerivedFrom", generatedEntity=verdict, usedEntity=evidence)
    return document


def statement(manifest: Mapping[str, str], graph: Iterable[Entity]) -> dict[str, Any]:
    """An in-toto Statement v1 with SLSA provenance v1 on analyses, summary and metadata, unsigned.

    ``manifest``: sha256 of the crate's files by path. https://slsa.dev/spec/v1.1/provenance
    """
    entities = {entity["@id"]: entity for entity in graph}
    runs = [entity for entity in entities.values() if _is_run(entity)]
    sources = [e for e in entities.values() if e["@id"].startswith("#source-") and "sha256" in e]
    configs = sorted({path for run in runs for path in _ids(run, "object") if path in manifest})
    main, engine = entities["Snakefile"], entities["#snakemake"]
    started, finished = ([run[t] for run in runs if t in run] for t in ("startTime", "endTime"))
    times = {"startedOn": min(started, default=None), "finishedOn": max(finished, default=None)}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [_resource(p, manifest[p]) for p in sorted(manifest) if SUBJECTS.fullmatch(p)],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://w3id.org/ro/wfrun/provenance/0.5",
                "externalParameters": {"workflow": main["@id"], "configuration": configs},
                "internalParameters": {"runs": [run["@id"] for run in runs]},
                "resolvedDependencies": [
                    *(_resource(path, manifest[path]) for path in (main["@id"], *configs)),
                    *(_resource(source["@id"], source["sha256"]) for source in sources),
                ],
            },
            "runDetails": {
                "builder": {
                    "id": engine["url"],
                    "version": {
                        "snakemake": engine["softwareVersion"],
                        "kensho": main["version"],
                    },
                },
                "metadata": {name: time for name, time in times.items() if time},
            },
        },
    }


def zenodo(settings: Provenance, graph: Iterable[Entity]) -> dict[str, Any]:
    """``.zenodo.json``: metadata of a deposit, https://developers.zenodo.org/#representation.

    Without settings the title and description are the crate's own, and nobody is its creator.
    """
    root = next(entity for entity in graph if entity["@id"] == "./")
    creators = [
        {key: text for key in ("name", "orcid", "affiliation") if (text := getattr(author, key))}
        for author in settings.authors
    ]
    return {
        "upload_type": "dataset",
        "title": settings.title or root["name"],
        "description": html.escape(settings.description or root["description"]),
        **({"creators": creators} if creators else {}),
        **_licence(settings.licence),
    }


def _licence(url: str | None) -> dict[str, str]:
    """Zenodo's id, which is SPDX's in small letters; a note where there is no licence, or no id."""
    if url is None:
        return {"notes": "Whoever made these results has named no licence."}
    if match := re.search(r"//spdx\.org/licenses/([\w.+-]+?)(?:\.html)?/?$", url):
        return {"license": match[1].lower()}
    if match := re.search(r"//creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)(?:/|$)", url):
        return {"license": f"cc-{match[1]}-{match[2]}"}
    if re.search(r"//creativecommons\.org/publicdomain/zero/1\.0(?:/|$)", url):
        return {"license": "cc0-1.0"}
    return {"notes": f"Licence of the results: {html.escape(url)}"}


def _resource(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_run(entity: Entity) -> bool:
    """Whether it is a whole run, whose results its attempts made."""
    return entity["@type"] in ACTIONS and entity["@id"].startswith("#run-")


def _ids(entity: Entity, term: str) -> Iterator[str]:
    return (reference["@id"] for reference in _listed(entity.get(term, [])))
