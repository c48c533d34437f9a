"""Everything that a run is configured by, read and checked at once."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kensho import external, paths
from kensho.audit import registry as audits
from kensho.claims import registry
from kensho.claims.model import Claim
from kensho.data import corpora
from kensho.data import sources as source_registry
from kensho.data.corpora import Corpus
from kensho.data.hub import Locked
from kensho.data.sources import Source
from kensho.models import cards, catalogue, lock, rocm
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.models.lock import Lock
from kensho.plan import judging, rehearsal
from kensho.plan import plan as plans
from kensho.plan.check import check, named_models
from kensho.plan.config import Config
from kensho.plan.directives import observation_files
from kensho.plan.plan import COMMAND, OWN, Folder, Plan
from kensho.plan.verdicts import PAGES, Outdated, Verdicts, analysis, decide
from kensho.run import budget, events
from kensho.validation import misread, suggestion

REHEARSED = "rehearsal of "
OBSERVED = Path("results/benchmark_data")
# Targets that need no model: preflight lists what is missing beside what else it finds.
LIGHT = (
    *("preflight", "lock", "lock_corpora", "corpora", "own", "verify", "provenance"),
    *("archive", "pooled", "audit", "results/audit.html"),
)


@dataclass(frozen=True)
class Run:
    """A configuration with what it speaks of, and the plan that follows."""

    config: Config
    claims: list[Claim]
    sources: Mapping[str, Source]
    models: Mapping[str, Model]
    cards: Mapping[str, Card]
    lock: Lock
    corpora: Mapping[str, Corpus]
    locked_corpora: Mapping[str, Locked]
    variables: Mapping[str, Any]  # ROCm's
    cache: Path
    mirror: Path | None
    plan: Plan
    verdicts: Verdicts
    bringing: list[str]  # claims on tables that the user brings
    rehearsed: bool

    @property
    def scale(self) -> str:
        """As pages name it."""
        return f"{REHEARSED if self.rehearsed else ''}{self.config.scale}"

    @property
    def accepted(self) -> list[str]:
        """Sources whose licence class the configuration accepts."""
        classes = self.config.licences
        return [name for name, source in self.sources.items() if source.licence_class in classes]

    def judged(self, summary: str) -> list[str]:
        """Claims whose analyses a summary holds."""
        if summary == "own":
            return self.plan.requested(OWN)
        shown = {*self.verdicts.requested, *self.verdicts.kept}
        return [claim.id for claim in self.claims if claim.id in shown]

    def beside(self, summary: str) -> dict[str, Any]:
        """What a summary says beside its analyses: of which claims, which of them are stale, why
        others are untested, and the commands that would test these."""
        shown = self.bringing if summary == "own" else [claim.id for claim in self.claims]
        judged = self.judged(summary)
        rest = [name for name in shown if name not in judged]
        commands = {name: self.plan.command(name) for name in shown}
        return {
            "shown": shown,
            "stale": [name for name in judged if analysis(name) in self.verdicts.stale],
            "untested": self.plan.untested(rest, self.config.budget.limit_usd),
            "commands": {name: command for name, command in commands.items() if command},
            "kinds": {name: list(self.plan.kinds.get(name, [])) for name in rest},
        }

    @property
    def reasons(self) -> dict[str, str]:
        """Why what is kept no longer holds, by claim or by target of a page. Words to show and no
        trigger: what a run makes anew is another reason to the next one."""
        names = {analysis(claim.id): claim.id for claim in self.claims}
        names |= {path: target for target, path in PAGES.items()}
        return {names[path]: why for path, why in self.verdicts.stale.items()}

    @property
    def pages(self) -> list[dict[str, Any]]:
        """Pages that the report links to where they are, with the command that makes each."""
        return [
            {
                "target": target,
                "href": path.removeprefix("results/"),
                "there": target in self.verdicts.pages,
                "stale": path in self.verdicts.stale,
                "command": f"{COMMAND} {target}",
            }
            for target, path in PAGES.items()
        ]

    def decided(self) -> dict[str, Any]:
        """What the head of a run tells its jobs."""
        return self.plan.decided() | {"verdicts": asdict(self.verdicts)}

    def model(self, name: str) -> dict[str, Any]:
        """What is listed of a model, and its card: parameters of the rules that bring it here.

        Raises ValueError for a model that is not listed.
        """
        if name not in self.models:
            known = suggestion(name, self.models)
            raise ValueError(f"no model '{name}' in config/models.yaml, {known}")
        model = self.models[name]
        card = self.cards.get(model.card or "")
        kept = model.model_dump(include={"hub", "chat", "licence", "role"})
        return {"entry": kept, "card": card.model_dump() if card else None}

    def as_had(self) -> Config:
        """The configuration without choice tasks whose data cannot be had now, as one would run.

        It asks the network.
        """
        own = self.config.evaluate
        named = {name: self.sources[name] for name in own.choice_tasks if name in self.accepted}
        away = source_registry.all_unreachable(named, cache=self.cache, mirror=self.mirror)
        tasks = [name for name in named if name not in away]
        evaluate = own.model_copy(update={"choice_tasks": tasks})
        return self.config.model_copy(update={"evaluate": evaluate})

    def obstacle(self, name: str) -> str | None:
        """Why a model may not or cannot be fetched, with the mend."""
        model = self.models[name]
        reasons = catalogue.obstacle(model, self.config.licences) or lock.obstacle(model, self.lock)
        return f"{name}: {'; '.join(reasons)}" if reasons else None

    def locked(self, name: str) -> dict[str, Any] | None:
        """The lock of a model of the hub, None where there is an obstacle."""
        obstacle = self.obstacle(name)
        return None if obstacle else self.lock[str(self.models[name].hub)].model_dump()

    @property
    def used(self) -> list[str]:
        """Models of the configuration."""
        return [
            *dict.fromkeys(name for _, name in named_models(self.config) if name in self.models)
        ]

    @property
    def needed(self) -> list[str]:
        """Sources without which nothing runs: the corpus, and what packages hold of the models.

        Models of the study `domain_study` alone are none of them.
        """
        named = [name for key, name in named_models(self.config) if not key.startswith("domain.")]
        packed = [self.models[name].files.get("gguf") for name in named if name in self.models]
        return [self.config.data.source, *dict.fromkeys(filter(None, packed))]


def load(
    raw: Mapping,
    files: Iterable[str],
    *,
    head: Mapping | None,
    targets: Collection[str] | None,
    outdated: Outdated,
) -> Run:
    """Read claims, cards and sources of this folder, check the configuration, and plan.

    Args: ``files`` are those that ``raw`` was read from; ``head`` is what the head of the run has
    decided (None in the head itself); ``targets`` are those of the head's command (None in a job,
    which asks for nothing that could be missing); ``outdated`` tells which files are out of date.

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
    models, unreadable = catalogue.load("config/models.yaml", sources, architectures)
    locked, misfit = lock.load()
    listed, odd = corpora.load("config/corpora.yaml")
    locked_corpora, loose = corpora.load_lock()
    if rehearsed := rehearsal.asked(None):  # as `begin` has set it
        models = catalogue.twins(models)
    config, more = check(raw, sources, models, architectures)
    problems += [*faults, *unreadable, *misfit, *odd, *loose, *more]
    problems += audits.problems(claims)
    problems += corpora.unfit(config.corpora, listed, sources, config.licences)
    problems += [line for path in files for line in misread(Path(path))]
    cache, mirror = paths.folders(config.paths)
    prices = config.budget.prices
    problems += budget.uncounted(prices)
    past = read(events.read, events.LOG, []) if prices.any() and not head else []
    folder = Folder(
        at_hand=lambda name: source_registry.at_hand(sources[name], cache, mirror),
        observed=lambda name, arms: all(map(os.path.exists, observation_files(name, arms))),
        spent_usd=budget.spent(past, prices),
        decided=head,
        rehearsed=rehearsed,
        awaited=external.awaited(claims, OBSERVED),
    )
    plan, faults = plans.make(config, claims, sources, models, folder)
    problems += faults
    bringing = [c.id for c in claims if c.test and c.test.experiment in plan.brought]
    verdicts = Verdicts(**head["verdicts"]) if head else Verdicts(list(plan.tested))
    run = Run(
        config=config,
        claims=claims,
        sources=sources,
        models=models,
        cards=architectures,
        lock=locked,
        corpora={**listed, **config.corpora.own},
        locked_corpora=locked_corpora,
        variables=variables,
        cache=cache,
        mirror=mirror,
        plan=plan,
        verdicts=verdicts,
        bringing=bringing,
        rehearsed=rehearsed,
    )
    if targets is not None:
        problems += _absent(run, {*targets}, problems)
    if problems:
        raise ValueError("\n".join([f"{len(problems)} problem(s), nothing was run:", *problems]))
    if targets is not None:
        run = replace(run, verdicts=decide(plan, claims, targets, outdated))
    return run


def _absent(run: Run, targets: set[str], problems: list[str]) -> list[str]:
    """What the targets would miss: brought tables, and sources that no place has."""
    lines = external.missing(run.plan.brought, OBSERVED)
    if "own" in targets and not run.bringing and not problems:
        lines.append("own: no claim brings tables (test.external), see docs/own-results.md")
    if "judging" in targets or any("/translation" in target for target in targets):
        lines += judging.away(run.config.judging)
    for name in corpora.parts(run.config.corpora, run.corpora):
        if "corpora" in targets or any(t.startswith(f"results/data/{name}/") for t in targets):
            away = corpora.absent(name, run.corpora[name], run.locked_corpora)
            lines += [away] if away else []
    if not {*LIGHT, *(f"results/analysis/{name}.json" for name in run.bringing)} & targets:
        missing = {
            name: run.sources[name]
            for name in run.needed
            if name in run.sources and not Path(f"results/sources/{name}/record.json").exists()
        }
        unreachable = source_registry.all_unreachable(missing, cache=run.cache, mirror=run.mirror)
        lines += unreachable.values()
    return lines
