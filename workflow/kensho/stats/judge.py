"""From the observation tables of a claim's arms to its analysis and verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kensho.claims.base import Contrast, Level, Reading, Side
from kensho.claims.designs import Deterministic, PairedRatio, PublishedAggregate
from kensho.claims.model import Claim, Tier, Verdict
from kensho.claims.registration import status
from kensho.observations.tier import Arm, derive
from kensho.stats import aggregates, decision, frequentist, intervals, multiverse, power, units
from kensho.stats.analysis import EffectSizes, Judgement, Settings
from kensho.stats.evidence import Evidence, Undefined, gather
from kensho.stats.hypothesis import Rule
from kensho.stats.scales import DOSE, SHARE, Interval

if TYPE_CHECKING:
    from arviz import InferenceData

_AUTOCORRELATED = (
    "the {} runs in order are autocorrelated (a run resembles the one before it, p < 0.05): let "
    "the machine come to rest, or observe more blocks"
)
MOST_SHOWN = 5000  # units that an analysis lists one by one
Exact = tuple[str, Fraction, Fraction]  # label of a reading, its lowest and highest ratio
REHEARSED = "A rehearsal: twins on a few rows say nothing of the claim."
EXACT = 0.005  # coefficient of variation below which peak memory is compared, not tested


def judge(
    claim: Claim,
    tables: Mapping[str, pd.DataFrame],
    conditions: Mapping[str, Mapping],
    settings: Settings,
) -> tuple[Judgement, InferenceData | None]:
    """Judgement of a claim and its posterior, None where there is none.

    Args:
        tables, conditions: observations and conditions of each arm that the test observes.

    Rows with a negative replicate are warm-up: left out and counted (`warmup_rows`). Replicates
    within a block become one value.

    Raises ValueError naming file, line, arm or block for tables that cannot be used.
    """
    test, known = claim.test, settled(claim, settings)
    if test is None:
        return Judgement.model_validate(known | {"sentence": claim.not_tested}), None
    for arm in test.arms:
        if arm not in tables or arm not in conditions:
            raise ValueError(
                f"{claim.id}: no observations of arm '{arm}' of experiment '{test.experiment}'; "
                f"run the experiment, or mend the arm's name in the claim"
            )
    if test.scale in ("difference", "level"):
        units.scores_fit(claim.unit, test, tables)
    if test.scale == "difference" or test.design in ("ratio_of_means", "formula"):
        units.one_scale(test, tables)
    of_arms = {arm: conditions[arm] for arm in test.arms}
    tier, reason = _tier(claim, of_arms)
    known |= {
        "tier": tier,
        "tier_reason": reason,
        "warmup_rows": int(sum((tables[arm]["replicate"] < 0).sum() for arm in of_arms)),
        "deviations": _deviations(test.arms, of_arms),
        "registration": status(claim, of_arms, settings.family_size),
    }
    idata = None
    try:
        claim, lacking = _observed(claim, of_arms)
        test = claim.required_test
        known["deviations"] += lacking
        if isinstance(test, Deterministic) or (
            isinstance(test, PairedRatio) and _steady(test, tables)
        ):
            answer = _deterministic(test, Rule.of_claim(claim), tables, tier)
        elif isinstance(test, PublishedAggregate):
            answer = aggregates.judged(claim, tables, tier, settings)
        else:
            readings = test.all_readings or (None,)
            evidence = [gather(test, reading, tables, settings.seed) for reading in readings]
            answer, idata = of_evidence(claim, evidence, tier, settings)
    except Undefined as reason:
        answer = {"reason": "UNDEFINED", "sentence": str(reason)}
    else:
        names_alone = any(of_arm.get("names_alone") for of_arm in of_arms.values())
        if test.paired and len(of_arms) > 1 and names_alone:
            answer["sentence"] += " The items are paired by their names alone."
    if tier == Tier.REHEARSAL:
        answer |= {"verdict": Verdict.NOT_TESTED, "reason": "REHEARSAL", "sentence": REHEARSED}
    return Judgement.model_validate(known | answer), idata


def _observed(claim: Claim, conditions: Mapping[str, Mapping]) -> tuple[Claim, list[str]]:
    """The claim with the readings that were observed, and why others were not, in words.

    Raises Undefined where the reading that decides was not; of exact ratios all readings do.
    """
    test = claim.required_test

    def absent(sides: Sequence[Side]) -> str | None:
        known = (conditions[side.arm].get("absent", {}).get(side.metric) for side in sides)
        return next(filter(None, known), None)

    readings = test.all_readings if test.sampled and test.design != "peak_memory" else []
    if why := absent(readings[0].sides if readings else test.sides):
        raise Undefined(why)
    without = {reading.label: why for reading in readings if (why := absent(reading.sides))}
    if not without:
        return claim, []
    kept = [reading for reading in readings if reading.label not in without]
    update = {"test": test.model_copy(update={"readings": kept})}
    lines = [f"{label} was not observed: {why}" for label, why in without.items()]
    return claim.model_copy(update=update), lines


def settled(claim: Claim, settings: Settings) -> dict:
    """What the claim itself settles."""
    test = claim.test
    return {
        "claim": claim.id,
        "design": test.design if test else None,
        "required_tier": claim.required_tier,
        "scale": test.scale if test else None,
        "unit": test.scale if test else None,
        "min_units": test.needed_units if test else None,
        "claim_sha256": claim.digest(),
        "family": test.family if test else None,
        "family_size": settings.family_size,
        "alpha": settings.alpha,
    }


def _steady(test: PairedRatio, tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether every reading of peak memory repeats so closely that there is nothing to test."""
    if test.design != "peak_memory":
        return False
    for reading in test.readings:
        rows = units.paired(reading, tables, test.experiment, positive=True)
        over, under = (units.means(rows[side], np.log) for side in rows)
        apart = (over - under).std() >= EXACT
        if apart or len(rows) < test.needed_units:
            return False
    return True


def _exact_range(paired: pd.DataFrame) -> tuple[Fraction, Fraction]:
    """Lowest and highest ratio over blocks and replicates, of the decimals in the table."""
    low, high = [], []
    for cells in zip(paired["over"], paired["under"], strict=True):
        over, under = ([Fraction(repr(float(x))) for x in cell] for cell in cells)
        low.append(min(over) / max(under))
        high.append(max(over) / min(under))
    return min(low), max(high)


def _deterministic(
    test: Deterministic | PairedRatio, rule: Rule, tables: Mapping[str, pd.DataFrame], tier: Tier
) -> dict:
    rows = units.paired(test.readings[0], tables, test.experiment, positive=True)
    over, under = (units.means(rows[side], np.log) for side in rows)
    ratios = pd.Series(np.exp(over - under), rows.index)
    return of_exact(rule, exact_readings(test, tables), tier) | {
        "n_units": len(ratios),
        "blocks": [{"block": b, "value": float(ratio)} for b, ratio in ratios.items()],
    }


def exact_readings(
    test: Deterministic | PairedRatio, tables: Mapping[str, pd.DataFrame]
) -> list[Exact]:
    """Exact ratios of each reading, over blocks and replicates."""
    return [
        (r.label, *_exact_range(units.paired(r, tables, test.experiment, positive=True)))
        for r in test.readings
    ]


def of_exact(rule: Rule, exact: Sequence[Exact], tier: Tier) -> dict[str, Any]:
    """What exact ratios put into a judgement."""
    verdict, reason, sentence = decision.decide_deterministic(rule, exact, tier)
    readings = [
        {
            "label": label,
            "value": math.sqrt(low * high) if low != high else float(low),
            "low": float(low),
            "high": float(high),
            "holds": decision.contained((low, high), decision.exact_region(rule.region)),
        }
        for label, low, high in exact
    ]
    return {
        "design": "deterministic",
        "verdict": verdict,
        "reason": reason,
        "sentence": sentence,
        "estimate": readings[0]["value"],
        "readings": readings,
    }


def of_evidence(
    claim: Claim, evidence: Sequence[Evidence], tier: Tier, settings: Settings
) -> tuple[dict, InferenceData | None]:
    """What the evidence on each reading puts into a judgement; the first decides."""
    test, rule = claim.required_test, Rule.of_claim(claim)
    alpha, m = settings.alpha, settings.family_size
    readings: Sequence[Reading | Contrast | Level | None] = test.all_readings or [None]
    first = evidence[0]
    family = _on_scale(first, alpha / m)
    details = {key: value for key, value in first.shown.items() if key != "variance"}
    answer: dict = {
        "interval": _on_scale(first, alpha),
        "interval_family": family,
        "n_units": first.n,
        "readings": [
            _reading(reading, e, alpha / m, rule)
            for reading, e in zip(readings, evidence, strict=True)
            if reading
        ],
        "effect_sizes": {
            key: first.frequentist[key]
            for key in EffectSizes.model_fields
            if key in first.frequentist
        },
        "tests": first.frequentist.get("tests", []),
        "variance": first.shown.get("variance"),
        "details": details,
        "blocks": _shown_units(first.units),
    }
    if (p_value := first.frequentist.get("p_value")) is not None:
        answer |= {"p_value": p_value, "p_bonferroni": frequentist.bonferroni(p_value, m)}
    if bootstrap := first.frequentist.get("interval_bootstrap"):
        answer["interval_bootstrap"] = first.scale.back(np.array(bootstrap)).tolist()
    if first.interval is None or family is None:
        estimate = first.scale.forward(first.units.to_numpy(float)).mean()
        result = decision.Result(
            tier, first.n, float(first.scale.back(estimate)), None, constant=first.constant
        )
        verdict, reason, sentence = decision.decide(rule, result)
        idata = None
    else:
        bayesian, idata = _posterior(first, rule, settings)
        details |= bayesian.pop("details")
        posterior, planned_power = bayesian["posterior"], bayesian["power"]
        result = decision.Result(
            tier,
            first.n,
            float(first.scale.back(first.interval(alpha).estimate)),
            family,
            p_region=posterior["p_region"],
            p_region_sensitivity=[row["p_region"] for row in posterior["prior_sensitivity"]],
            p_direction=posterior["p_direction"],
            failed=bayesian["diagnostics"]["failed"],
            level=f"{100 * (1 - alpha / m):.4g} %",
            n_required=planned_power and planned_power["n_required"],
        )
        verdict, reason, sentence = decision.decide(rule, result)
        for row in posterior["prior_sensitivity"]:
            alone = replace(result, p_region=row["p_region"], p_region_sensitivity=())
            row["verdict"], *_ = decision.decide(rule, alone)
        specifications = first.specifications(alpha / m)
        for row in specifications:
            by_interval = decision.by_interval(rule, (row["low"], row["high"]))
            row["verdict"], _ = decision.cap(*by_interval, tier, rule.required_tier)
        answer |= bayesian | {
            "schools_agree": decision.schools_agree(family, rule.region, result.p_region),
            "multiverse": {
                "share": multiverse.share(specifications, verdict.value),
                "specifications": specifications,
            },
        }
    answer |= {"verdict": verdict, "reason": reason, "sentence": sentence}
    return answer | {"estimate": result.estimate}, idata


def _posterior(evidence: Evidence, rule: Rule, settings: Settings) -> tuple[dict, InferenceData]:
    """What the posterior adds to an analysis: posterior, diagnostics, power, plots, details."""
    # these take seconds to import, and most claims need none of them
    from kensho.stats import bayesian
    from kensho.stats.curves import curves
    from kensho.stats.models import MODELS
    from kensho.stats.sampling import flat

    scale, alpha = evidence.scale, settings.alpha / settings.family_size
    seed, draws = settings.seed, settings.draws
    model = MODELS[evidence.model] if isinstance(evidence.model, str) else evidence.model
    summary, diagnostics, idata = bayesian.posterior(
        model.with_estimand(evidence.estimand),
        evidence.data,
        rule,
        evidence.prior,
        seed=seed,
        draws=draws,
    )
    drawn = flat(idata)
    if evidence.in_order:
        in_run = scale.forward(evidence.units.to_numpy(float))
        diagnostics["autocorrelated"] = bool(intervals.autocorrelated(in_run))
        if diagnostics["autocorrelated"]:
            diagnostics["failed"].append(_AUTOCORRELATED.format(len(in_run)))
    if evidence.recover and not diagnostics["failed"]:
        diagnostics["recovery"] = evidence.recover(drawn, alpha)
        if not_recovered := diagnostics["recovery"]["failed"]:
            diagnostics["failed"].append(not_recovered)
    diagnostics["gates_ok"] = not diagnostics["failed"]
    rival = None
    if evidence.rival:
        name, change = evidence.rival
        prior = {**(evidence.prior or model.primary), **change}
        difference = bayesian.against(model, evidence.data, idata, prior, seed=seed, draws=draws)
        rival = {"model": name, **difference}
    plots = curves(idata, model, model.prepare(evidence.data), scale)
    planned_power = None
    if evidence.sd > 0 and (scale is not DOSE or None not in rule.region):
        planned_power = power.prospective(rule, evidence.n, evidence.sd, alpha, evidence.aim)
        plots["power"] = planned_power.pop("curve")
    return {
        "posterior": summary,
        "diagnostics": diagnostics,
        "power": planned_power,
        "leave_one_out": rival,
        "plots": plots,
        "details": evidence.of_posterior(drawn),
    }, idata


def _shown_units(values: pd.Series) -> list[dict]:
    """Value of each unit; of more than MOST_SHOWN means of neighbours, named by their ends."""
    if len(values) <= MOST_SHOWN:
        return [{"block": str(u), "value": float(v)} for u, v in values.items()]
    return [
        {"block": f"{part.index[0]} to {part.index[-1]}", "value": float(part.mean())}
        for part in (values.iloc[i] for i in np.array_split(np.arange(len(values)), MOST_SHOWN))
    ]


def _on_scale(evidence: Evidence, alpha: float) -> Interval | None:
    if evidence.interval is None:
        return None
    fit = evidence.interval(alpha)
    ends = evidence.scale.back(np.array([fit.low, fit.high], dtype=float))
    if evidence.scale is SHARE:  # the t interval does not know where shares end
        ends = ends.clip(0, 1)
    return float(ends[0]), float(ends[1])


def _reading(
    reading: Reading | Contrast | Level, evidence: Evidence, alpha: float, rule: Rule
) -> dict:
    ends, value = _on_scale(evidence, alpha), math.nan
    if evidence.interval is not None:
        value = float(evidence.scale.back(evidence.interval(alpha).estimate))
    low, high = ends or (None, None)
    return {
        "label": reading.label,
        "value": value,
        "low": low,
        "high": high,
        "holds": decision.contained(ends, rule.region) if ends else None,
    }


def _tier(claim: Claim, conditions: Mapping[str, Mapping]) -> tuple[Tier, str | None]:
    """That of the weakest arm, and why it is no higher.

    Files that do not say what ran, published results and those of older versions, state it.
    """
    for arm, of_arm in conditions.items():
        if of_arm.get("tier") not in list(Tier):
            raise ValueError(
                f"{claim.required_test.experiment}/{arm}.conditions.json: tier is "
                f"{of_arm.get('tier')!r}, not one of {', '.join(Tier)}"
            )
    stated = max((Tier(of_arm["tier"]) for of_arm in conditions.values()), key=Tier.rank)
    arms = [Arm.of(of_arm) for of_arm in conditions.values() if of_arm.get("ran")]
    if not arms:
        return stated, None
    derived, reason = derive(claim.scope, arms)
    return max((Tier(derived), reason), (stated, None), key=lambda one: one[0].rank())


def _deviations(arms: list[str], conditions: Mapping[str, Mapping]) -> list[str]:
    """Fallbacks taken, departures from the plan and conditions that differ, each once."""
    kinds = ("fallbacks", "deviations")
    entries = [entry for arm in arms for kind in kinds for entry in conditions[arm].get(kind) or []]
    for kind in ("hardware", "software", "dtype", "threads"):
        if any(conditions[arm].get(kind) != conditions[arms[0]].get(kind) for arm in arms):
            entries.append(f"the arms were observed with different {kind} (see their conditions)")
    return list(dict.fromkeys(map(str, entries)))
