"""Hundreds of damaged configurations and claim files: a line that names the key, no traceback."""

import copy
import random
import re
from pathlib import Path

import pytest
import yaml
from kensho.claims import registry
from kensho.data import sources
from kensho.models import cards
from kensho.plan.config import check

ROOT = Path(__file__).parents[1]
CONFIGS, CLAIM_FILES = 300, 150
VALUES = [
    *(None, True, -1, 0, 0.5, 10**9, float("nan"), float("inf"), "", "x", "../x", "1", "今日は"),
    *([], [None], ["x", "x"], {}, {"x": 1}, [[]], {1: 2}, "a" * 100),
]
# What a message says is right, or is to be done.
MEND = re.compile(
    r"expected|should|did you mean|known:|is missing|leave one out|give one|needs|takes"
)
MEND_OF_CLAIMS = re.compile(rf"{MEND.pattern}|must be|already used|the same label")


def named(place):
    """The innermost key of a place; of a list, its number from 1."""
    keys = [key for key in place if isinstance(key, str)]
    return keys[-1] if keys else str(place[0] + 1)


def places(value, at=()):
    """Every place in nested mappings and lists, the root left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, found in items:
        yield (*at, key)
        if isinstance(found, dict | list):
            yield from places(found, (*at, key))


def damaged(value, rng):
    """A copy with one place removed, renamed, replaced or doubled, and that place."""
    value = copy.deepcopy(value)
    *path, key = place = rng.choice(list(places(value)))
    parent = value
    for step in path:
        parent = parent[step]
    how = rng.choice(["remove", "replace", "replace", "rename", "double"])
    if how == "replace" or (how == "rename" and isinstance(parent, list)):
        parent[key] = copy.deepcopy(rng.choice(VALUES))
    elif how == "double" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif how == "rename" or how == "double":
        parent[f"{key}s"] = copy.deepcopy(parent[key])
        if how == "rename":
            del parent[key]
    else:
        del parent[key]
    return value, place


@pytest.fixture(scope="module")
def known():
    return sources.load(ROOT / "config" / "sources.yaml")[0], cards.load(
        ROOT / "resources" / "architectures.yaml"
    )


def test_damaged_configurations_are_refused_by_key(known):
    whole = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    refused = 0
    for number in range(CONFIGS):
        raw, place = damaged(whole, random.Random(number))
        _, lines = check(raw, *known)
        refused += bool(lines)
        for line in lines:
            assert line.startswith("config: ") and "\n" not in line, (number, place, line)
            assert len(line) < 1000 and MEND.search(line), (number, place, line)
        assert not lines or named(place) in " ".join(lines), (number, place, lines)
    assert refused > CONFIGS / 2


def test_damaged_claims_are_refused_by_file_and_key(tmp_path):
    files = sorted((ROOT / "config" / "claims").glob("*.yaml"))
    refused = 0
    for number in range(CLAIM_FILES):
        rng = random.Random(number)
        path = rng.choice(files)
        raw, place = damaged(yaml.safe_load(path.read_text()), rng)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / path.name).write_text(yaml.safe_dump(raw, allow_unicode=True))
        try:
            registry.load(folder)
        except ValueError as error:
            refused += 1
            for line in str(error).splitlines():
                assert path.name in line and len(line) < 1000, (number, place, line)
                assert MEND_OF_CLAIMS.search(line), (number, place, line)
            # a doubled claim is named by its id
            assert named(place) in str(error) or "already used" in str(error), (place, str(error))
    assert refused > CLAIM_FILES / 3
