"""What a pluggable part of the workflow says of itself: techniques, methods, stages, experiments.

A part is one entry of a catalogue and one module. Catalogues import no part, so that the head of a
run reads all of them in a moment; a job resolves the one that it runs.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeVar

from kensho.validation import Section, suggestion


class NoSettings(Section):
    """Settings of a part that has none."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a job of a part asks for at the embedded scale."""

    environment: str = "models"  # of envs/
    memory_mb: int = 4000
    minutes: int = 15
    cores: Literal["one", "all"] = "one"
    accelerator: bool = False  # whether it uses one where the configuration has one


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part; ``code`` is `module:name`, ``files`` are what it reads below workflow/kensho."""

    name: str
    title: str
    code: str
    settings: type[Section] = NoSettings
    needs: Needs = Needs()
    files: tuple[str, ...] = ()


P = TypeVar("P", bound=Part)


class Catalogue(dict[str, P]):
    """Parts of one kind by name. A name that it lacks raises ValueError with the known ones."""

    def __init__(self, kind: str, parts: Iterable[P], reserved: Collection[str] = ()):
        super().__init__()
        self.kind = kind
        for part in parts:
            if not re.fullmatch(r"[a-z][a-z0-9_-]*", part.name) or part.name in reserved:
                raise ValueError(
                    f"{kind} '{part.name}': not a name for one, which names files and rules, or "
                    "one that the workflow keeps to itself; rename it"
                )
            if part.name in self:
                raise ValueError(f"{kind} '{part.name}' stands twice in the catalogue; rename one")
            self[part.name] = part

    def __missing__(self, name: str) -> P:
        raise ValueError(f"no {self.kind} '{name}', {suggestion(name, self)}")


def resolve(code: str) -> Any:
    """What `module:name` names. Raises ValueError where the module has no such name."""
    module, _, name = code.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise ValueError(f"{module} has no '{name}'; mend the `code` of its catalogue") from None
