"""A small graph in the formats of others: each end of each relation is there, nobody is added."""

import json

import pytest
from kensho.provenance import publish
from kensho.provenance.settings import Provenance

JUDGING, EVALUATION, KILLED = "#attempt-3", "#attempt-2", "#attempt-1"
ANALYSIS, OBSERVED = "results/analysis/R-1.json", "results/benchmark_data/kv_cache/mla.csv"
COMPLETED, FAILED = (f"http://schema.org/{word}ActionStatus" for word in ("Completed", "Failed"))
ORCID = "https://orcid.org/0000-0002-1825-0097"
MANIFEST = {
    path: 64 * letter
    for letter, path in zip(
        "abcdef",
        [
            ANALYSIS,
            OBSERVED,
            "Snakefile",
            "config/config.yaml",
            "ro-crate-metadata.json",
            "LICENSE",
        ],
    )
}


def link(*identifiers):
    links = [{"@id": identifier} for identifier in identifiers]
    return links[0] if len(links) == 1 else links


def action(identifier, script, start, **properties):
    return {
        "@id": identifier,
        "@type": "CreateAction" if "result" in properties else "ActivateAction",
        "name": identifier.strip("#"),
        "instrument": link(script),
        "startTime": f"2026-11-26T10:0{start}:00.000+00:00",
        **properties,
    }


@pytest.fixture
def graph():
    """A run with a killed attempt; R-1's verdict rests on a table that was made of a source."""
    files = [{"@id": path, "@type": "File", "sha256": sha} for path, sha in MANIFEST.items()]
    files[2]["@type"] = ["File", "ComputationalWorkflow"]
    files[2]["version"] = "0.1.0"
    controls = [f"#control-{number}" for number in (1, 2, 3)]
    end = {"endTime": "2026-11-26T10:09:00.000+00:00", "actionStatus": COMPLETED}
    return [
        {"@id": "./", "@type": "Dataset", "name": "Kenshō", "description": "1 <PARTIAL>"},
        *files,
        {"@id": "workflow/scripts/a.py", "@type": ["File", "SoftwareSourceCode"]},
        {
            **{"@id": "#snakemake", "@type": "SoftwareApplication"},
            **{"url": "https://snakemake.readthedocs.io/", "softwareVersion": "9.27.1"},
        },
        action("#run-1", "Snakefile", 0, object=link("config/config.yaml"), result=link(ANALYSIS)),
        {
            **{"@id": "#engine-1", "@type": "OrganizeAction"},
            **{"object": link(*controls), "result": link("#run-1")},
        },
        *(
            {"@id": control, "@type": "ControlAction", "object": link(attempt)}
            for control, attempt in zip(controls, (KILLED, EVALUATION, JUDGING))
        ),
        action(KILLED, "workflow/scripts/a.py", 1, actionStatus=FAILED, error="killed"),
        action(
            EVALUATION,
            "workflow/scripts/a.py",
            2,
            **{"object": link("#source-corpus", "#value-seed"), "result": link(OBSERVED), **end},
        ),
        action(
            JUDGING,
            "workflow/scripts/a.py",
            3,
            **{"object": link(OBSERVED), "result": link(ANALYSIS), **end},
        ),
        {"@id": "#source-corpus", "@type": "CreativeWork", "name": "corpus", "sha256": 64 * "9"},
        {"@id": "#value-seed", "@type": "PropertyValue", "name": "seed", "value": "7"},
        {"@id": "#claim-R-1", "@type": "Claim", "name": "R-1"},
        {
            **{"@id": "#review-R-1", "@type": "ClaimReview", "name": "R-1: PARTIAL"},
            **{"itemReviewed": link("#claim-R-1"), "isBasedOn": link(ANALYSIS, OBSERVED)},
        },
    ]


def relations(document):
    return [
        (relation, ends)
        for relation in document.keys() - {"prefix", "entity", "activity", "agent"}
        for ends in document[relation].values()
    ]


def test_each_end_of_a_relation_is_a_node_of_its_kind(graph):
    document = publish.prov(graph)
    kinds = {"activity": "activity", "starter": "activity", "agent": "agent"}
    for _, ends in relations(document):
        for end, name in ends.items():
            assert name in document[kinds.get(end.removeprefix("prov:"), "entity")]
    assert json.dumps(document) == json.dumps(publish.prov(graph))  # in the same order


def test_a_verdict_reaches_the_source_and_no_failed_attempt(graph):
    document = publish.prov(graph)
    before = {
        "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity"),
        "wasGeneratedBy": ("prov:entity", "prov:activity"),
        "used": ("prov:activity", "prov:entity"),
    }
    reached, waiting = set(), ["crate:#review-R-1"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for relation, ends in relations(document):
            later, earlier = before.get(relation, (None, None))
            if later and ends[later] == name and ends[earlier] not in reached:
                waiting.append(ends[earlier])
    assert {"crate:#source-corpus", f"crate:{JUDGING}", "crate:#value-seed"} < reached
    assert f"crate:{KILLED}" not in reached and "crate:#run-1" not in reached


def test_a_killed_attempt_is_told_with_its_cause_and_its_run(graph):
    document = publish.prov(graph)
    killed = document["activity"][f"crate:{KILLED}"]
    assert killed["schema:error"] == "killed" and "prov:endTime" not in killed
    started = [ends for _, ends in relations(document) if "prov:starter" in ends]
    assert {"prov:activity": f"crate:{KILLED}", "prov:starter": "crate:#run-1"} in started


def test_a_file_is_generated_once(graph):
    made = [ends["prov:entity"] for name, ends in relations(publish.prov(graph))
            if name == "wasGeneratedBy"]  # fmt: skip
    assert sorted(made) == sorted({*made})


def test_whoever_the_graph_names_ran_it_and_nobody_else(graph):
    def people():
        return [
            name
            for name, agent in publish.prov(graph).get("agent", {}).items()
            if {"$": "prov:Person", "type": "prov:QUALIFIED_NAME"} in agent["prov:type"]
        ]

    assert people() == []
    graph.append({"@id": ORCID, "@type": "Person", "name": "Josiah Carberry"})
    next(entity for entity in graph if entity["@id"] == JUDGING)["agent"] = link(ORCID)
    assert people() == [ORCID]


def test_the_statement_is_on_analyses_and_metadata_by_sha256(graph):
    statement = publish.statement(MANIFEST, graph)
    digests = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert digests == {path: MANIFEST[path] for path in (ANALYSIS, "ro-crate-metadata.json")}
    built, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert built["externalParameters"]["configuration"] == ["config/config.yaml"]
    depended = {one["name"]: one["digest"]["sha256"] for one in built["resolvedDependencies"]}
    assert depended == {
        "#source-corpus": 64 * "9",
        **{path: MANIFEST[path] for path in ("Snakefile", "config/config.yaml")},
    }
    # how the run ended was not recorded
    assert run["metadata"] == {"startedOn": "2026-11-26T10:00:00.000+00:00"}


def test_zenodo_is_told_no_creator_and_no_licence_where_none_is_named(graph):
    deposit = publish.zenodo(Provenance(), graph)
    assert {"creators", "license"}.isdisjoint(deposit)
    assert deposit["title"] == "Kenshō" and deposit["description"] == "1 &lt;PARTIAL&gt;"
    assert "no licence" in deposit["notes"]


def test_zenodo_is_told_who_is_named(graph):
    author = {"name": "Carberry, Josiah", "orcid": "0000-0002-1825-0097"}
    settings = {"title": "Ours", "authors": [author | {"affiliation": "Brown University"}]}
    deposit = publish.zenodo(Provenance.model_validate(settings), graph)
    assert deposit["creators"] == settings["authors"] and deposit["title"] == "Ours"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://creativecommons.org/licenses/by-sa/4.0/", {"license": "cc-by-sa-4.0"}),
        ("https://creativecommons.org/licenses/by/4.0/legalcode", {"license": "cc-by-4.0"}),
        ("https://creativecommons.org/publicdomain/zero/1.0/", {"license": "cc0-1.0"}),
        ("https://spdx.org/licenses/Apache-2.0.html", {"license": "apache-2.0"}),
        ("https://spdx.org/licenses/CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("https://example.org/ours", {"notes": "Licence of the results: https://example.org/ours"}),
    ],
)
def test_a_licence_is_told_by_its_id_or_by_its_address(url, told, graph):
    deposit = publish.zenodo(Provenance(licence=url), graph)
    assert {key: deposit[key] for key in ("license", "notes") if key in deposit} == told
