"""From the observation tables of a claim's arms to its analysis and verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.claims.model import Claim, Tier, Verdict
from kensho.claims.registration import status
from kensho.stats import decision, frequentist, intervals, multiverse, power, units
from kensho.stats.evidence import Evidence, Undefined, gather
from kensho.stats.scales import BY_NAME, DOSE, GAIN, SHARE, Interval, Scale

if TYPE_CHECKING:
    from arviz import InferenceData

_AUTOCORRELATED = (
    "the {} runs in order are autocorrelated (a run resembles the one before it, p < 0.05): let "
    "the machine come to rest, or observe more blocks"
)
MOST_SHOWN = 5000  # units that an analysis lists one by one
EXACT = 0.005  # coefficient of variation below which peak memory is compared, not tested


def judge(
    claim: Claim,
    tables: Mapping[str, pd.DataFrame],
    conditions: Mapping[str, Mapping],
    *,
    family_size: int,
    alpha: float,
    seed: int,
    draws: int = 2500,
) -> tuple[dict, InferenceData | None]:
    """Analysis of a claim (JSON values only) and its posterior, None where there is none.

    Args:
        tables, conditions: observations and conditions of each arm that the test observes.
        family_size: number m of stochastic claims in the claim's family.
        alpha: two-sided error of one claim; seed: of the bootstrap and the sampler.
        draws: of each of the four chains.

    Rows with a negative replicate are warm-up: left out and counted (`warmup_rows`). Replicates
    within a block become one value. `observations` is left empty for the caller, who knows the
    files.

    Raises ValueError naming file, line, arm or block for tables that cannot be used.
    """
    test = claim.test
    if test is None:
        return _empty(claim, alpha, family_size) | {"sentence": claim.not_tested}, None
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
    used = {arm: conditions[arm] for arm in test.arms}
    tier = max((_tier(arm, used[arm], test.experiment) for arm in used), key=Tier.rank)
    analysis = _empty(claim, alpha, family_size) | {
        "tier": tier.value,
        "warmup_rows": int(sum((tables[arm]["replicate"] < 0).sum() for arm in used)),
        "deviations": _deviations(test.arms, used),
        "registration": status(claim, used, family_size),
    }
    if not test.stochastic or (test.design == "peak_memory" and _steady(claim, tables)):
        found, idata = _deterministic(claim, tables, tier), None
    else:
        try:
            found, idata = _stochastic(claim, tables, tier, family_size, alpha, seed, draws)
        except Undefined as reason:
            return analysis | {"reason": "UNDEFINED", "sentence": str(reason)}, None
    if test.paired and len(used) > 1 and any(of.get("names_alone") for of in used.values()):
        found["sentence"] += " The items are paired by their names alone."
    return analysis | found, idata


def _empty(claim: Claim, alpha: float, family_size: int) -> dict:
    """Every key of an analysis, with what the claim itself settles."""
    test = claim.test
    return {
        "claim": claim.id,
        "design": test.design if test else None,
        "verdict": Verdict.NOT_TESTED.value,
        "reason": "NO_TEST",
        "sentence": "",
        "tier": None,
        "required_tier": claim.required_tier.value,
        "scale": test.scale if test else None,
        "unit": test.scale if test else None,
        **dict.fromkeys(("estimate", "interval", "interval_family", "interval_bootstrap")),
        "n_units": 0,
        "min_units": test.needed_units if test else None,
        "readings": [],
        "effect_sizes": dict.fromkeys(_EFFECT_SIZES),
        **dict.fromkeys(("p_value", "p_bonferroni", "power", "posterior", "diagnostics")),
        "tests": [],
        "variance": None,
        "details": {},
        "leave_one_out": None,
        "schools_agree": None,
        "multiverse": None,
        "blocks": [],
        "observations": [],
        "claim_sha256": claim.digest(),
        "registration": None,
        "family": test.family if test else None,
        "family_size": family_size,
        "alpha": alpha,
        "warmup_rows": 0,
        "deviations": [],
        "plots": dict.fromkeys(CURVES),
    }


CURVES = ("posterior", "ranks", "ppc", "power")  # of the report, None where there is none
_EFFECT_SIZES = ("cohen_dz", "cohen_dz_interval", "cohen_d_av", "hedges_g", "eta_squared")


def _steady(claim: Claim, tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether every reading repeats so closely that there is nothing to test."""
    test = claim.test
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


def _deterministic(claim: Claim, tables: Mapping[str, pd.DataFrame], tier: Tier) -> dict:
    test = claim.test
    paired = [units.paired(r, tables, test.experiment, positive=True) for r in test.readings]
    exact = [(r.label, *_exact_range(p)) for r, p in zip(test.readings, paired, strict=True)]
    verdict, reason, sentence = decision.decide_deterministic(
        exact,
        test.region,
        test.direction,
        claim.claimed_value(),
        tier,
        claim.required_tier,
        quantity=claim.quantity,
        scope=" and ".join(claim.scope.models),
        scale=_effects(claim),
    )
    readings = [
        {
            "label": label,
            "value": math.sqrt(low * high) if low != high else float(low),
            "low": float(low),
            "high": float(high),
            "holds": decision.contained((low, high), decision.exact_region(test.region)),
        }
        for label, low, high in exact
    ]
    over, under = (units.means(paired[0][side], np.log) for side in paired[0])
    ratios = pd.Series(np.exp(over - under), paired[0].index)
    return {
        "design": "deterministic",
        "verdict": verdict.value,
        "reason": reason,
        "sentence": sentence,
        "estimate": readings[0]["value"],
        "readings": readings,
        "n_units": len(ratios),
        "blocks": [{"block": b, "value": float(ratio)} for b, ratio in ratios.items()],
    }


def _stochastic(
    claim: Claim,
    tables: Mapping[str, pd.DataFrame],
    tier: Tier,
    m: int,
    alpha: float,
    seed: int,
    draws: int,
) -> tuple[dict, InferenceData | None]:
    test = claim.test
    scale = BY_NAME[test.scale]
    registered = getattr(test, "readings", [None])
    evidence = [gather(test, reading, tables, seed) for reading in registered]
    first = evidence[0]
    details = {key: value for key, value in first.shown.items() if key != "variance"}
    interval = _on_scale(first, alpha)
    family = _on_scale(first, alpha / m)
    summary, diagnostics, idata, planned, rival = None, None, None, None, None
    plots = dict.fromkeys(CURVES)
    if family is not None:
        # these take seconds to import, and most claims need none of them
        from kensho.stats import bayesian
        from kensho.stats.curves import curves
        from kensho.stats.models import MODELS

        model = MODELS[first.model] if isinstance(first.model, str) else first.model
        summary, diagnostics, idata = bayesian.posterior(
            model,
            first.data,
            scale,
            test.region,
            test.direction,
            test.sesoi,
            prior=first.prior,
            estimand=first.estimand,
            seed=seed,
            draws=draws,
        )
        if first.in_order:
            in_run = scale.forward(first.units.to_numpy(float))
            diagnostics["autocorrelated"] = bool(intervals.autocorrelated(in_run))
            if diagnostics["autocorrelated"]:
                diagnostics["failed"].append(_AUTOCORRELATED.format(len(in_run)))
                diagnostics["gates_ok"] = False
        if first.recover and diagnostics["gates_ok"]:
            recovery = diagnostics["recovery"] = first.recover(bayesian.flat(idata), alpha / m)
            if recovery["failed"]:
                diagnostics["failed"].append(recovery["failed"])
                diagnostics["gates_ok"] = False
        if first.rival:
            name, change = first.rival
            prior = {**(first.prior or model.primary), **change}
            found = bayesian.against(model, first.data, idata, prior, seed=seed, draws=draws)
            rival = {"model": name, **found}
        details |= first.of_posterior(bayesian.flat(idata))
        plots |= curves(idata, model, model.prepare(first.data), scale)
        if first.sd > 0 and (scale is not DOSE or None not in test.region):
            planned = power.prospective(
                first.n, first.sd, scale, test.region, test.sesoi, alpha / m, first.aim
            )
            plots["power"] = planned.pop("curve")
    if interval is None:
        estimate = float(scale.back(scale.forward(first.units.to_numpy(float)).mean()))
    else:
        estimate = float(scale.back(first.interval(alpha).estimate))

    def decide(p_region: float, sensitivity: list[float]) -> decision.Decision:
        return decision.decide(
            family,
            test.region,
            test.direction,
            test.sesoi,
            claim.claimed_value(),
            p_region,
            sensitivity,
            bool(diagnostics and diagnostics["gates_ok"]),
            first.n,
            test.needed_units,
            tier,
            claim.required_tier,
            p_direction=summary["p_direction"] if summary else None,
            estimate=estimate,
            scale=_effects(claim),
            quantity=claim.quantity,
            level=f"{100 * (1 - alpha / m):.4g} %",
            n_required=planned["n_required"] if planned else None,
            scope=" and ".join(claim.scope.models),
            failed=diagnostics["failed"] if diagnostics else [],
            constant=first.constant,
        )

    others = summary["prior_sensitivity"] if summary else []
    p_region = summary["p_region"] if summary else math.nan
    verdict, reason, sentence = decide(p_region, [row["p_region"] for row in others])
    for row in others:
        row["verdict"] = decide(row["p_region"], [])[0].value
    p_value = first.found.get("p_value")
    bootstrap = first.found.get("interval_bootstrap")
    analysis = {
        "verdict": verdict.value,
        "reason": reason,
        "sentence": sentence,
        "estimate": estimate,
        "interval": interval,
        "interval_family": family,
        "interval_bootstrap": bootstrap and tuple(map(float, scale.back(np.array(bootstrap)))),
        "p_value": p_value,
        "p_bonferroni": None if p_value is None else frequentist.bonferroni(p_value, m),
        "n_units": first.n,
        "readings": [
            _reading(reading.label, e, alpha / m, test.region)
            for reading, e in zip(registered, evidence, strict=True)
            if reading
        ],
        "effect_sizes": {key: first.found.get(key) for key in _EFFECT_SIZES},
        "tests": first.found.get("tests", []),
        "variance": first.shown.get("variance"),
        "details": details,
        "power": planned,
        "posterior": summary,
        "diagnostics": diagnostics,
        "leave_one_out": rival,
        "schools_agree": summary and decision.schools_agree(family, test.region, p_region),
        "multiverse": summary and _multiverse(claim, first, alpha / m, verdict, tier),
        "blocks": _shown_units(first.units),
        "plots": plots,
    }
    return _jsonable(analysis), idata


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


def _multiverse(
    claim: Claim, evidence: Evidence, alpha: float, verdict: Verdict, tier: Tier
) -> dict:
    """Alternative analyses with the verdict that each interval alone would give."""
    test = claim.test
    rows = evidence.specifications(alpha)
    for row in rows:
        found, _ = decision.by_interval(
            (row["low"], row["high"]), test, claim.claimed_value(), tier, claim.required_tier,
            _effects(claim),
        )  # fmt: skip
        row["verdict"] = found.value
    return {"share": multiverse.share(rows, verdict.value), "specifications": rows}


def _reading(label: str, evidence: Evidence, alpha: float, region) -> dict:
    ends = _on_scale(evidence, alpha)
    low, high = ends or (None, None)
    value = evidence.interval(alpha).estimate if ends else math.nan
    return {
        "label": label,
        "value": float(evidence.scale.back(value)),
        "low": low,
        "high": high,
        "holds": decision.contained(ends, region) if ends else None,
    }


def _effects(claim: Claim) -> Scale:
    """The scale of the claim, on which an effect is what its words are about: a gain, say."""
    return GAIN if claim.speaks_of_gain else BY_NAME[claim.test.scale]


def _tier(arm: str, conditions: Mapping, experiment: str) -> Tier:
    tier = conditions.get("tier")
    if tier not in list(Tier):
        raise ValueError(
            f"{experiment}/{arm}.conditions.json: tier is {tier!r}, not one of {', '.join(Tier)}"
        )
    return Tier(tier)


def _deviations(arms: list[str], conditions: Mapping[str, Mapping]) -> list[str]:
    """Fallbacks taken, departures from the plan and conditions that differ, each once."""
    kinds = ("fallbacks", "deviations")
    found = [entry for arm in arms for kind in kinds for entry in conditions[arm].get(kind) or []]
    for kind in ("hardware", "software", "dtype", "threads"):
        if any(conditions[arm].get(kind) != conditions[arms[0]].get(kind) for arm in arms):
            found.append(f"the arms were observed with different {kind} (see their conditions)")
    return list(dict.fromkeys(map(str, found)))


def _jsonable(value: object) -> object:
    """Tuples as lists, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
