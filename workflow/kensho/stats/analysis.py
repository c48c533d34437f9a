"""The analysis of one claim: what `judge` builds, and summary, verify, report and crate read.

Figures that are no finite number are null. Effects are on the claim's scale (`scale`), standard
deviations on its working scale: logs of ratios, log2 of doses.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from kensho.claims.model import Claim, Tier, Verdict


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Figure = Annotated[int | float | None, BeforeValidator(_finite)]
Ends = tuple[Figure, Figure]  # of an interval, low and high


class Part(BaseModel):
    """A part of an analysis, with every key in its JSON."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Sparse(Part):
    """A part of whose keys only those that apply to the design are in its JSON."""

    @model_serializer(mode="wrap")
    def _applicable(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: x for key, x in serialise(self).items() if key in self.model_fields_set}


class Reading(Part):
    """One reading of the claim's words."""

    label: str  # as registered
    value: Figure  # estimate
    low: Figure  # interval at the family's level; of exact ratios the lowest over blocks
    high: Figure
    holds: bool | None  # whether it lies in the region, None without an interval


class EffectSizes(Part):
    """Standardised effects of the first reading, None where the design has none."""

    cohen_dz: Figure = None  # mean over sd of paired units
    cohen_dz_interval: Ends | None = None  # 95 %, noncentral t
    cohen_d_av: Figure = None  # mean over the root of the mean variance of the sides
    hedges_g: Figure = None  # d_z times the exact J
    eta_squared: Figure = None  # share of the variance


class HypothesisTest(Part):
    """A test shown beside the intervals; two-sided unless its name says otherwise."""

    name: str
    statistic: Figure
    dof: Figure
    p_value: Figure


class Power(Part):
    """Prospective power: see `power.prospective`."""

    effect_assumed: Figure
    sd: Figure  # of the units
    power_at_n: Figure
    n_required: int | None  # units for the aimed power, None beyond 10,000
    minimal_detectable_effect: Figure


class PriorSensitivity(Part):
    """The answer under another prior."""

    prior: str  # how it differs from the primary one
    estimate: Figure  # posterior median
    p_region: Figure
    verdict: Verdict  # under this prior alone


class Posterior(Part):
    """The estimand under the primary prior: see `bayesian.summarise`."""

    estimate: Figure  # median
    eti: Ends  # 95 % equal-tailed interval
    hdi: Ends  # 95 % highest-density interval
    p_below: Figure  # probabilities: below, in and above the region
    p_region: Figure
    p_above: Figure
    p_rope: Figure  # of practical equivalence with no effect
    p_direction: Figure  # of an effect beyond the smallest of interest in the claimed direction
    p_new_unit: Figure  # that the effect of a new unit lies in the region
    prior: dict[str, float]  # hyperparameters
    prior_sensitivity: list[PriorSensitivity]


class Recovery(Part):
    """Contrasts planted in data of the same shape: see `recovery.recover`."""

    contrasts: int
    ks_p: Figure  # of uniform ranks
    z2_p: Figure
    data_sets: int
    covered: dict[str, float]  # share of intervals that held the truth, by their level
    limits: dict[str, float]  # the least share allowed
    failed: str | None


class Diagnostics(Sparse):
    """State of the sampler under the primary prior (None for exact draws), and every gate."""

    rhat: Figure = None  # worst over the parameters, like the effective sample sizes
    ess_bulk: Figure = None
    ess_tail: Figure = None
    ess_estimand: Figure = None  # tail, of the estimand
    divergences: int | None = None
    bfmi: Figure = None  # lowest of the chains
    chains_differ: bool | None = None
    target_accept: Figure = None
    converged: bool = True
    sampler: str
    all_priors_converged: bool
    ppc_p: Figure  # posterior predictive p, None for a saturated model
    sampled_units: int | None  # of which predictions were made, None for all
    failed: list[str]  # a sentence for each gate that does not hold
    gates_ok: bool
    autocorrelated: bool = False  # of runs in order
    recovery: Recovery | None = None  # of models built for the claim


class Variance(Part):
    """Variances on the working scale."""

    between_units: Figure
    within_units: Figure  # of one replicate, None without replicates


class LeaveOneOut(Part):
    """Model minus a competing one: see `bayesian.loo_difference`."""

    model: str  # what the competing model leaves out
    elpd_difference: Figure
    se: Figure
    pareto_k: Figure  # worst of both


class Specification(Part):
    """An alternative analysis."""

    label: str
    estimate: Figure
    low: Figure  # interval at the family's level
    high: Figure
    verdict: Verdict  # by this interval alone


class Multiverse(Part):
    """Alternative analyses, and the share that give the verdict of the claim (None for none)."""

    share: Figure
    specifications: list[Specification]


class Details(Sparse):
    """Further tables of a design."""

    k: int | None = None  # tasks: how many must differ
    order_effect: Figure = None  # what being shown first gains
    prompts_shown_first: int | None = None
    prompts_shown_second: int | None = None
    grid_argmax: dict[str, int] | None = None  # dose: seeds whose best arm this is
    average_rank: dict[str, float] | None = None  # by model, over tasks
    judgements: int | None = None
    prompts: int | None = None
    strengths: dict[str, float] | None = None  # Bradley-Terry log strengths by model
    rank_probabilities: dict[str, list[float]] | None = None  # by model, the best rank first
    formula: str | None = None
    likelihood: str | None = None
    rows: int | None = None
    effective_units: Figure = None  # Kish's
    averaged_over: str | None = None
    fewest_discordant: Ends | None = None  # aggregates: interval were the arms as alike as can be
    group_sd: dict[str, float | list[float]] | None = None  # posterior medians by group


class Block(Part):
    """Value of a unit, or the mean of neighbours, named by their ends, where they are many."""

    block: str
    value: Figure


class Registration(Part):
    """How the claim stands to its registrations: see `claims.registration.status`."""

    status: str
    diff: list[str]  # a line for each changed key
    family_then: int | None  # size of the family when it was smaller


class PosteriorCurve(Part):
    """Densities over the working scale at `x`."""

    x: list[Figure]
    density: list[Figure]  # of the posterior
    prior: list[Figure]


class PredictiveCurve(Part):
    """Density of a statistic of replicated data, and its observed value."""

    label: str
    observed: Figure
    x: list[Figure]
    density: list[Figure]


class PowerCurve(Part):
    n: list[int]
    power: list[float]


class Plots(Part):
    """Curves of the report, None where there is none."""

    posterior: PosteriorCurve | None = None
    ranks: list[list[int]] | None = None  # counts of pooled ranks in bins, by chain
    ppc: PredictiveCurve | None = None
    power: PowerCurve | None = None


class Judgement(Part):
    """What the observations of a claim's arms say; without a test only what the claim settles."""

    claim: str  # id
    design: str | None  # "deterministic" also for peak memory that does not vary
    verdict: Verdict = Verdict.NOT_TESTED
    reason: str = "NO_TEST"  # code: see `decision`
    sentence: str = ""
    tier: Tier | None = None  # weakest of the arms
    tier_reason: str | None = None  # why no higher, None where the conditions do not tell
    required_tier: Tier
    scale: str | None  # ratio, difference, share, level or dose
    unit: str | None  # that of the estimate: the scale
    estimate: Figure = None  # of the first reading
    interval: Ends | None = None  # at 1 - alpha
    interval_family: Ends | None = None  # at 1 - alpha / family_size: it decides
    interval_bootstrap: Ends | None = None  # 95 % percentile
    n_units: int = 0
    min_units: int | None
    readings: list[Reading] = []
    effect_sizes: EffectSizes = EffectSizes()
    p_value: Figure = None
    p_bonferroni: Figure = None
    power: Power | None = None
    posterior: Posterior | None = None
    diagnostics: Diagnostics | None = None
    tests: list[HypothesisTest] = []
    variance: Variance | None = None
    details: Details = Details()
    leave_one_out: LeaveOneOut | None = None
    schools_agree: bool | None = None  # whether interval and posterior answer alike
    multiverse: Multiverse | None = None
    blocks: list[Block] = []
    claim_sha256: str  # of the claim's record
    registration: Registration | None = None
    family: str | None
    family_size: int  # stochastic claims over which alpha is shared
    alpha: float  # two-sided
    warmup_rows: int = 0
    deviations: list[str] = []  # fallbacks taken and departures from the plan
    plots: Plots = Plots()


class ObservationFile(Part):
    file: str  # below results/
    sha256: str
    rows: int


class BroughtTable(Part):
    """A table that the user brought."""

    path: str  # as the claim has it
    sha256: str
    rows: int


class Settings(Part):
    """What a judgement was made with."""

    family_size: int  # stochastic claims of the claim's family
    alpha: float  # two-sided error of one claim
    seed: int  # of bootstrap and sampler
    draws: int = 2500  # of each of the four chains


class Analysis(Judgement):
    """A judgement with the files that it rests on and the record of its claim."""

    observations: list[ObservationFile]
    tables: list[BroughtTable]
    settings: Settings
    record: Claim
