"""A pointwise model as a file of KyTea 0.4, which KyTea and Vaporetto read.

The format is the one that KyTea's BinaryModelIO reads and writes (little-endian, characters as
numbers into a list of all characters, dictionaries as Aho-Corasick automata).
"""

import struct
from collections.abc import Callable, Sequence

import numpy as np

from kensho.bench.segmentation.pointwise import LONGEST, WINDOW, WORD, Model

HEADER = b"KyTea 0.4.0 B utf8\n"
TYPE_LETTERS = "KTHRDO"  # KyTea gives them the first numbers
SOLVER = 5  # liblinear's L1R_L2LOSS_SVC
ABSENT = struct.pack("<BI", 0, 0)  # a dictionary without states
NO_WEIGHTS = struct.pack("<I", 0)


def dumps(model: Model) -> bytes:
    """The model's bytes. Raises ValueError if it has more characters than 16 bits can number."""
    inside = {c for text in (*model.grams[0], *model.words) for c in text} - set(TYPE_LETTERS)
    alphabet = TYPE_LETTERS + "".join(sorted(inside))
    if len(alphabet) >= 2**16:
        raise ValueError(f"{len(alphabet)} different characters do not fit a KyTea model")
    number = {character: index for index, character in enumerate(alphabet, start=1)}

    def spelled(text: str) -> tuple[int, ...]:
        return tuple(number[character] for character in text)

    def dictionary(texts: Sequence[str], entry: Callable[[int], bytes]) -> bytes:
        keys = [spelled(text) for text in texts]
        return _automaton(keys) + b"".join(entry(index) for index in range(len(keys)))

    def word(index: int) -> bytes:
        key = spelled(model.words[index])
        return struct.pack(f"<I{len(key)}HB", len(key), *key, 1)  # of the one dictionary

    def vectors(rows: np.ndarray) -> Callable[[int], bytes]:
        return lambda index: _vector(rows[index])

    grams = [
        dictionary(texts, vectors(rows))
        for texts, rows in zip(model.grams, model.weights, strict=True)
    ]
    of_words = [weight for left, right in model.word_weights for weight in (left, 0, right)]
    return b"".join(
        [
            HEADER,
            struct.pack("<??I", True, False, 0),  # segments words, has no tags
            struct.pack("<5B?dB", WINDOW, LONGEST, WINDOW, LONGEST, WORD, False, 0.0, SOLVER),
            alphabet.encode() + b"\0",
            struct.pack("<iBii?d", 2, SOLVER, 1, -1, True, model.multiplier),
            b"\1" + grams[0] + grams[1] + ABSENT,
            _vector(of_words) + _vector([model.bias]) + NO_WEIGHTS + NO_WEIGHTS,
            dictionary(model.words, word),
            ABSENT,
        ]
    )


def _vector(weights: Sequence[int]) -> bytes:
    return struct.pack(f"<I{len(weights)}h", len(weights), *map(int, weights))


def _automaton(keys: Sequence[tuple[int, ...]]) -> bytes:
    """States of the Aho-Corasick automaton of different keys, then their number."""
    steps: list[dict[int, int]] = [{}]
    own = {}
    for index, key in enumerate(keys):
        state = 0
        for character in key:
            if character not in steps[state]:
                steps[state][character] = len(steps)
                steps.append({})
            state = steps[state][character]
        own[state] = index
    failure = [0] * len(steps)
    outputs = [[own[state]] if state in own else [] for state in range(len(steps))]
    queue = list(steps[0].values())
    for state in queue:  # breadth first: a failure is shorter, so it is complete by then
        for character, following in steps[state].items():
            back = failure[state]
            while back and character not in steps[back]:
                back = failure[back]
            failure[following] = steps[back].get(character, 0)
            outputs[following] += outputs[failure[following]]
            queue.append(following)
    packed = [struct.pack("<BI", 1, len(steps))]
    for state, edges in enumerate(steps):
        pairs = [part for edge in sorted(edges.items()) for part in edge]
        ends = outputs[state]
        packed.append(
            struct.pack(
                "<II" + "HI" * len(edges) + f"I{len(ends)}I?",
                failure[state],
                len(edges),
                *pairs,
                len(ends),
                *ends,
                state in own,
            )
        )
    return b"".join(packed) + struct.pack("<I", len(keys))
