"""Token sequences as a prefix tree, so that a model reads what they share only once.

Sequences of a benchmark begin alike: with the same instruction and worked examples, then, in
groups, with the same passage, question or choices. Each distinct beginning is one node of a tree.
A pack is a part of the tree laid out in a row; a node attends to its ancestors alone, which gives
every sequence the same result as if it were read by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Tokens = list[int]


@dataclass(frozen=True)
class Pack:
    """Nodes in a row, parents before children: ``tokens`` and ``depths`` of shape (nodes,).

    ``ancestors`` (nodes, nodes) says which nodes each one attends to, itself included. ``paths``
    holds, by the index of a sequence, its nodes from the first depth of the pack on.
    """

    tokens: np.ndarray
    depths: np.ndarray
    ancestors: np.ndarray
    paths: dict[int, list[int]]


def shared(first: Tokens, second: Tokens) -> int:
    """Number of tokens that two sequences begin with alike."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))


def families(sequences: Sequence[Tokens], least: int) -> Iterator[tuple[list[int], int]]:
    """Indices of sequences that begin alike, in lexicographic order, and how far they all do.

    Neighbours of one family share at least ``least`` tokens.
    """
    order = sorted(range(len(sequences)), key=lambda i: sequences[i])
    family: list[int] = []
    common = 0
    for index in order:
        if family:
            alike = shared(sequences[family[-1]], sequences[index])
            if alike < least:
                yield family, common
                family = []
            else:
                common = min(common, alike)
        if not family:
            common = len(sequences[index])
        family.append(index)
    if family:
        yield family, common


def packs(
    sequences: Sequence[Tokens], order: Sequence[int], start: int, limit: int
) -> Iterator[Pack]:
    """Packs of at most ``limit`` nodes (more if a single sequence needs them).

    ``order`` lists indices in lexicographic order; their first ``start`` tokens, which must be
    alike, are left out.
    """
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    paths: dict[int, list[int]] = {}
    last: list[int] = []  # nodes of the sequence before
    before: Tokens = []
    for index in order:
        sequence = sequences[index]
        kept = max(0, shared(before, sequence) - start) if paths else 0
        if paths and len(tokens) + len(sequence) - start - kept > limit:
            yield _pack(tokens, parents, depths, paths)
            tokens, parents, depths, paths, kept = [], [], [], {}, 0
        path = last[:kept]
        for depth in range(start + kept, len(sequence)):
            parents.append(path[-1] if path else -1)
            path.append(len(tokens))
            tokens.append(sequence[depth])
            depths.append(depth)
        paths[index] = last = path
        before = sequence
    if paths:
        yield _pack(tokens, parents, depths, paths)


def _pack(tokens, parents, depths, paths) -> Pack:
    ancestors = np.eye(len(tokens), dtype=bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            ancestors[node] |= ancestors[parent]
    return Pack(np.array(tokens), np.array(depths), ancestors, paths)
