import numpy as np
import pytest
from kensho.jlce.prefix_tree import families, packs, shared

SEQUENCES = [[1, 2, 3, 4], [1, 2, 3, 5, 6], [9, 9], [1, 2, 3, 5], [1, 2, 7], [1, 2, 3, 5, 6]]


def test_what_two_sequences_share():
    assert [shared([1, 2], other) for other in ([1, 2, 3], [1, 3], [], [1, 2])] == [2, 1, 0, 2]


def test_families_begin_alike():
    found = list(families(SEQUENCES, least=2))
    assert [(sorted(order), common) for order, common in found] == [
        ([0, 1, 3, 4, 5], 2),
        ([2], 2),
    ]
    assert list(families([], least=2)) == []


@pytest.mark.parametrize("limit", [1, 4, 6, 100])
def test_packs_hold_every_sequence_with_its_ancestors_alone(limit):
    order, start = [0, 3, 1, 5, 4], 2  # lexicographic
    seen = {}
    for pack in packs(SEQUENCES, order, start, limit):
        assert len(pack.tokens) <= max(limit, 3)
        for index, path in pack.paths.items():
            seen[index] = [int(pack.tokens[node]) for node in path]
            assert [int(pack.depths[node]) for node in path] == list(
                range(start, start + len(path))
            )
            for place, node in enumerate(path):
                assert set(np.flatnonzero(pack.ancestors[node])) == set(path[: place + 1])
    assert seen == {index: SEQUENCES[index][start:] for index in order}


def test_what_is_shared_is_there_once():
    (pack,) = packs(SEQUENCES, [0, 3, 1, 5, 4], 0, 100)
    assert len(pack.tokens) == 7  # 1 2 3 4, 5, 6, 7
