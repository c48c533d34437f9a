"""What a configuration leads to: what runs, which claims are tested, and why others are not.

Pure: what is at hand, what was observed and what was spent are told by the caller.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kensho import external
from kensho.augment.catalogue import TECHNIQUES
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS, Context, Job
from kensho.claims.model import Claim
from kensho.data.sources import Source
from kensho.plan.config import Config
from kensho.run import budget

BEYOND = ("jlce", "jlce_preference")  # observed by other targets than the main job


@dataclass(frozen=True)
class Planned:
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
    test a claim; ``unpaid`` are claims that a spent budget leaves out, ``evaluated`` the arms that
    it leaves in, ``stage`` says how far it is spent. ``main`` are the claims of the main job.
    """

    arms: Mapping[str, Sequence[str]]
    experiments: Mapping[str, Planned]
    preparations: Mapping[str, Planned]
    tested: Mapping[str, Claim]
    reasons: Mapping[str, str]
    brought: Mapping[str, external.Experiment]
    main: Sequence[str]
    stage: budget.Stage
    unpaid: Sequence[str]
    evaluated: Sequence[str]
    at_hand: Sequence[str]
    stages: Mapping[str, Sequence[str]]  # of each trained arm, as its folders are named
    variants_wanted: int  # of one technique: the others fill up what one of them cannot give

    def judged(self, summary: str) -> list[str]:
        """Claims that a summary gives a verdict."""
        bringing = [name for name, claim in self.tested.items() if claim.test.external]
        of = {"statistical": self.main, "benchmark": list(self.tested), "own": bringing}
        return [name for name in of[summary] if name not in self.unpaid]

    def not_judged(self, summary: str, claims: Iterable[Claim], limit_usd: float) -> dict[str, str]:
        """Why each of the other claims has no verdict in a summary."""
        left = "left to the target `benchmark`, which runs this experiment (bench.main)"
        unpaid = budget.reason(self.stage, limit_usd)
        judged = self.judged(summary)
        return {
            claim.id: self.reasons.get(claim.id) or (unpaid if claim.id in self.unpaid else left)
            for claim in claims
            if claim.id not in judged
        }

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
    *,
    at_hand: Callable[[str], bool],
    observed: Callable[[str, Iterable[str]], bool],
    spent_usd: float = 0.0,
    head: Mapping | None = None,
) -> tuple[Plan, list[str]]:
    """The plan and the problems, one line each, that show only here.

    Args: ``at_hand``: whether a source can be had without the network; ``observed``: whether the
    tables of an experiment's arms are there; ``head``: for a job, what its head has decided.
    """
    optional = [name for name, source in sources.items() if source.optional]
    there = [name for name in optional if at_hand(name)] if head is None else head["at_hand"]
    refused = _refused(config, sources, there)
    kinds = {name: source.kind for name, source in sources.items()}
    accepted = frozenset(n for n, s in sources.items() if s.licence_class in config.licences)
    context = Context(config.train.base, config.accelerator, kinds, accepted, refused)
    experiments, preparations = {}, {}
    for name, part in EXPERIMENTS.items():
        own = getattr(config.bench, name, None)
        arms = list(part.arms(own, context))
        experiments[name] = _planned(part, own, context, arms, part.left_out(own, context))
    for name, part in PREPARATIONS.items():
        preparations[name] = _planned(part, getattr(config.bench, part.of), context)
    everyone = ["base", *(arm.name for arm in config.train.arms), *config.evaluate.references]
    judge = config.jlce.judge
    arms = {
        **{name: planned.arms for name, planned in experiments.items()},
        "augmentation": ["original", "augmented"],
        "adaptation": everyone,
        "training": [arm.name for arm in config.train.arms],
        "evaluation": everyone,
        "jlce": ranked(config),
        "jlce_preference": ["-".join(pair) for pair in judge.pairs] if judge else [],
    }
    problems = external.problems(claims, arms)
    brought = external.experiments(claims)
    arms |= {name: tables.arms for name, tables in brought.items()}
    reasons = {claim.id: reason for claim in claims if (reason := _untestable(claim, arms, config))}
    tested = {claim.id: claim for claim in claims if claim.id not in reasons}
    stage = head["stage"] if head else budget.stage(spent_usd, config.budget.limit_usd)
    unpaid = (
        head["left_out"]
        if head
        else budget.left_out(
            tested.values(), stage, lambda c: observed(c.test.experiment, c.test.arms)
        )
    )
    paid = [claim.test for name, claim in tested.items() if name not in unpaid]
    read = [test.arms for test in paid if test.experiment in ("adaptation", "evaluation")]
    left = {*EXPERIMENTS, *BEYOND} - {*config.bench.main}
    plan = Plan(
        arms=arms,
        experiments={name: planned for name, planned in experiments.items() if planned.arms},
        preparations=preparations,
        tested=tested,
        reasons=reasons,
        brought=brought,
        main=[name for name, claim in tested.items() if claim.test.experiment not in left],
        stage=stage,
        unpaid=unpaid,
        evaluated=head["arms"]
        if head
        else [
            arm
            for arm in everyone
            if stage == "whole" or arm in {"base"}.union(*read) or observed("evaluation", [arm])
        ],
        at_hand=there,
        stages={
            arm.name: [f"{number}-{one.stage}" for number, one in enumerate(arm.stages, start=1)]
            for arm in config.train.arms
        },
        variants_wanted=(config.augmentation.target - config.data.train)
        // max(1, len(TECHNIQUES) - 1),
    )
    return plan, problems


def ranked(config: Config) -> list[str]:
    """Arms that JLCE ranks."""
    first = [arm.name for arm in config.train.arms[:1]]
    return config.jlce.arms or ["base", *first, *config.evaluate.references]


def _planned(part: Job, own, context: Context, arms=(), left_out=None) -> Planned:
    settings = {} if own is None else own.model_dump(include=part.reads and {*part.reads})
    if part.reads == ():
        settings = {}
    return Planned(part, part.inputs(own, context), settings, arms, left_out or {})


def _refused(
    config: Config, sources: Mapping[str, Source], at_hand: Sequence[str]
) -> dict[str, str]:
    """Sources that are not used, with the reason."""
    found = {}
    for name, source in sources.items():
        if source.licence_class not in config.licences:
            found[name] = f"licence class {source.licence_class} is not accepted (licences)"
        elif source.optional and name not in at_hand:
            found[name] = "not at hand (fetch it with `snakemake --profile local sources`)"
    return found


def _untestable(claim: Claim, arms: Mapping[str, Sequence[str]], config: Config) -> str | None:
    """Why a claim cannot be tested with this configuration, or None."""
    if claim.test is None:
        return claim.not_tested
    experiment = claim.test.experiment
    part = EXPERIMENTS.get(experiment)
    if part and part.judged_on not in (None, config.accelerator):
        return f"needs accelerator: {part.judged_on}; the configuration says {config.accelerator}"
    if experiment not in arms:
        return f"no experiment '{experiment}' in this version"
    if part and part.absent and not arms[experiment]:
        return part.absent
    absent = [arm for arm in claim.test.arms if arm not in arms[experiment]]
    return f"the configuration has no arm {', '.join(absent)}" if absent else None
