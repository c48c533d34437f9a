"""The chain of a claim: all that its verdict rests on, back to sources and the workflow's files."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Literal

from kensho.provenance.history import SOURCES, Attempt, History, Item, version

VERDICT = "verdict"
REPEATED = ("seed", "replicate")  # wildcards that tell equal jobs apart

Edge = tuple[Hashable, Hashable]  # from what was used to what used it


@dataclass(frozen=True)
class Chain:
    """Of one claim. Keys of nodes: ids of attempts, ``file:PATH``, ``source:NAME``, ``verdict``."""

    attempts: Mapping[str, Attempt]  # that made the files, by id
    files: Mapping[str, Item]  # all that are reached, by path
    edges: frozenset[tuple[str, str]]

    @property
    def ends(self) -> list[Item]:
        """Files that no job made: of the repository, of other places, as they once were."""
        return [item for item in self.files.values() if item.maker is None]

    @property
    def sources(self) -> list[str]:
        return sorted(name for name in map(fetched, self.attempts.values()) if name)


@dataclass(frozen=True)
class Node:
    """Equal jobs, files that no job made, a source or the verdict; layer 0 is the farthest."""

    kind: Literal["jobs", "given", "source", "verdict"]
    layer: int
    attempts: Sequence[Attempt] = ()
    files: Sequence[Item] = ()  # that the chain holds of theirs
    source: str = ""


def fetched(attempt: Attempt) -> str:
    """The source that an attempt fetched, or nothing."""
    fetches = any(SOURCES.fullmatch(file.path) for file in attempt.last.outputs)
    return attempt.last.wildcards.get("source", "") if fetches else ""


def of(history: History, entry: Mapping[str, Any]) -> Chain:
    """The closure over makers and their inputs, from the evidence of a claim."""
    attempts: dict[str, Attempt] = {}
    files: dict[str, Item] = {}
    edges: set[tuple[str, str]] = set()
    queue: list[str] = []

    def reached(path: str) -> str:
        item = history.items.get(path) or Item(path, None, None, "not recorded")
        files[path] = item
        if item.maker is None:
            return f"file:{path}"
        if item.maker not in attempts:
            attempts[item.maker] = history.attempts[item.maker]
            queue.append(item.maker)
        return item.maker

    evidence = {reached(path) for path in history.evidence(entry)}
    while queue:
        attempt = attempts[queue.pop()]
        for file in attempt.last.inputs:
            edges.add((reached(version(file, history.items)), attempt.id))
        if source := fetched(attempt):
            edges.add((f"source:{source}", attempt.id))
    for last in evidence:  # observations reach the verdict through the job that judged them
        if not any((last, user) in edges for user in evidence):
            edges.add((last, VERDICT))
    return Chain(attempts, dict(sorted(files.items())), frozenset(edges))


def folded(chain: Chain) -> tuple[dict[Hashable, Node], set[Edge]]:
    """Nodes and edges of the chain as it is drawn: equal jobs, and equal files, are one node.

    Jobs are equal that differ in a seed alone, or use and serve the same nodes at one distance.
    """
    distance = _distances(chain.edges)
    keys = {name: _kind(chain, name, steps) for name, steps in distance.items()}
    edges = {(keys[before], keys[after]) for before, after in chain.edges}
    used, users = defaultdict(set), defaultdict(set)
    for before, after in edges:
        used[after].add(before)
        users[before].add(after)
    merged = {
        key: (*key[:3], key[1] == "source" and key[3], frozenset(used[key]), frozenset(users[key]))
        for key in keys.values()
    }
    members: dict[Hashable, list[str]] = {}
    for name in sorted(keys):
        members.setdefault(merged[keys[name]], []).append(name)
    last = max(distance.values(), default=0)
    nodes = {
        group: _node(chain, names, last - distance[names[0]]) for group, names in members.items()
    }
    return nodes, {(merged[before], merged[after]) for before, after in edges}


def _distances(edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Of each node the longest way to the verdict."""
    uses: dict[str, set[str]] = {VERDICT: set()}
    for before, after in edges:
        uses.setdefault(after, set()).add(before)
    distance = dict.fromkeys([*TopologicalSorter(uses).static_order()][::-1], 0)
    for node in distance:
        for before in uses.get(node, ()):
            distance[before] = max(distance[before], distance[node] + 1)
    return distance


def _kind(chain: Chain, name: str, distance: int) -> tuple[int, str, str, Hashable]:
    """Distance, kind, what equal nodes share, and what tells others apart."""
    if attempt := chain.attempts.get(name):
        rule, wildcards = attempt.start.rule, attempt.start.wildcards
        return distance, "jobs", rule, tuple(w for w in wildcards.items() if w[0] not in REPEATED)
    kind, _, rest = name.partition(":")
    outside = chain.files[rest].outside if kind == "file" else ""
    return distance, kind, outside, rest


def _node(chain: Chain, names: Sequence[str], layer: int) -> Node:
    kind, _, source = names[0].partition(":")
    if attempts := [chain.attempts[name] for name in names if name in chain.attempts]:
        attempts.sort(key=lambda attempt: [*attempt.start.wildcards.values()])
        ids = {attempt.id: place for place, attempt in enumerate(attempts)}
        files = [item for item in chain.files.values() if item.maker in ids]
        files.sort(key=lambda item: ids[item.maker or ""])
        return Node("jobs", layer, attempts, files)
    if kind == "file":
        files = [chain.files[name.removeprefix("file:")] for name in names]
        return Node("given", layer, files=files)
    return Node("source", layer, source=source) if source else Node("verdict", layer)
