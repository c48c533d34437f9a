"""A claim that several sites have judged, judged once more on the observations of all of them.

The rule is the registered one, the estimand the mean over sites, of which those at hand are a
sample: an effect of the site in both schools. A site's own verdict stays what it is. Reason codes
beside those of `decision`:

    REGISTRATION   the sites do not have the same registration: not tested
    SAME           two sites have the same observations: not tested
    DESIGN         the design has no mean and standard error that could be pooled: not tested
    SHARED         the sites share some of their units, and not all: not tested
    SITES          a deterministic quantity differs between sites
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from kensho.claims.base import Contrast, Level, Reading
from kensho.claims.designs import Deterministic, PairedRatio, Test
from kensho.claims.model import Claim, Tier, Verdict
from kensho.files import read_json, sha256
from kensho.observations import read
from kensho.stats import intervals, judge
from kensho.stats.analysis import Analysis, Ends, Figure, Judgement, ObservationFile, Part, Settings
from kensho.stats.evidence import Evidence, gather
from kensho.stats.evidence.base import named, specification
from kensho.stats.hypothesis import Rule
from kensho.stats.scales import Scale
from kensho.validation import validated

if TYPE_CHECKING:
    from arviz import InferenceData

READ = ("results/analysis/*.json", "results/benchmark_data/*/*", "logs/jobs.jsonl")  # of a crate
Tables = Mapping[str, pd.DataFrame]
_SHARES = {"location": 1.0, "spread": 0.5}  # of shares, and of their differences
_HALF = 0.5  # sd of sites, of that of units: see `models.sites`


class Refused(ValueError):
    """Sites that are sound each for itself and cannot be pooled; `reason` is the code."""

    def __init__(self, reason: str, sentence: str):
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Site:
    """A crate: its results, the attempts of its jobs, and its analyses by claim."""

    name: str
    results: Path
    attempts: frozenset[str]
    analyses: Mapping[str, Analysis]

    @classmethod
    def of_crate(cls, name: str, folder: Path, attempts: Iterable[str]) -> Site:
        """Raises ValueError naming the file of a crate that holds no analyses, or unsound ones."""
        files = sorted((folder / "results/analysis").glob("*.json"))
        if not files:
            raise ValueError(f"{name}: holds no results/analysis/*.json; export the crate again")
        analyses = {p.stem: validated(Analysis, read_json(p), f"{name}: {p.name}") for p in files}
        return cls(name, folder / "results", frozenset(attempts) - {""}, analyses)

    def tables(self, claim: str) -> Tables:
        """The observations of a claim. Raises ValueError naming a file that is not as judged."""
        tables = {}
        for judged in self.analyses[claim].observations:
            path = self.results / judged.file
            tables[path.stem] = read(path)[0]
            if sha256(path) != judged.sha256:
                raise ValueError(f"{self.name}: {judged.file} is not the one that {claim} rests on")
        return tables


class SiteResult(Part):
    """What one site says by itself."""

    site: str
    verdict: Verdict
    tier: Tier | None
    estimate: Figure
    interval: Ends | None  # at 1 - alpha
    n_units: int
    observations: list[ObservationFile]


class Pooled(Judgement):
    """The judgement on all sites; `n_units` is that of the site with the fewest."""

    sites: list[SiteResult]
    settings: Settings  # the largest family and the smallest alpha of the sites
    record: Claim


def distinct(sites: Sequence[Site]) -> None:
    """Raises ValueError naming two crates of one run, or with the very same observations."""
    for one, other in combinations(sites, 2):
        same = one.attempts & other.attempts
        if same:
            why = f"are of the same run (attempt {min(same)})"
        elif _observed(one) == _observed(other):
            why = "hold the same observations, byte for byte"
        else:
            continue
        raise ValueError(
            f"{one.name} and {other.name} {why}: one site counted twice; leave one out of "
            "pooled.crates"
        )


def _observed(site: Site) -> set[tuple[str, str]]:
    return {(o.file, o.sha256) for a in site.analyses.values() for o in a.observations}


def shared(sites: Sequence[Site]) -> list[str]:
    """Claims that two sites or more have judged."""
    judged = [claim for site in sites for claim in site.analyses]
    return sorted({claim for claim in judged if judged.count(claim) > 1})


def pool(
    claim_id: str, sites: Sequence[Site], *, seed: int, draws: int
) -> tuple[Pooled, InferenceData | None]:
    """Judgement on the sites that have judged a claim, and its posterior where there is one."""
    sites = [site for site in sites if claim_id in site.analyses]
    analyses = {site.name: site.analyses[claim_id] for site in sites}
    own = list(analyses.values())
    settings = Settings(
        family_size=max(a.settings.family_size for a in own),
        alpha=min(a.settings.alpha for a in own),
        seed=seed,
        draws=draws,
    )
    claim, idata = own[0].record, None
    try:
        _comparable(claim, analyses)
        tables = {site.name: site.tables(claim_id) for site in sites}
        tier = max((Tier(a.tier) for a in own if a.tier), key=Tier.rank)
        if all(a.design == "deterministic" for a in own):
            answer = _exact(claim, tables, tier)
        else:
            answer, idata = _stochastic(claim, analyses, tables, tier, settings)
        answer["tier"] = tier
    except Refused as error:
        answer = {"reason": error.reason, "sentence": f"{str(error).rstrip('.')}."}
    of_sites = {
        "sites": [
            SiteResult(
                site=name, **{k: getattr(a, k) for k in SiteResult.model_fields if k != "site"}
            )
            for name, a in analyses.items()
        ],
        "deviations": [f"{name}: {line}" for name, a in analyses.items() for line in _departed(a)],
        "warmup_rows": sum(a.warmup_rows for a in own),
        "n_units": min(a.n_units for a in own),
        "settings": settings,
        "record": claim,
    }
    return Pooled.model_validate(judge.settled(claim, settings) | of_sites | answer), idata


def summarise(judgements: Sequence[Pooled], sites: Sequence[Site]) -> dict:
    """Content of ``pooled.json``; `alone` are claims that only one site has judged."""
    keys = (
        *("claim", "verdict", "reason", "sentence", "tier", "required_tier", "scale", "estimate"),
        *("interval", "interval_family", "alpha", "n_units", "deviations", "sites"),
    )
    judged = {claim for site in sites for claim in site.analyses}
    return {
        "sites": [site.name for site in sites],
        "claims": [
            {"statement": one.record.statement, **one.model_dump(mode="json", include={*keys})}
            for one in judgements
        ],
        "alone": sorted(judged - {one.claim for one in judgements}),
    }


def _departed(analysis: Analysis) -> list[str]:
    status = analysis.registration.status if analysis.registration else "not known"
    late = [] if status == "as registered" else [f"registration: {status}"]
    return [*analysis.deviations, *late]


def _comparable(claim: Claim, analyses: Mapping[str, Analysis]) -> None:
    first = next(iter(analyses))
    for name, analysis in analyses.items():
        if {analysis.claim_sha256, analysis.record.digest()} != {claim.digest()}:
            raise Refused(
                "REGISTRATION",
                f"{claim.id} is not registered alike at {first} and {name}: judge one registration "
                "at all sites",
            )
        if analysis.verdict == Verdict.NOT_TESTED:
            raise Refused(analysis.reason, f"At {name}: {analysis.sentence}")


def _exact(claim: Claim, tables: Mapping[str, Tables], tier: Tier) -> dict:
    """Exact ratios, which all sites must have alike, up to the registered `sesoi`, a factor."""
    test, rule = claim.required_test, Rule.of_claim(claim)
    assert isinstance(test, Deterministic | PairedRatio)
    by_site = {name: judge.exact_readings(test, of_site) for name, of_site in tables.items()}
    precision, merged = Fraction(repr(float(test.sesoi))), []
    for rows in zip(*by_site.values(), strict=True):
        labels, *ends = zip(*rows, strict=True)  # the lowest at each site, and the highest
        if any(max(end) > precision * min(end) for end in ends):
            own = [(f"{name}, {row[0]}", *row[1:]) for name, row in zip(by_site, rows, strict=True)]
            values = judge.of_exact(rule, own, tier)["readings"]
            told = ", ".join(f"{r['value']:.6g} ({r['label']})" for r in values)
            return {
                "verdict": Verdict.INCONCLUSIVE,
                "reason": "SITES",
                "sentence": f"The sites differ in what is computed, not sampled: {told}.",
                "readings": values,
            }
        merged.append((labels[0], min(ends[0]), max(ends[1])))
    return judge.of_exact(rule, merged, tier)


def _stochastic(
    claim: Claim,
    analyses: Mapping[str, Analysis],
    tables: Mapping[str, Tables],
    tier: Tier,
    settings: Settings,
) -> tuple[dict, InferenceData | None]:
    for (one, a), (other, b) in combinations(analyses.items(), 2):
        if [o.sha256 for o in a.observations] == [o.sha256 for o in b.observations]:
            raise Refused(
                "SAME",
                f"{claim.id}: {one} and {other} have the same observations, byte for byte: one "
                "site counted twice",
            )
    for name, analysis in analyses.items():
        if analysis.diagnostics and analysis.diagnostics.failed:
            sentence = f"No verdict: at {name} {'; '.join(analysis.diagnostics.failed)}."
            return {"verdict": "INCONCLUSIVE", "reason": "GATE", "sentence": sentence}, None
    test = claim.required_test
    readings = test.all_readings or (None,)
    evidence = [_evidence(test, reading, tables, settings.seed) for reading in readings]
    return judge.of_evidence(claim, evidence, tier, settings)


def _evidence(
    test: Test,
    reading: Reading | Contrast | Level | None,
    tables: Mapping[str, Tables],
    seed: int,
) -> Evidence:
    """The sites as units, by what each knows of its own error or by the units that they share.

    A site's own units count as its degrees of freedom allow: runs in order are worth less.
    """
    by_site = {name: gather(test, reading, of_site, seed) for name, of_site in tables.items()}
    fits = []
    for name, of_site in by_site.items():
        if of_site.interval is None:
            raise Refused("CONSTANT", f"At {name}: {of_site.constant}, so nothing can be pooled")
        fits.append(of_site.interval(0.05))
    first = next(iter(by_site.values()))
    scale, prior = first.scale, _prior(first)
    mean, se = (np.array([getattr(fit, key) for fit in fits], float) for key in ("estimate", "se"))
    n = np.array([min(fit.dof + 1, e.n) for fit, e in zip(fits, by_site.values(), strict=True)])
    values = _shared_units(test, by_site, mean)
    if values is None:
        model, data = "sites", {"mean": mean, "squares": se**2 * n * (n - 1), "n": n.astype(float)}
        interval = partial(intervals.sites, mean, se)
    else:
        model, data, interval = "crossed", _moments(values), partial(intervals.crossed, values)

    def alternatives(alpha: float) -> list[dict]:
        fits = _alternatives(list(by_site), mean, se, values, alpha)
        return [specification(k, *scale.back(np.array(fit, float))) for k, fit in fits.items()]

    return Evidence(
        scale=scale,
        units=pd.Series(scale.back(mean), pd.Index(by_site, name="site")),
        interval=interval,
        n=min(e.n for e in by_site.values()),
        sd=float("nan"),
        model=model,
        data=data,
        frequentist=_against_no_effect(scale, interval(0.05)),
        prior=prior,
        specifications=alternatives,
        of_posterior=lambda draws: {"group_sd": {"site": float(np.median(draws["tau"]))}},
    )


def _shared_units(
    test: Test, by_site: Mapping[str, Evidence], mean: np.ndarray
) -> np.ndarray | None:
    """Working values of units that all sites share, (sites, units); None where each has its own.

    Items, prompts and seeds are the same where they have the same names; runs of a program are not.
    """
    names = [evidence.units.index for evidence in by_site.values()]
    runs = test.in_order or test.design == "peak_memory"
    if runs or not any(len(a.intersection(b)) for a, b in combinations(names, 2)):
        return None
    values = np.array([e.scale.forward(e.units.reindex(names[0])) for e in by_site.values()])
    same = test.paired and all(len(units) == len(names[0]) for units in names)
    if not (same and np.allclose(values.mean(axis=1), mean)):
        raise Refused(
            "SHARED",
            f"The sites share some units ({test.levels[0]}) and not all of them, or not those of "
            "which the estimate is the mean: give all sites the same, or each its own",
        )
    return values


def _moments(values: np.ndarray) -> dict[str, np.ndarray]:
    """What `models.crossed` looks at; sites that are alike to the last digit differ by a trifle."""
    (k, n), mean = values.shape, values.mean()
    apart, squares = (((values.mean(axis) - mean) ** 2).sum() for axis in (1, 0))
    if not squares > 0:
        raise Refused("CONSTANT", "The mean over sites is one and the same in all units")
    figures = {"mean": mean, "apart": max(apart, 1e-12 * squares), "squares": squares}
    return {name: np.array([float(x)]) for name, x in {**figures, "k": k, "n": n}.items()}


def _prior(evidence: Evidence) -> dict[str, float]:
    """Scales of the mean, of a unit's spread and of the sites, in the unit of the working scale.

    Raises Refused where the quantity is no mean of units, or its model's prior does not tell them.
    """
    from kensho.stats.models import MODELS  # takes seconds to import

    if evidence.estimand or not isinstance(evidence.model, str):
        raise Refused(
            "DESIGN",
            "This quantity is read off a model of its own and is no mean of units with a standard "
            "error, so sites are not pooled; judge each by itself",
        )
    own = evidence.prior or MODELS[evidence.model].primary
    keys = {"ranking": ("ability", "spread")}.get(evidence.model, ("location", "spread"))
    if evidence.model not in ("location", "normal", "two_samples", "ranking"):  # of logits
        own = _SHARES
    location, spread = (own[key] for key in keys)
    between = _HALF * (location if evidence.scale.name == "ratio" else spread)
    return {"location": location, "spread": spread, "between": between}


def _against_no_effect(scale: Scale, fit: intervals.Fit) -> dict:
    if scale.null is None:
        return {}
    t = float((fit.estimate - scale.forward(scale.null)) / fit.se)
    p_value = float(2 * stats.t.sf(abs(t), fit.dof))
    test = named("t, mean over sites", {"statistic": t, "dof": float(fit.dof), "p_value": p_value})
    return {"p_value": p_value, "tests": [test]}


def _alternatives(
    names: Sequence[str], mean: np.ndarray, se: np.ndarray, values: np.ndarray | None, alpha: float
) -> Mapping[str, Sequence[float]]:
    """Sites weighted by their variances, or their units taken as their own; each site left out."""
    if values is None:
        from statsmodels.stats.meta_analysis import combine_effects

        fit = combine_effects(mean, se**2, method_re="iterated", use_t=True)
        fits = {"weighted, Paule-Mandel": (fit.mean_effect_re, *fit.conf_int(alpha)[3])}
    else:
        fits = {"units of each site its own": intervals.sites(mean, se, alpha)[:3]}
    for place, name in enumerate(names) if len(names) > 2 else ():
        rest = [np.delete(each, place, axis=0) for each in (mean, se)]
        fits[f"without {name}"] = (
            intervals.sites(rest[0], rest[1], alpha)
            if values is None
            else intervals.crossed(np.delete(values, place, axis=0), alpha)
        )[:3]
    return fits
