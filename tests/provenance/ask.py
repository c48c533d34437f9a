"""What the profile's validator says of crates, and the rows that questions have, as JSON.

python ask.py [FOLDER|ZIP]...    in an environment of validator.txt, without a network
"""

import io
import json
import sys
import tempfile
from pathlib import Path

import rdflib
import requests
import requests_cache
import rocrate
from questions import PREFIXES, QUESTIONS
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
SHIPPED = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()
# A tool's id must be an absolute address: the profile's own examples, whose tools are files, fail.
LEFT_OUT = ["process-run-crate-0.5_5.1"]


def remember(cache):
    """Keep the context as what its address once answered; no other address is asked."""
    answer, kind = requests.Response(), {"Content-Type": "application/ld+json"}
    answer.raw = HTTPResponse(io.BytesIO(SHIPPED), kind, 200, preload_content=False)
    answer.status_code, answer.url, answer._content = 200, CONTEXT, SHIPPED
    answer.headers.update(kind)
    answer.request = requests.Request("GET", CONTEXT).prepare()
    requests_cache.CachedSession(cache, backend="sqlite").cache.save_response(answer)


def faults(crate, cache):
    """Of each check that failed, what it says of each entity; checks that were left out."""
    result = services.validate(
        ValidationSettings(
            rocrate_uri=crate,
            profile_identifier="provenance-run-crate-0.5",
            requirement_severity=Severity.RECOMMENDED,
            skip_checks=LEFT_OUT,
            cache_path=cache,
            offline=True,
        )
    )
    failed = {}
    for issue in result.get_issues():
        lines = failed.setdefault(issue.check.identifier, [])
        lines.append(f"{issue.violatingEntity}: {issue.message}")
    return {"failed": failed, "left out": [check.identifier for check in result.skipped_checks]}


def rows(crate):
    """Numbers of rows by question."""
    metadata = json.loads((Path(crate) / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    context = [json.loads(SHIPPED)["@context"] if c == CONTEXT else c for c in metadata["@context"]]
    graph = rdflib.Graph()
    text = json.dumps(metadata | {"@context": context})
    graph.parse(data=text, format="json-ld", publicID="https://example.org/")
    return {question: len(graph.query(PREFIXES + query)) for question, query in QUESTIONS.items()}


def main(crates):
    with tempfile.TemporaryDirectory() as folder:
        cache = f"{folder}/cache"
        remember(cache)
        found = {crate: faults(crate, cache) for crate in crates}
    folders = [crate for crate in crates if Path(crate).is_dir()]
    print(json.dumps({"faults": found, "rows": {crate: rows(crate) for crate in folders}}))


if __name__ == "__main__":
    main(sys.argv[1:])
