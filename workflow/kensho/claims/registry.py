"""Loading the registry: every claim of every file, or every problem of every file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from kensho.claims.model import Claim
from kensho.validation import problems, read_yaml


class ClaimError(ValueError):
    """All problems of a registry, one line each."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


def load(folder: Path) -> list[Claim]:
    """Load `*.yaml` of a folder, in the order of file names and of the entries within.

    Raises ClaimError with one line for each problem: bad YAML, a record that the model refuses,
    an id used twice, no claim at all.
    """
    claims: list[Claim] = []
    owner: dict[str, Path] = {}
    lines: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            entries = read_yaml(path)
        except ValueError as error:
            lines.append(str(error))
            continue
        if not isinstance(entries, list):
            lines.append(f"{path}: expected a list of claims (each starting with '- id:')")
            continue
        for number, entry in enumerate(entries, start=1):
            name = str(entry.get("id", "")) if isinstance(entry, dict) else ""
            name = name or f"entry {number}"
            try:
                claim = Claim.model_validate(entry)
            except ValidationError as error:
                lines += problems(error, str(path), Claim, under=name)
                continue
            if claim.id in owner:
                lines.append(f"{path}: {claim.id}.id: already used in {owner[claim.id]}")
            owner.setdefault(claim.id, path)
            claims.append(claim)
    if not claims and not lines:
        lines.append(f"{folder}: holds no claim; put a list of claims into a *.yaml file there")
    if lines:
        raise ClaimError(lines)
    return claims


def tested(claims: Iterable[Claim]) -> list[Claim]:
    """Claims that have a registered test."""
    return [claim for claim in claims if claim.test is not None]


def family_size(claims: Iterable[Claim], family: str) -> int:
    """Number m of stochastic verdicts in a family; a deterministic ratio takes no part in it."""
    tests = [claim.required_test for claim in tested(claims)]
    return sum(t.family == family and t.stochastic for t in tests)
