"""A claim that several sites have judged, judged once more on the observations of all of them.

The rule is the registered one, the estimand the mean over sites, of which those at hand are a
sample: an effect of the site in both schools. A site's own verdict stays what it is. Reason codes
beside those of `decision`:

    REGISTRATION   the sites do not have the same registration: not tested
    SAME           two sites have the same observations: not tested
    DESIGN         the design has no mean and standard error that could be pooled: not tested
    SITES          a deterministic quantity differs between sites
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from kensho.run import events
from kensho.stats import intervals, judge
from kensho.stats.analysis import Analysis, Ends, Figure, Judgement, ObservationFile, Part, Settings
from kensho.stats.evidence import Evidence, Undefined, gather
from kensho.stats.evidence.base import named, specification
from kensho.stats.hypothesis import Rule
from kensho.stats.scales import Scale
from kensho.validation import validated

if TYPE_CHECKING:
    from arviz import InferenceData

READ = ("results/analysis/*.json", "results/benchmark_data/*/*", str(events.LOG))  # of a crate
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
    def of_crate(cls, name: str, folder: Path) -> Site:
        """Raises ValueError naming the file of a crate that holds no analyses, or unsound ones."""
        files = sorted((folder / "results/analysis").glob("*.json"))
        if not files:
            raise ValueError(f"{name}: holds no results/analysis/*.json; export the crate again")
        past = events.read(folder / events.LOG)
        return cls(
            name,
            folder / "results",
            frozenset(event.attempt for event in past if event.attempt),
            {p.stem: validated(Analysis, read_json(p), f"{name}: {p.name}") for p in files},
        )

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
    except (Refused, Undefined) as error:
        answer = {"reason": getattr(error, "reason", "UNDEFINED"), "sentence": str(error)}
    of_sites = {
        "sites": [
            SiteResult(
                site=name, **{k: getattr(a, k) for k in SiteResult.model_fields if k != "site"}
            )
            for name, a in analyses.items()
        ],
        "deviations": [f"{name}: {line}" for name, a in analyses.items() for line in _departed(a)],
        "warmup_rows": sum(a.warmup_rows for a in own),
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
        if claim.digest() != analysis.claim_sha256 or analysis.record != claim:
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
    found = {name: judge.exact_readings(test, of_site) for name, of_site in tables.items()}
    precision, merged = Fraction(repr(float(test.sesoi))), []
    for rows in zip(*found.values(), strict=True):
        labels, *ends = zip(*rows, strict=True)  # the lowest at each site, and the highest
        if any(max(end) > precision * min(end) for end in ends):
            own = [(f"{name}, {row[0]}", *row[1:]) for name, row in zip(found, rows, strict=True)]
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
    """The sites as units: their means on the working scale, with what each knows of its own error.

    A site's units count as its degrees of freedom allow: runs in order are worth less.
    """
    found = {name: gather(test, reading, of_site, seed) for name, of_site in tables.items()}
    fits = []
    for name, of_site in found.items():
        if of_site.interval is None:
            raise Refused("CONSTANT", f"At {name}: {of_site.constant}, so nothing can be pooled")
        fits.append(of_site.interval(0.05))
    first = next(iter(found.values()))
    mean, se = (np.array([getattr(fit, key) for fit in fits], float) for key in ("estimate", "se"))
    n = np.array([min(fit.dof + 1, e.n) for fit, e in zip(fits, found.values(), strict=True)])
    prior = _prior(first)
    return Evidence(
        scale=first.scale,
        units=pd.Series(first.scale.back(mean), pd.Index(found, name="site")),
        interval=partial(intervals.sites, mean, se),
        n=min(e.n for e in found.values()),
        sd=float("nan"),
        model="sites",
        data={"mean": mean, "squares": se**2 * n * (n - 1), "n": n.astype(float)},
        frequentist=_tests(first.scale, mean, se),
        prior=prior,
        specifications=lambda alpha: _alternatives(first.scale, list(found), mean, se, alpha),
        shown={
            "variance": {
                "between_units": max(0.0, float(mean.var(ddof=1) - (se**2).mean())),
                "within_units": float((se**2).mean()),
            }
        },
        of_posterior=lambda draws: {"group_sd": {"site": float(np.median(draws["tau"]))}},
    )


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


def _tests(scale: Scale, mean: np.ndarray, se: np.ndarray) -> dict:
    """The sites' mean against no effect, and Cochran's Q of the sites being alike."""
    fit, weights = intervals.sites(mean, se, 0.05), 1 / se**2
    q = float((weights * (mean - np.average(mean, weights=weights)) ** 2).sum())
    heterogeneity = {
        "statistic": q,
        "dof": mean.size - 1,
        "p_value": stats.chi2.sf(q, mean.size - 1),
    }
    tests = [named("Cochran's Q, sites alike", heterogeneity)]
    if scale.null is None:
        return {"tests": tests}
    t = float((fit.estimate - scale.forward(scale.null)) / fit.se)
    p_value = float(2 * stats.t.sf(abs(t), fit.dof))
    against = {"statistic": t, "dof": fit.dof, "p_value": p_value}
    return {"p_value": p_value, "tests": [named("t, sites as units", against), *tests]}


def _alternatives(
    scale: Scale, names: Sequence[str], mean: np.ndarray, se: np.ndarray, alpha: float
) -> list[dict]:
    """Sites weighted by their variances, and each site left out in turn."""
    from statsmodels.stats.meta_analysis import combine_effects

    weighted = combine_effects(mean, se**2, method_re="iterated", use_t=True)
    fits = {
        "weighted by variance, Paule-Mandel": (
            weighted.mean_effect_re,
            *weighted.conf_int(alpha)[3],
        )
    }
    for place, name in enumerate(names) if len(names) > 2 else ():
        rest = np.delete(np.array([mean, se]), place, axis=1)
        fits[f"without {name}"] = intervals.sites(rest[0], rest[1], alpha)[:3]
    return [specification(k, *scale.back(np.array(fit, float))) for k, fit in fits.items()]
