"""Verdicts derived again from the observations beside them, and from nothing else."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from kensho.claims import registry
from kensho.files import read_json
from kensho.stats import derive

CLAIMS = "config/claims"


class Verified(NamedTuple):
    """How many verdicts were derived again, what differs, and analyses of claims that are gone."""

    verdicts: int
    differences: list[str]
    orphans: list[Path]


def verdicts(results: Path, claims: Collection[str]) -> Verified:
    """Derive every verdict below ``results`` again; ``claims`` are the ids of the registry.

    Raises ValueError where a summary cannot be read.
    """
    summaries = {path.name: read_json(path) for path in sorted(results.glob("*_summary.json"))}
    left = derive.orphans(summaries, results, claims)
    count = len({*results.glob("analysis/*.json")} - {*left})
    return Verified(count, derive.verify(summaries, results, claims), left)


def unregistered(crate: Path, judged: Iterable[str]) -> list[str]:
    """Where judged claims of a crate are not those that its registry holds."""
    held = {claim.id: claim.model_dump(mode="json") for claim in registry.load(crate / CLAIMS)}
    paths = {name: crate / f"results/analysis/{name}.json" for name in judged}
    return [
        f"{path}: record: not the claim {name} of {CLAIMS}"
        for name, path in paths.items()
        if read_json(path).get("record") != held.get(name)
    ]
