#!/usr/bin/env python3
"""Check a crate with nothing but Python 3.9 or newer, in any folder.

    python3 verify_crate.py [FOLDER or ZIP]    without one, the folder of this script

Exit status 0: sound; 1: faults, one line each, with the claims that rest on the file; 2: no crate
that could be read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

METADATA = "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"
SIGNATURE = f"{MANIFEST}.sig"
LOG = "logs/jobs.jsonl"
# What the graph may leave without hash or entity, since it is made of the graph or beside it.
BESIDE = {
    *(METADATA, MANIFEST, SIGNATURE, "ro-crate-preview.html", "prov.json", "README.md"),
    *("provenance.intoto.json", ".zenodo.json", "verify_crate.py"),
}
MADE_UP = ("#value-", "#source-", "./")  # objects of attempts that are no files
UNJUDGED = ("NOT TESTED", "STALE")
NO_FILE = "a link or a device, where a crate holds files alone"
REPOSITORY = ("config/", "resources/", "workflow/")
BROKEN = (OSError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile)
NOT_PROVEN = """\
Not proven by hashes: that the verdicts follow from the observations, and these from the answers
(with the packages of envs/stats.yaml: PYTHONPATH=workflow python3 -B -m kensho.provenance .), what
the HTML pages say, nor who made the crate (its signature)."""


class Unreadable(Exception):
    """There is no crate."""


class Crate:
    """Files of a folder or a zip, the graph, and the faults by path."""

    def __init__(self, place: Path):
        self.faults: dict[str, list[str]] = {}
        self.readers: dict[str, Callable[[], Any]] = {}
        try:
            self._folder(place) if place.is_dir() else self._zip(place)
        except BROKEN as error:
            raise Unreadable(f"{place}: neither a folder nor a zip ({error})") from None
        if not {METADATA, MANIFEST} & {*self.readers}:
            raise Unreadable(f"{place}: no crate, for it holds neither {METADATA} nor {MANIFEST}")
        self.sha256: dict[str, str] = {}
        self.size: dict[str, int] = {}
        for path in sorted(self.readers):
            self._hash(path)
        self.entities = self._graph()
        self.claims = self._of("#claim-", "Claim")
        self.reviews = self._of("#review-", "ClaimReview")  # by claim
        self.attempts = self._of("#attempt-", "CreateAction")  # that made something
        self.evidence = {claim: self._evidence(review) for claim, review in self.reviews.items()}

    def fault(self, path: str, words: str) -> None:
        self.faults.setdefault(path, []).append(words)

    def _folder(self, root: Path) -> None:
        for folder, folders, names in os.walk(root):
            for name in sorted(folders + names):
                whole = Path(folder, name)
                path, mode = whole.relative_to(root).as_posix(), whole.lstat().st_mode
                if stat.S_ISREG(mode):
                    self.readers[path] = partial(open, whole, "rb")
                elif not stat.S_ISDIR(mode):
                    self.fault(path, NO_FILE)

    def _zip(self, place: Path) -> None:
        archive = zipfile.ZipFile(place)
        for info in archive.infolist():
            path, mode = info.filename, info.external_attr >> 16
            parts = path.rstrip("/").split("/")
            if {"", ".", ".."} & {*parts} or "\\" in path or ":" in parts[0]:
                self.fault(path, "no path of a crate")
            elif stat.S_ISLNK(mode):
                self.fault(path, NO_FILE)
            elif path in self.readers:
                self.fault(path, "twice in the zip")
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                self.fault(path, "compressed otherwise than zips of crates are")
            elif not info.is_dir():
                self.readers[path] = partial(archive.open, info)

    def _hash(self, path: str) -> None:
        digest, size = hashlib.sha256(), 0
        try:
            with self.readers[path]() as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
                    size += len(block)
        except BROKEN as error:
            self.fault(path, f"cannot be read ({error})")
        self.sha256[path], self.size[path] = digest.hexdigest(), size

    def text(self, path: str) -> str:
        """A file's text; empty, with a fault, where there is none."""
        try:
            with self.readers[path]() as file:
                return file.read().decode("utf-8")
        except KeyError:
            self.fault(path, "missing")
        except BROKEN as error:
            self.fault(path, f"cannot be read ({error})")
        return ""

    def json(self, path: str) -> dict[str, Any]:
        """A JSON object; an empty one, with a fault, where the file holds anything else."""
        value = parsed(self.text(path))
        if not _is_object(value) and path not in self.faults:
            self.fault(path, "not a JSON object")
        return value if _is_object(value) else {}

    def _graph(self) -> dict[str, dict]:
        entities: dict[str, dict] = {}
        for entity in _list(self.json(METADATA).get("@graph")):
            name = entity.get("@id") if _is_object(entity) else None
            if not isinstance(name, str):
                self.fault(METADATA, "an entity without an @id")
            elif name in entities:
                self.fault(METADATA, f"two entities are {name}")
            else:
                entities[name] = entity
        return entities

    def _of(self, prefix: str, kind: str) -> dict[str, dict]:
        """Entities of a type by what follows the prefix of their id."""
        return {
            name[len(prefix) :]: entity
            for name, entity in self.entities.items()
            if name.startswith(prefix) and kind in _list(entity.get("@type"))
        }

    def _evidence(self, review: dict) -> set[str]:
        """What a review rests on: files, the attempts that made them, their inputs, and so on.

        It ends at sources and at files of the repository; the root leads nowhere.
        """
        makers: dict[str, list[str]] = {}
        for attempt, action in self.attempts.items():
            for made in _ids(action.get("result")):
                makers.setdefault(made, []).append(f"#attempt-{attempt}")
        reached: set[str] = set()
        waiting = _ids(review.get("isBasedOn"))
        while waiting:
            name = waiting.pop()
            if name in reached or name == "./":
                continue
            reached.add(name)
            if not _leaf(name):
                for attempt in makers.get(name, []):
                    reached.add(attempt)
                    waiting += _ids(self.entities[attempt].get("object"))
        return reached

    def resting(self, path: str) -> str:
        """The claims that rest on a file, in words."""
        if not self.entities:
            return f"which claims rest on it is unknown without {METADATA}"
        names, named = {path, quote(path, errors="surrogatepass")}, []
        for claim, evidence in self.evidence.items():
            steps = [self.entities[name] for name in evidence if name in self.entities]
            scripts = {name for step in steps for name in _ids(step.get("instrument"))}
            if names & (evidence | scripts):
                named.append(claim)
        if named:
            return f"claims: {', '.join(sorted(named))}"
        code = path in self.files() and path not in BESIDE and not path.startswith("results/")
        whole = code or path in (METADATA, MANIFEST) or path.endswith("_summary.json")
        return "all claims" if whole else "no claim"

    def files(self) -> dict[str, dict]:
        """Entities of files inside, by path."""
        return {
            re.sub(r"^\./", "", unquote(name)): entity
            for name, entity in self.entities.items()
            if "File" in _list(entity.get("@type")) and not _outside(name)
        }


def parsed(text: str) -> Any:
    """What JSON says; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _list(value: Any) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def _ids(value: Any) -> list[str]:
    """The ids that a property refers to."""
    names = [one.get("@id") for one in _list(value) if _is_object(one)]
    return [name for name in names if isinstance(name, str)]


def _outside(name: str) -> bool:
    return name.startswith("#") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name) is not None


def _leaf(name: str) -> bool:
    return name.startswith(("#source-", *REPOSITORY))


# --- checks, each of which adds its faults to the crate


def check_manifest(crate: Crate) -> None:
    """Every file but the manifest and its signature stands in the manifest, as it is."""
    stated: dict[str, str] = {}
    for number, line in enumerate(crate.text(MANIFEST).split("\n")[:-1], start=1):
        entry = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if not entry or entry[2] in stated:
            crate.fault(MANIFEST, f"line {number} is no hash and path, or a path's second")
        else:
            stated[entry[2]] = entry[1]
    for path, digest in stated.items():
        if path not in crate.sha256:
            if path not in crate.faults:
                crate.fault(path, f"missing, though {MANIFEST} lists it")
        elif crate.sha256[path] != digest:
            crate.fault(path, f"changed: its sha256 is not that of {MANIFEST}")
    for path in sorted({*crate.sha256} - {*stated, MANIFEST, SIGNATURE}):
        compiled = "; compiled code runs in place of its source: delete it" * (
            "__pycache__" in path
        )
        crate.fault(path, f"added: {MANIFEST} does not list it{compiled}")


def check_declared(crate: Crate) -> None:
    """The files that the metadata declares are those inside, with their hashes and sizes."""
    declared = crate.files()
    for path, entity in declared.items():
        if path in crate.faults:
            continue
        if path not in crate.sha256:
            crate.fault(path, f"missing, though {METADATA} declares it")
            continue
        actual = {"sha256": crate.sha256[path], "contentSize": str(crate.size[path])}
        for key, value in actual.items():
            if (key in entity or path not in BESIDE) and str(entity.get(key)) != value:
                crate.fault(path, f"{METADATA} says {key} {entity.get(key)}, it is {value}")
    for path in crate.sha256:
        if path not in declared and path not in BESIDE and path not in crate.faults:
            crate.fault(path, f"{METADATA} does not declare it")


def check_references(crate: Crate) -> None:
    """Every id that the metadata refers to is an entity's or an absolute URL."""
    for name, entity in crate.entities.items():
        for target in _references(entity):
            absolute = _outside(target) and not target.startswith("#")
            if target not in crate.entities and not absolute:
                crate.fault(METADATA, f"{name} refers to {target}, which is no entity")


def _references(entity: dict) -> Iterator[str]:
    waiting = list(entity.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from _ids(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def check_log(crate: Crate) -> None:
    """Each attempt of the log stands in the metadata, and made the files that are inside."""
    logged: dict[str, tuple[str, Any]] = {}  # attempt and sha256, by path
    last: dict[str, dict] = {}  # event of each attempt
    for event in map(parsed, crate.text(LOG).split("\n")):  # None where a kill has torn a line
        if _is_object(event) and event.get("rule"):
            attempt = f"#attempt-{event.get('attempt')}"
            if attempt not in crate.entities:
                crate.fault(LOG, f"{METADATA} lacks {attempt}")
            last[attempt] = event
            if event.get("event") == "finished":
                for file in filter(_is_object, _list(event.get("outputs"))):
                    logged[str(file.get("path"))] = attempt, file.get("sha256")
    for name, entity in crate.entities.items():
        if name.startswith("#attempt-"):
            _check_attempt(crate, name, entity, last.get(name))
    for name, entity in crate.entities.items():
        record = f"results/sources/{name[8:]}/record.json"
        known = name.startswith("#source-") and record in crate.sha256
        if known and crate.json(record).get("sha256") != entity.get("sha256"):
            crate.fault(record, f"{METADATA} says another sha256 of {name}")
    told = {
        unquote(path): f"#attempt-{name}"
        for name, action in crate.attempts.items()
        for path in _ids(action.get("result"))
    }
    for path in sorted(({*logged, *told} & {*crate.sha256}) - {*crate.faults}):
        if logged.get(path) != (told.get(path), crate.sha256[path]):
            crate.fault(path, f"{LOG} does not say that {told.get(path)} made it as it is")


def _check_attempt(crate: Crate, name: str, entity: dict, event: dict | None) -> None:
    """An attempt has the status and the inputs that the log says."""
    if event is None:
        crate.fault(METADATA, f"{name} is no attempt of {LOG}")
        return
    completed = event.get("event") == "finished"
    if str(entity.get("actionStatus")).endswith("/CompletedActionStatus") != completed:
        crate.fault(METADATA, f"{name} has another end than in {LOG}")
    inputs = {str(file.get("path")) for file in filter(_is_object, _list(event.get("inputs")))}
    files = {name for name in _ids(entity.get("object")) if not name.startswith(MADE_UP)}
    paths = {re.sub(r"@[0-9a-f]{12}$", "", unquote(name.lstrip("#"))) for name in files}
    for path in sorted(paths ^ inputs):
        crate.fault(METADATA, f"{name} read {path} by one of metadata and {LOG} alone")


def check_verdicts(crate: Crate) -> None:
    """Reviews say what analyses and summaries say, and rest on something."""
    for claim in sorted({*crate.claims} - {*crate.reviews}):
        crate.fault(METADATA, f"claim {claim} has no review")
    for claim, review in crate.reviews.items():
        if _ids(review.get("itemReviewed")) != [f"#claim-{claim}"]:
            crate.fault(METADATA, f"the review of {claim} is of something else")
        if review.get("isBasedOn"):
            _check_judged(crate, claim, review)
        elif (verdict := _reviewed(crate, review)["verdict"]) not in UNJUDGED:
            crate.fault(METADATA, f"the verdict {verdict} on {claim} is based on nothing")
    for path in sorted(crate.sha256):
        match = re.fullmatch(r"results/analysis/(.+)\.json", path)
        if match and match[1] in crate.reviews:
            passing = crate.reviews[match[1]]
            if not passing.get("isBasedOn") and _reviewed(crate, passing)["verdict"] != "STALE":
                crate.fault(path, f"the review of {match[1]} passes it over")
        elif match:
            crate.fault(path, f"{METADATA} has no review of {match[1]}")
        if re.fullmatch(r"results/\w+_summary\.json", path):
            for entry in filter(_is_object, _list(crate.json(path).get("claims"))):
                _compare(crate, path, str(entry.get("id")), entry, entry.get("analysis"))


def _check_judged(crate: Crate, claim: str, review: dict) -> None:
    path = f"results/analysis/{claim}.json"
    if path not in map(unquote, _ids(review["isBasedOn"])):
        crate.fault(path, f"the review of {claim} is not based on it")
    analysis, evidence = crate.json(path), crate.evidence[claim]
    tables = [one.get("sha256") for one in filter(_is_object, _list(analysis.get("tables")))]
    reached = [crate.entities.get(name, {}).get("sha256") for name in evidence]
    brought = any(isinstance(digest, str) and digest in reached for digest in tables)
    if not any(map(_leaf, evidence)) and not brought:
        crate.fault(path, f"{claim} reaches no source and no file of the repository")
    _compare(crate, path, claim, analysis, analysis)
    for file in filter(_is_object, _list(analysis.get("observations"))):
        observed = f"results/{file.get('file')}"
        if crate.sha256.get(observed) != file.get("sha256"):
            crate.fault(observed, f"not the observations that {path} was made from")


def _compare(crate: Crate, path: str, claim: str, entry: dict, analysis: Any) -> None:
    """Fault a file that states something else of a claim than its review."""
    review = crate.reviews.get(claim)
    if review is None:
        crate.fault(path, f"{METADATA} has no review of {claim}")
        return
    reviewed = _reviewed(crate, review)
    was = f"was {entry.get('verdict')};"
    if reviewed["verdict"] == "STALE" and str(reviewed["sentence"]).startswith(was):
        return
    analysis = analysis if _is_object(analysis) else {}
    stated = {key: entry.get(key) for key in ("verdict", "sentence")}
    stated["estimate"] = analysis.get("estimate")
    stated["interval"] = analysis.get("interval") or [None, None]
    for key, value in reviewed.items():
        if stated[key] != value:
            crate.fault(path, f"{key} of {claim}: {stated[key]}, its review says {value}")


def _reviewed(crate: Crate, review: dict) -> dict[str, Any]:
    """Verdict, sentence, estimate and interval of a review, those that it lacks as None."""
    ratings = [crate.entities.get(name, {}) for name in _ids(review.get("reviewRating"))]
    figures = [crate.entities.get(name, {}) for name in _ids(review.get("additionalProperty"))]
    figure = figures[0] if len(figures) == 1 else {}
    return {
        "verdict": ratings[0].get("ratingValue") if len(ratings) == 1 else None,
        "sentence": review.get("reviewBody"),
        "estimate": figure.get("value"),
        "interval": [figure.get("minValue"), figure.get("maxValue")],
    }


def lines(crate: Crate) -> list[str]:
    """A line for each fault of a crate that was checked: file, what is wrong, claims."""
    return [
        shown(f"{path}: {words} [{crate.resting(path)}]")
        for path, faults in sorted(crate.faults.items())
        for words in dict.fromkeys(faults)
    ]


def shown(text: str) -> str:
    """A text without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def checked(place: Path) -> Crate:
    """A crate with the faults that all checks know of. Raises Unreadable."""
    crate = Crate(place)
    for check in (check_manifest, check_declared, check_references, check_log, check_verdicts):
        check(crate)
    return crate


def main(arguments: list[str]) -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if len(arguments) > 1:
        print((__doc__ or "").strip())
        return 2
    try:
        crate = checked(Path(arguments[0]) if arguments else Path(__file__).resolve().parent)
    except Unreadable as error:
        print(shown(str(error)))
        return 2
    return told(crate)


def told(crate: Crate) -> int:
    """Print what the checks found; the exit status."""
    if faults := lines(crate):
        print(*faults, sep="\n")
        print(f"{len(faults)} fault(s)")
        return 1
    judged = [name for name, review in crate.reviews.items() if review.get("isBasedOn")]
    print(
        f"Hashes and sizes of {len(crate.sha256)} files are those declared.\n"
        f"{len(crate.attempts)} attempts made their files as the log says.\n"
        f"{len(judged)} judged claims of {len(crate.reviews)} say what their analyses say, and "
        f"reach a source or a file of the repository.\n{NOT_PROVEN}"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        sys.exit(2)
