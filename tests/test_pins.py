"""One set of versions: the lock, the conda environments and what is asked for agree."""

from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def requirements(lines):
    kept = [line.split("#")[0].strip() for line in lines]
    return [Requirement(line) for line in kept if line]


@pytest.fixture(scope="module")
def lock():
    """Version by name."""
    pins = requirements((ROOT / "requirements.lock").read_text().splitlines())
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in pins)
    versions = {canonicalize_name(p.name): str(p.specifier).removeprefix("==") for p in pins}
    assert len(versions) == len(pins), "a name stands in the lock twice"
    return versions


def test_there_is_an_environment_for_every_conda_line_of_the_rules():
    named = {
        line.split('"')[1].removeprefix("../")
        for rules in (ROOT / "rules").glob("*.smk")
        for line in rules.read_text().splitlines()
        if '"../envs/' in line
    }
    assert named == {f"envs/{path.name}" for path in ENVIRONMENTS}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_pins_are_those_of_the_lock(path, lock):
    *_, last = yaml.safe_load(path.read_text())["dependencies"]
    pins = requirements(last["pip"])
    assert pins
    for pin in pins:
        locked = lock.get(canonicalize_name(pin.name))
        assert str(pin.specifier) == f"=={locked}", f"{path.name}: {pin}, lock has {locked}"


def test_everything_asked_for_is_locked_in_a_version_that_fits(lock):
    for asked in requirements((ROOT / "requirements.in").read_text().splitlines()):
        locked = lock.get(canonicalize_name(asked.name))
        assert locked is not None, f"{asked.name} is not in requirements.lock"
        assert asked.specifier.contains(locked), f"requirements.lock has {asked.name}=={locked}"
