"""What differs between two crates, or two folders of runs.

    python -m kensho.provenance compare A B    a line for each difference; exits as diff does

What a crate does not record, an older one its merged configuration for instance, is said to be
unknown. Numbers are compared as they are stored.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kensho import crates
from kensho.claims.registration import leaves
from kensho.files import read_json
from kensho.messages import escaped

LOG = "logs/jobs.jsonl"
GROUPS = ("verdicts", "settings", "code", "packages", "data", "hardware")
READ = (
    "results/analysis/*.json",
    "results/statistical_summary.json",
    "results/benchmark_data/*/*.conditions.json",
    "results/sources/*/record.json",
    LOG,
    "ro-crate-metadata.json",
    "manifest-sha256.txt",
)
CODE = ("code", "code_of", "method_code")  # parameters that are digests, or places of code
Fact = tuple[str, str, str, str]  # group, kind of record, what, of what
Facts = dict[Fact, Any]


@dataclass(frozen=True)
class Difference:
    """A value that two crates do not share; `of` names whose: claims, jobs, arms, sources."""

    group: str
    what: str
    first: str
    second: str
    of: tuple[str, ...]

    def __str__(self) -> str:
        some, more = self.of[:3], len(self.of) - 3
        of = f" of {', '.join(some)}" if any(some) else ""
        of += f" and {more} more" if more > 0 else ""
        return f"{self.group}: {self.what}{of}: {self.first} | {self.second}"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    try:
        differences = compare(*map(Path, arguments))
    except (ValueError, OSError) as error:
        print(escaped(str(error)), file=sys.stderr)
        return 2
    for difference in differences:
        print(escaped(str(difference)))
    return int(bool(differences))


def compare(a: Path, b: Path) -> list[Difference]:
    """Differences, verdicts first; one line for all that differ alike.

    Raises ValueError naming a crate, or its file, that cannot be read.
    """
    first, second = facts(a), facts(b)
    kinds = [{fact[:2] for fact in side} for side in (first, second)]
    alike: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for fact in sorted({**first, **second}, key=lambda fact: GROUPS.index(fact[0])):
        group, kind, what, of = fact
        here, there = ("recorded" if fact[:2] in side else "unknown" for side in kinds)
        if here != there:
            alike[group, kind, here, there] = []
            continue
        one, other = (side.get(fact, _ABSENT) for side in (first, second))
        if one != other and (
            what == "verdict" or group != "verdicts" or _ABSENT not in (one, other)
        ):
            here, there = _shown(one, other)
            alike[group, what, here, there].append(of)
    return [Difference(*line, tuple(sorted(of))) for line, of in alike.items()]


def facts(crate: Path) -> Facts:
    """Everything that is compared, by group, kind of record, what it is, and of what."""
    with crates.opened(crate, *READ) as folder:
        if not any(True for pattern in READ for _ in folder.glob(pattern)):
            raise ValueError(f"{crate}: no crate: it holds neither results nor {LOG}")
        try:
            return {
                fact: value
                for facts_of in (_verdicts, _reviews, _files, _conditions, _sources, _events)
                for fact, value in facts_of(folder)
            }
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{crate}: not as Kenshō writes crates ({error!r})") from None


def _verdicts(folder: Path) -> Iterator[tuple[Fact, Any]]:
    summary = folder / "results/statistical_summary.json"
    for claim in read_json(summary)["claims"] if summary.is_file() else []:
        yield ("verdicts", "claims", "verdict", claim["id"]), claim["verdict"]
    analyses = {p.stem: read_json(p) for p in sorted(folder.glob("results/analysis/*.json"))}
    for key in ("verdict", "reason", "tier", "estimate", "interval", "interval_family"):
        for claim, analysis in analyses.items():
            yield ("verdicts", "claims", key, claim), analysis.get(key)
    for claim, analysis in analyses.items():
        yield ("settings", "registrations", "registration", claim), analysis.get("claim_sha256")
        for key, value in analysis.get("settings", {}).items():
            yield ("settings", "judging", key, claim), value


def _reviews(folder: Path) -> Iterator[tuple[Fact, Any]]:
    path = folder / "ro-crate-metadata.json"
    graph = read_json(path)["@graph"] if path.is_file() else []
    entities = {entity["@id"]: entity for entity in graph}
    for name, entity in entities.items():
        if name.startswith("#review-"):
            rating = entities[entity["reviewRating"]["@id"]]["ratingValue"]
            yield ("verdicts", "reviews", "verdict of the review", name[8:]), rating


def _files(folder: Path) -> Iterator[tuple[Fact, Any]]:
    path = folder / "manifest-sha256.txt"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        digest, _, name = line.partition("  ")
        if name.startswith(("Snakefile", "rules/", "workflow/")):
            yield ("code", "files", "file", name), digest


def _conditions(folder: Path) -> Iterator[tuple[Fact, Any]]:
    groups = {
        **dict.fromkeys(("dtype", "weights", "threads", "batch", "seeds", "items"), "settings"),
        "software": "packages",
        "datasets": "data",
        "models": "data",
        "ran": "data",
        **dict.fromkeys(("hardware", "rocm_variables", "device"), "hardware"),
    }
    for path in sorted(folder.glob("results/benchmark_data/*/*.conditions.json")):
        arm = f"{path.parent.name}/{path.name.removesuffix('.conditions.json')}"
        conditions = read_json(path)
        for key, group in groups.items():
            for what, value in _under(conditions, key):
                yield (group, "conditions", what, arm), value


def _sources(folder: Path) -> Iterator[tuple[Fact, Any]]:
    for path in sorted(folder.glob("results/sources/*/record.json")):
        record = read_json(path)
        for key in ("sha256", "revision", "licence"):
            yield ("data", "sources", key, path.parent.name), record.get(key)


def _events(folder: Path) -> Iterator[tuple[Fact, Any]]:
    """What the log says: of heads the last, of each job the last attempt that finished.

    Lines are read as they are, since a crate may be of another version.
    """
    head: Mapping = {}
    installed, finished = {}, {}
    for event in _lines(folder / LOG):
        if event["event"] == "run":
            head = event.get("head") or head
        elif event["event"] == "installed":
            installed[event["environment"]["name"]] = event["packages"]
        elif event["event"] == "finished":
            finished[" ".join([event["rule"], *event.get("wildcards", {}).values()])] = event
    for what, value in _under(head, "config"):
        yield ("settings", "configuration", what, ""), value
    for key in ("commit", "changed", "diff_sha256") if head else ():
        yield ("code", "git", key, ""), head.get(key)
    for name, packages in installed.items():
        for package, version in packages.items():
            yield ("packages", "packages", package, name), version
    for job, event in finished.items():
        yield ("code", "digests", "code", job), event.get("code")
        for what, value in _under(event, "params"):
            if what.removeprefix("params.") not in CODE:
                yield ("settings", "parameters", what, job), value
        for what, value in _under(event, "environment"):
            yield ("packages", "environments", what, job), value
        for what, value in _under(event, "machine"):
            yield ("hardware", "machines", what, job), value
        for output in event.get("outputs", []):
            if output["path"].startswith("results/data/"):
                yield ("data", "corpus", output["path"], ""), output.get("sha256")


def _under(record: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """Dotted paths and values under a key; none where it is not recorded."""
    return leaves(record[key], key) if record.get(key) else iter(())


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        with suppress(ValueError):  # torn by a kill or a full disk
            yield json.loads(line)


_ABSENT = object()


def _shown(one: object, other: object) -> tuple[str, str]:
    """Two values that differ, short as far as they still do."""
    whole = [
        "absent" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
        for value in (one, other)
    ]
    short = [re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)[:80] for text in whole]
    short = [re.sub(r"(\d\.\d{4,8})\d*", r"\1", text) for text in short]
    first, second = short if short[0] != short[1] else whole
    return first.strip('"'), second.strip('"')
