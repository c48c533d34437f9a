"""From the observation tables of a claim's arms to its analysis and verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kensho.claims.model import Claim, Reading, Side, Tier, Verdict
from kensho.stats import decision, frequentist

if TYPE_CHECKING:
    from arviz import InferenceData


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
        tables, conditions: observations and conditions of each arm that the readings name.
        family_size: number m of stochastic claims in the claim's family.
        alpha: two-sided error of one claim; seed: of the bootstrap and the sampler.
        draws: of each of the four chains.

    Rows with a negative replicate are warm-up: left out and counted (`warmup_rows`). Replicates
    within a block become one value, their geometric mean; the block is the unit. `observations`
    is left empty for the caller, who knows the files.

    Raises ValueError naming experiment, arm, metric and block for an arm, metric or block that is
    missing, blocks without a partner, repeated rows, and values that are not positive and finite.
    """
    test = claim.test
    if test is None:
        return _empty(claim, alpha, family_size) | {"sentence": claim.not_tested}, None
    arms = sorted({s.arm for r in test.readings for s in (r.numerator, r.denominator)})
    for arm in arms:
        if arm not in tables or arm not in conditions:
            raise ValueError(
                f"{claim.id}: no observations of arm '{arm}' of experiment '{test.experiment}'; "
                f"run the experiment, or mend the arm's name in the claim"
            )
    tier = max((_tier(arm, conditions[arm], test.experiment) for arm in arms), key=Tier.rank)
    analysis = _empty(claim, alpha, family_size) | {
        "tier": tier.value,
        "warmup_rows": int(sum((tables[arm]["replicate"] < 0).sum() for arm in arms)),
        "deviations": _deviations(arms, conditions),
    }
    paired = {reading.label: pair(reading, tables, test.experiment) for reading in test.readings}
    registered = _ratios(paired[test.readings[0].label])
    analysis["n_units"] = len(registered)
    analysis["blocks"] = [{"block": b, "ratio": float(ratio)} for b, ratio in registered.items()]
    if test.design == "deterministic":
        return analysis | _deterministic(claim, paired, tier), None
    found, idata = _stochastic(claim, paired, tier, family_size, alpha, seed, draws)
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
        **dict.fromkeys(("estimate", "interval", "interval_family", "interval_bootstrap")),
        "unit": "ratio",
        "n_units": 0,
        "min_units": test.min_units if test else None,
        "readings": [],
        "effect_sizes": dict.fromkeys(_EFFECT_SIZES),
        **dict.fromkeys(("p_value", "p_bonferroni", "power", "posterior", "diagnostics")),
        "schools_agree": None,
        "blocks": [],
        "observations": [],
        "claim_sha256": claim.digest(),
        "family": test.family if test else None,
        "family_size": family_size,
        "alpha": alpha,
        "warmup_rows": 0,
        "deviations": [],
    }


_EFFECT_SIZES = ("cohen_dz", "cohen_dz_interval", "hedges_g", "eta_squared")


def pair(reading: Reading, tables: Mapping[str, pd.DataFrame], experiment: str) -> pd.DataFrame:
    """Values of both sides of a reading: index block, columns numerator and denominator.

    Each cell holds the list of a block's replicates. A side that names its block is one unit; it
    meets the other side's one block, whatever that is called.
    """
    sides = {
        name: _values(side, tables[side.arm], experiment)
        for name, side in (("numerator", reading.numerator), ("denominator", reading.denominator))
    }
    top, bottom = sides["numerator"], sides["denominator"]
    named = reading.numerator.block or reading.denominator.block
    if named and len(top) == len(bottom) == 1:
        bottom.index = top.index
    alone = sorted(set(top.index) ^ set(bottom.index))
    if alone:
        raise ValueError(
            f"{experiment}: reading '{reading.label}': block '{alone[0]}' is in only one of "
            f"{_named(reading.numerator)} and {_named(reading.denominator)} "
            f"({len(alone)} such blocks); rerun the experiment"
        )
    return pd.DataFrame(sides)


def _named(side: Side) -> str:
    return f"{side.arm}/{side.metric}" + (f"/{side.block}" if side.block else "")


def _values(side: Side, table: pd.DataFrame, experiment: str) -> pd.Series:
    """Checked values of one side, without warm-up: index block, value list of replicates."""
    rows = table[(table["metric"] == side.metric) & (table["replicate"] >= 0)]
    rows = rows.assign(block=rows["block"].astype(str)).sort_values(["block", "replicate"])
    if side.block is not None:
        rows = rows[rows["block"] == side.block]
    where = f"{experiment}/{side.arm}.csv: metric '{side.metric}'"
    if rows.empty:
        place = f" in block '{side.block}'" if side.block is not None else ""
        raise ValueError(f"{where}: no observation{place}; rerun the experiment or mend the claim")
    positive = np.isfinite(rows["value"]) & (rows["value"] > 0)
    for wrong, what in (
        (rows.duplicated(["block", "replicate"]), "stands there twice"),
        (~positive, "is not a positive finite number"),
    ):
        for row in rows[wrong].head(1).itertuples():
            raise ValueError(
                f"{where}: block '{row.block}', replicate {row.replicate} (value {row.value}) "
                f"{what}; rerun the experiment"
            )
    return rows.groupby("block", sort=True)["value"].agg(list)


def _ratios(paired: pd.DataFrame) -> pd.Series:
    """One ratio for each block, of the geometric means over its replicates."""
    logs = paired.map(lambda values: float(np.mean(np.log(values))))
    return np.exp(logs["numerator"] - logs["denominator"]).rename("ratio")


def _exact_range(paired: pd.DataFrame) -> tuple[Fraction, Fraction]:
    """Lowest and highest ratio over blocks and replicates, of the decimals in the table."""
    low, high = [], []
    for top, bottom in zip(paired["numerator"], paired["denominator"], strict=True):
        over, under = ([Fraction(repr(float(x))) for x in values] for values in (top, bottom))
        low.append(min(over) / max(under))
        high.append(max(over) / min(under))
    return min(low), max(high)


def _deterministic(claim: Claim, paired: Mapping[str, pd.DataFrame], tier: Tier) -> dict:
    test = claim.test
    exact = [(label, *_exact_range(rows)) for label, rows in paired.items()]
    verdict, reason, sentence = decision.decide_deterministic(
        exact,
        test.region,
        test.direction,
        _claimed_value(claim),
        tier,
        claim.required_tier,
        quantity=claim.quantity,
        scope=" and ".join(claim.scope.models),
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
    return {
        "verdict": verdict.value,
        "reason": reason,
        "sentence": sentence,
        "estimate": readings[0]["value"],
        "readings": readings,
    }


def _stochastic(
    claim: Claim,
    paired: Mapping[str, pd.DataFrame],
    tier: Tier,
    m: int,
    alpha: float,
    seed: int,
    draws: int,
) -> tuple[dict, InferenceData | None]:
    test = claim.test
    ratios = [_ratios(rows) for rows in paired.values()]
    tests = [frequentist.paired_log_ratio(r, alpha, m, seed=seed) for r in ratios]
    first = tests[0]
    summary, diagnostics, idata, power = None, None, None, None
    if first["interval"] is not None:
        from kensho.stats import bayesian  # takes seconds to import; most claims need none of it

        summary, diagnostics, idata = bayesian.posterior(
            np.log(ratios[0]), test.region, test.direction, test.sesoi, seed=seed, draws=draws
        )
        power = frequentist.prospective_power(
            first["n"], first["sd_log"], test.region, test.sesoi, alpha / m
        )

    def decide(p_region: float, sensitivity: list[float]) -> decision.Decision:
        return decision.decide(
            first["interval_family"],
            test.region,
            test.direction,
            test.sesoi,
            _claimed_value(claim),
            p_region,
            sensitivity,
            bool(diagnostics and diagnostics["gates_ok"]),
            first["n"],
            test.min_units,
            tier,
            claim.required_tier,
            p_direction=summary["p_direction"] if summary else None,
            estimate=first["estimate"],
            quantity=claim.quantity,
            level=f"{100 * (1 - alpha / m):.4g} %",
            n_required=power["n_required"] if power else None,
            scope=" and ".join(claim.scope.models),
        )

    others = summary["prior_sensitivity"] if summary else []
    p_region = summary["p_region"] if summary else math.nan
    verdict, reason, sentence = decide(p_region, [row["p_region"] for row in others])
    for row in others:
        row["verdict"] = decide(row["p_region"], [])[0].value
    keys = ("estimate", "interval", "interval_family", "interval_bootstrap", "p_value")
    analysis = {
        "verdict": verdict.value,
        "reason": reason,
        "sentence": sentence,
        **{key: first[key] for key in (*keys, "p_bonferroni")},
        "readings": [
            _reading(label, t, test.region) for label, t in zip(paired, tests, strict=True)
        ],
        "effect_sizes": {key: first[key] for key in _EFFECT_SIZES},
        "power": power,
        "posterior": summary,
        "diagnostics": diagnostics,
        "schools_agree": summary
        and decision.schools_agree(first["interval"], test.region, p_region),
    }
    return _jsonable(analysis), idata


def _reading(label: str, found: dict, region: frequentist.Region) -> dict:
    interval = found["interval_family"]
    low, high = interval or (None, None)
    holds = decision.contained(interval, region) if interval else None
    return {"label": label, "value": found["estimate"], "low": low, "high": high, "holds": holds}


def _claimed_value(claim: Claim) -> float | None:
    """A point claim on the ratio scale: the middle of its region; None for intervals and bounds."""
    low, high = claim.test.region
    if claim.claimed.value is None or low is None or high is None:
        return None
    return math.sqrt(low * high)


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


def compare(stored: Mapping, rederived: Mapping) -> list[str]:
    """Differences between a stored analysis and one derived anew, one line each.

    Numbers may differ by 1e-9 (relative); those of the posterior by Monte Carlo error: 0.02 in a
    probability, a tenth of the 95 % interval's width elsewhere. Sampler diagnostics, the verdicts
    under single priors and the list of observation files are not compared.
    """
    eti = (rederived.get("posterior") or {}).get("eti") or [0.0, 0.0]
    return _differences(stored, rederived, "", (eti[1] - eti[0]) / 10)


_NOT_COMPARED = {"diagnostics", "observations", "posterior.prior_sensitivity.verdict"}


def _differences(old: object, new: object, path: str, width: float) -> list[str]:
    if path in _NOT_COMPARED:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = []
        for key in {**old, **new}:
            below = f"{path}.{key}" if path else str(key)
            found += _differences(old.get(key), new.get(key), below, width)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        return [line for a, b in pairs for line in _differences(a, b, path, width)]
    if _equal(old, new, path, width):
        return []
    return [f"{path}: stored {old}, derived anew {new}"]


def _equal(old: object, new: object, path: str, width: float) -> bool:
    numeric = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (old, new))
    if not numeric:
        return old == new
    if not path.startswith("posterior."):
        return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)
    return abs(old - new) <= (0.02 if ".p_" in path else width)
