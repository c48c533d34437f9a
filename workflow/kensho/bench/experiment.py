"""What a job of experiments is: its part, what it reads, its arms or its outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kensho.bench.inputs import Context, Inputs
from kensho.part import Needs, Part

Names = Callable[[Any, Context], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Job(Part):
    """A part that runs by itself. ``reads`` are the keys of its settings (None: all of them)."""

    inputs: Callable[[Any, Context], Inputs] = lambda own, context: {}
    reads: tuple[str, ...] | None = None
    seeded: bool = True


@dataclass(frozen=True, kw_only=True)
class Experiment(Job):
    """An experiment: its ``arms``, of which one file each is written; none where it cannot run.

    ``judged_on``: accelerator without which no claim is tested on it; ``target``: what runs it
    where it is no part of the main job; ``absent``: what to do where it has no arms; ``left_out``:
    sources of its settings that are not used, with the reason.
    """

    arms: Names
    judged_on: str | None = None
    target: str = "benchmark"
    absent: str = ""
    left_out: Callable[[Any, Context], Mapping[str, str]] = lambda own, context: {}


@dataclass(frozen=True, kw_only=True)
class Preparation(Job):
    """What an experiment needs made first, with the settings ``of`` that experiment.

    ``outputs`` by name; ``folders`` are those that are no file.
    """

    of: str
    outputs: Mapping[str, str]
    folders: tuple[str, ...] = ()


def always(*arms: str) -> Names:
    """Arms that depend on nothing."""
    return lambda own, context: arms


TIMED = Needs(cores="all", accelerator=True, minutes=60)
LARGE = replace(TIMED, memory_mb=8000)
