"""Verdicts derived again from the observations beside them, and from nothing else."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from kensho.claims import registry
from kensho.files import read_json
from kensho.run import events
from kensho.stats import derive

CLAIMS, LOG = "config/claims", "logs/jobs.jsonl"


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
    """Where judged claims of a crate, or their settings, are not those that stand in it."""
    claims = {claim.id: claim for claim in registry.load(crate / CLAIMS)}
    configured = [*_configured(crate / LOG)]
    differences = []
    for path in (crate / f"results/analysis/{name}.json" for name in judged):
        analysis, claim = read_json(path), claims.get(path.stem)
        if claim is None or analysis.get("record") != claim.model_dump(mode="json"):
            differences.append(f"{path}: record: not the claim {path.stem} of {CLAIMS}")
            continue
        settings = dict(analysis["settings"])
        size = registry.family_size([*claims.values()], claim.required_test.family)
        if settings.pop("family_size") != size:
            differences.append(f"{path}: family_size: the family has {size} claims in {CLAIMS}")
        if configured and settings not in configured:
            differences.append(f"{path}: settings: no run of {LOG} was configured so")
    return differences


def _configured(log: Path) -> Iterator[dict]:
    """Settings of judgements, of each run whose configuration is recorded."""
    for event in events.read(log, "run"):
        if event.head:
            config = event.head.config
            yield {**config["stats"], "seed": config["seed"]}
