"""Everything that a run is configured by, read and checked at once."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kensho import external, paths
from kensho.claims import registry
from kensho.claims.model import Claim
from kensho.data import sources as source_registry
from kensho.data.sources import Source
from kensho.models import cards, rocm
from kensho.plan import plan as plans
from kensho.plan.asked import observation_files
from kensho.plan.config import Config, check
from kensho.plan.plan import Plan
from kensho.run import budget, events
from kensho.validation import misread

OBSERVED = Path("results/benchmark_data")
# Targets that need no model: preflight lists what is missing beside what else it finds.
LIGHT = ("preflight", "own", "verify")


@dataclass(frozen=True)
class Run:
    """A configuration with what it speaks of, and the plan that follows."""

    config: Config
    claims: list[Claim]
    sources: Mapping[str, Source]
    variables: Mapping[str, Any]  # ROCm's
    cache: Path
    mirror: Path | None
    plan: Plan
    bringing: list[str]  # claims on tables that the user brings

    @property
    def accepted(self) -> list[str]:
        """Sources whose licence class the configuration accepts."""
        classes = self.config.licences
        return [name for name, source in self.sources.items() if source.licence_class in classes]

    def shown(self, summary: str) -> list[Claim]:
        """Claims that a summary shows."""
        return [c for c in self.claims if summary != "own" or c.id in self.bringing]

    @property
    def needed(self) -> list[str]:
        """Sources without which nothing runs."""
        config = self.config
        return [config.data.source, config.train.base, *config.evaluate.references]


def load(
    raw: Mapping, files: Iterable[str], *, head: Mapping | None, targets: Iterable[str] | None
) -> Run:
    """Read claims, cards and sources of this folder, check the configuration, and plan.

    Args: ``files`` are those that ``raw`` was read from; ``head`` is what the head of the run has
    decided (None in the head itself); ``targets`` are the words of the head's command (None in a
    job, which asks for nothing that could be missing).

    Raises ValueError with a line for each problem.
    """
    problems: list[str] = []

    def read(reader: Callable, path: Path | str, empty):
        try:
            return reader(Path(path))
        except ValueError as error:
            problems.extend(str(error).splitlines())
            return empty

    claims = read(registry.load, "config/claims", [])
    architectures = read(cards.load, "resources/architectures.yaml", {})
    variables = read(rocm.load, "resources/rocm_variables.yaml", {})
    sources, faults = source_registry.load("config/sources.yaml")
    config, more = check(raw, sources, architectures)
    problems += [*faults, *more, *(line for path in files for line in misread(Path(path)))]
    cache, mirror = paths.folders(config.paths)
    prices = config.budget.prices
    problems += budget.uncounted(prices)
    past = read(events.read, events.LOG, []) if prices.any() and not head else []
    plan, faults = plans.make(
        config,
        claims,
        sources,
        at_hand=lambda name: source_registry.at_hand(sources[name], cache, mirror),
        observed=lambda name, arms: all(map(os.path.exists, observation_files(name, arms))),
        spent_usd=budget.spent(past, prices),
        head=head,
    )
    problems += faults
    bringing = [claim.id for claim in claims if claim.test and claim.test.external]
    run = Run(config, claims, sources, variables, cache, mirror, plan, bringing)
    if targets is not None:
        problems += _absent(run, {*targets}, problems)
    if problems:
        raise ValueError("\n".join([f"{len(problems)} problem(s), nothing was run:", *problems]))
    return run


def _absent(run: Run, targets: set[str], problems: list[str]) -> list[str]:
    """What the targets would miss: brought tables, and sources that no place has."""
    lines = external.missing(run.plan.brought, OBSERVED)
    if "own" in targets and not run.bringing and not problems:
        lines.append("own: no claim brings tables (test.external), see docs/own-results.md")
    if not {*LIGHT, *(f"results/analysis/{name}.json" for name in run.bringing)} & targets:
        missing = {
            name: run.sources[name]
            for name in run.needed
            if name in run.sources and not Path(f"results/sources/{name}/record.json").exists()
        }
        lines += source_registry.all_unreachable(missing, cache=run.cache, mirror=run.mirror)
    return lines
