"""What a configuration leads to: what runs, which claims are tested, and why others are not.

Pure: what is at hand, what was observed and what was spent are told by the caller.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kensho import external
from kensho.augment.catalogue import TECHNIQUES, models_of
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.bench.experiment import Job
from kensho.bench.inputs import Context
from kensho.claims.model import Claim, Obstacle
from kensho.data.sources import Source
from kensho.jlce import catalogue as jlce
from kensho.models import engine
from kensho.models.catalogue import Model
from kensho.plan import beginnings, domain, judging
from kensho.plan.config import Config
from kensho.run import budget
from kensho.validation import suggestion

BEYOND = {  # observed by other targets than the main job
    **dict.fromkeys(("jlce", "jlce_preference"), "jlce"),
    **dict.fromkeys(("translation", *judging.ARMS), "judging"),
    **dict.fromkeys((domain.ANSWERS, domain.SCORES), "domain_study"),
}
STUDIES = (
    *("augmentation_study", "training_studies", "tokenisers_study", "domain_study"),
    "serving_study",
)
COMMAND = "snakemake --profile local"
FETCH = f"{COMMAND} sources"
REPORT = ("results/validation_report.html", "results/statistical_summary.json")
OWN = ("own", "results/own_report.html", "results/own_summary.json")
JUDGED = {  # by a target that makes the report: of which targets the claims are judged
    **dict.fromkeys(("all", *REPORT), ("all",)),
    "jlce": ("all", "jlce"),
    "judging": ("all", "judging"),
    "benchmark": ("all", "jlce", "benchmark"),
    **{target: ("all", target) for target in STUDIES},
    "rehearsal": ("all", "jlce", "judging", "benchmark", *STUDIES),
}
LEFT = {
    "all": "the main job has not judged it here yet",
    "benchmark": "left to the target `benchmark`, which runs this experiment (bench.main)",
    **{
        target: f"left to the target `{target}`, which runs this experiment"
        for target in ("jlce", "judging", *STUDIES)
    },
}


@dataclass(frozen=True)
class Folder:
    """What a plan depends on beside what is configured.

    ``at_hand``: whether a source can be had without the network; ``observed``: whether the tables
    of an experiment's arms are there; ``decided``: for a job, what its head has decided;
    ``awaited``: experiments whose brought tables are not there yet, which is no fault.
    """

    at_hand: Callable[[str], bool]
    observed: Callable[[str, Iterable[str]], bool]
    spent_usd: float = 0.0
    decided: Mapping | None = None
    rehearsed: bool = False
    awaited: Collection[str] = ()


@dataclass(frozen=True)
class ConfiguredJob:
    """A job of an experiment, or of what is prepared for one, as its rule states it."""

    part: Job
    inputs: Mapping[str, str | list[str]]
    settings: Mapping[str, object]
    arms: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The decisions of a run.

    ``arms`` are those observed of each experiment, ``reasons`` say why the configuration does not
    test a claim and ``kinds`` of which kinds these are, ``fetchable`` are those of which fetching
    sources would make it testable, ``recipes`` are commands that would test others where there is
    what they name (a judge, an accelerator, a folder), or that make the tables that they await;
    ``unpaid`` are claims that a spent budget leaves out, ``evaluated`` the arms that it leaves in,
    ``stage`` says how far it is spent. ``targets`` name what judges each claim that has a test.
    """

    arms: Mapping[str, Sequence[str]]
    experiments: Mapping[str, ConfiguredJob]
    preparations: Mapping[str, ConfiguredJob]
    tested: Mapping[str, Claim]
    reasons: Mapping[str, str]
    kinds: Mapping[str, Sequence[Obstacle]]
    brought: Mapping[str, external.Experiment]
    fetchable: Sequence[str]
    recipes: Mapping[str, str]
    targets: Mapping[str, str]
    stage: budget.Stage
    unpaid: Sequence[str]
    evaluated: Sequence[str]
    at_hand: Sequence[str]
    stages: Mapping[str, Sequence[str]]  # of each trained arm, their folders (plan.beginnings)
    variants_wanted: int  # of one technique: the others fill up what one of them cannot give

    def requested(self, targets: Collection[str]) -> list[str]:
        """Claims that targets of a command judge, but for those that a spent budget leaves out."""
        groups = {group for target in targets for group in JUDGED.get(target, ())}
        named = {
            match[1]
            for target in targets
            if (match := re.fullmatch(r"results/analysis/(.+)\.(?:json|nc)", target))
        }
        own = {*OWN}.intersection(targets)
        judged = [
            name
            for name, claim in self.tested.items()
            if self.targets[name] in groups or (own and claim.test and claim.test.external)
        ]
        left = {*self.unpaid} - named
        return [name for name in self.tested if name in named.union(judged) - left]

    def untested(self, claims: Iterable[str], limit_usd: float) -> dict[str, str]:
        """Why claims that have no verdict have none."""
        unpaid = budget.reason(self.stage, limit_usd)
        return {
            name: self.reasons.get(name)
            or (unpaid if name in self.unpaid else LEFT[self.targets[name]])
            for name in claims
        }

    def command(self, claim: str) -> str | None:
        """What would test a claim; None where no command would."""
        if claim in self.recipes:
            return self.recipes[claim]
        if claim in self.unpaid or (claim in self.reasons and claim not in self.fetchable):
            return None
        test = f"{COMMAND} {self.targets[claim]}"
        return f"{FETCH} && {test}" if claim in self.fetchable else test

    def decided(self) -> dict:
        """What the head of a run tells its jobs, for whom files and costs have moved on."""
        return {
            "stage": self.stage,
            "left_out": list(self.unpaid),
            "arms": list(self.evaluated),
            "at_hand": list(self.at_hand),
        }


def make(
    config: Config,
    claims: Sequence[Claim],
    sources: Mapping[str, Source],
    models: Mapping[str, Model],
    folder: Folder,
) -> tuple[Plan, list[str]]:
    """The plan and the problems, one line each, that show only here."""
    head, observed = folder.decided, folder.observed
    optional = [name for name, source in sources.items() if source.optional]
    at_hand = list(filter(folder.at_hand, optional)) if head is None else head["at_hand"]
    refused = _refused(config, sources, at_hand)
    kinds = {name: source.kind for name, source in sources.items()}
    accepted = frozenset(n for n, s in sources.items() if s.licence_class in config.licences)
    context = Context(
        base=config.train.base,
        expanded=config.bench.vocabulary.model or config.train.base,
        models=models,
        accelerator=config.accelerator,
        kinds=kinds,
        accepted=accepted,
        refused=refused,
        asked={name: models_of(getattr(config.augmentation, name)) for name in TECHNIQUES},
        engine=engine.inputs(config.engine, config.accelerator),
    )
    fetched = context._replace(refused=_refused(config, sources, optional))
    experiments, had = {}, {}  # arms that there are, and that there were with every source at hand
    for name, part in EXPERIMENTS.items():
        own = getattr(config.bench, name, None)
        observed_arms, had[name] = list(part.arms(own, context)), list(part.arms(own, fetched))
        if folder.rehearsed and part.judged_on:  # twins stand for no accelerator
            observed_arms = had[name] = []
        experiments[name] = _configured(
            part, own, context, observed_arms, part.left_out(own, context)
        )
    preparations = {
        name: _configured(part, getattr(config.bench, part.of), context)
        for name, part in PREPARATIONS.items()
    }
    main = ["base", *(arm.name for arm in config.train.arms), *config.evaluate.references]
    everyone = [*main, *(arm.name for arm in config.train.recipes)]
    judge = config.jlce.judge
    arms: dict[str, Sequence[str]] = {
        **{name: job.arms for name, job in experiments.items()},
        "augmentation": ["original", "augmented"],
        "adaptation": everyone,
        "training": [arm.name for arm in config.train.trained],
        "evaluation": everyone,
        "jlce": ranked(config),
        "jlce_preference": ["-".join(pair) for pair in judge.pairs] if judge else [],
        **judging.arms(config),
        **domain.arms(config),
    }
    problems = external.problems(claims, arms)
    lacking = jlce.without_prompt(config.jlce.tasks, config.jlce.prompts)
    problems += [f"config: {line}" for line in lacking]
    brought = external.experiments(claims)
    arms |= {name: tables.arms for name, tables in brought.items()}
    problems += [
        f"{claim.id}: no experiment '{claim.test.experiment}', "
        f"{suggestion(claim.test.experiment, arms)}"
        for claim in claims
        if claim.test and claim.test.experiment not in arms
    ]
    awaiting = [c for c in claims if c.test and c.test.experiment in folder.awaited]
    targets = {name: part.target for name, part in EXPERIMENTS.items()}
    targets |= BEYOND
    targets |= dict.fromkeys(config.bench.main, "all")
    untestable = {claim.id: why for claim in claims if (why := _untestable(claim, arms, config))}
    recipes = {
        claim.id: f"{COMMAND} --config {untestable[claim.id].option} -- "
        f"{targets[claim.test.experiment]}"
        for claim in claims
        if claim.test and claim.id in untestable and untestable[claim.id].option
    }
    recipes |= {c.id: f"{c.recipe} && {COMMAND} own" for c in awaiting if c.recipe}
    fetchable = [
        claim.id
        for claim in claims
        if claim.id in untestable and not _untestable(claim, arms | had, config)
    ]
    untestable |= {claim.id: _awaiting(claim) for claim in awaiting}
    reasons = {name: why.reason for name, why in untestable.items()}
    if folder.rehearsed:
        brought_along = {c.id for c in claims if c.test and c.test.external}
        reasons |= dict.fromkeys(brought_along, "tables that are brought are not rehearsed")
    tested = {claim.id: claim for claim in claims if claim.id not in reasons}
    stage = head["stage"] if head else budget.stage(folder.spent_usd, config.budget.limit_usd)
    unpaid = (
        head["left_out"]
        if head
        else budget.left_out(
            tested.values(),
            stage,
            lambda c: bool(c.test and observed(c.test.experiment, c.test.arms)),
        )
    )
    paid = [claim.test for name, claim in tested.items() if claim.test and name not in unpaid]
    read = [test.arms for test in paid if test.experiment in ("adaptation", "evaluation")]
    kinds_of = {name: why.kinds for name, why in untestable.items()}
    kinds_of |= {name: [Obstacle.DATA] for name in fetchable}
    plan = Plan(
        arms=arms,
        experiments={name: job for name, job in experiments.items() if job.arms},
        preparations=preparations,
        tested=tested,
        reasons=reasons,
        kinds=kinds_of,
        brought={name: one for name, one in brought.items() if name not in folder.awaited},
        fetchable=fetchable,
        recipes=recipes,
        targets={c.id: targets.get(c.test.experiment, "all") for c in claims if c.test},
        stage=stage,
        unpaid=unpaid,
        evaluated=head["arms"]
        if head
        else [
            arm
            for arm in main
            if stage == "whole" or arm in {"base"}.union(*read) or observed("evaluation", [arm])
        ],
        at_hand=at_hand,
        stages=beginnings.folders(config),
        variants_wanted=(config.augmentation.target - config.data.train)
        // max(1, len(config.augmentation.techniques) - 1),
    )
    return plan, problems


def ranked(config: Config) -> list[str]:
    """Arms that JLCE ranks."""
    first = [arm.name for arm in config.train.arms[:1]]
    return config.jlce.arms or ["base", *first, *config.evaluate.references]


def _configured(part: Job, own, context: Context, arms=(), left_out=None) -> ConfiguredJob:
    settings = {} if own is None else own.model_dump(include=part.reads and {*part.reads})
    if part.reads == ():
        settings = {}
    return ConfiguredJob(part, part.inputs(own, context), settings, arms, left_out or {})


def _refused(
    config: Config, sources: Mapping[str, Source], at_hand: Sequence[str]
) -> dict[str, str]:
    """Sources that are not used, with the reason."""
    refused = {}
    for name, source in sources.items():
        if source.licence_class not in config.licences:
            refused[name] = f"licence class {source.licence_class} is not accepted (licences)"
        elif source.optional and name not in at_hand:
            refused[name] = f"not at hand (fetch it with `{FETCH}`)"
    return refused


class Untestable(NamedTuple):
    """Why a claim cannot be tested, of which kinds that is, and the option that would mend it."""

    reason: str
    kinds: Sequence[Obstacle]
    option: str | None = None


def _untestable(
    claim: Claim, arms: Mapping[str, Sequence[str]], config: Config
) -> Untestable | None:
    """Why a claim cannot be tested with this configuration, or None."""
    if claim.test is None:
        return Untestable(str(claim.not_tested), claim.obstacles)
    experiment = claim.test.experiment
    part = EXPERIMENTS.get(experiment)
    if part and part.judged_on not in (None, config.accelerator):
        reason = f"needs accelerator: {part.judged_on}; the configuration says {config.accelerator}"
        return Untestable(reason, [Obstacle.HARDWARE], f"accelerator={part.judged_on}")
    if experiment not in arms:
        return Untestable(f"no experiment '{experiment}' in this version", [Obstacle.SETTINGS])
    if part and part.absent and not arms[experiment]:
        return Untestable(part.absent, [Obstacle.DATA])
    if experiment in (*judging.ARMS, domain.SCORES) and not arms[experiment]:
        return Untestable(judging.NO_JUDGE, [Obstacle.JUDGE], judging.JUDGE)
    brought = {side.metric for side in claim.test.sides} & {*judging.without(config.judging)}
    if experiment == "translation" and brought:
        reason = judging.without(config.judging)[brought.pop()]
        return Untestable(reason, [Obstacle.DATA], judging.PREPARED)
    absent = [arm for arm in claim.test.arms if arm not in arms[experiment]]
    if not absent:
        return None
    reason = f"the configuration has no arm {', '.join(absent)}"
    return Untestable(reason, [Obstacle.SETTINGS])


def _awaiting(claim: Claim) -> Untestable:
    """What a claim on tables that are not there yet waits for."""
    tables = {table.path: table.format for table in claim.required_test.external}
    named = ", ".join(f"{path} ({form})" for path, form in tables.items())
    reason = f"no table {named} is here: bring it and give `{COMMAND} own`"
    return Untestable(reason, claim.obstacles)
