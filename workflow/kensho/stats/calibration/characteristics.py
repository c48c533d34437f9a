"""Operating characteristics of the closed-form engine: how often each verdict falls, by the truth.

Data are simulated for every claim type with the true value in the middle of the claimed region, at
its ends, outside it and at no effect; the shipped intervals and the shipped rule answer. The
posterior is the analytic one under a flat prior, so nothing here waits for a sampler.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from kensho.claims.model import Verdict
from kensho.stats import decision, intervals
from kensho.stats.calibration.claim_types import ALPHA, Below, ClaimType, claim_types
from kensho.stats.hypothesis import Hypothesis

FAMILY = 12
REPLICATIONS = 20_000
_BATCH = 500  # replications held in memory at once


def run(replications: int = REPLICATIONS, seed: int = 0) -> pd.DataFrame:
    """Shares of verdicts for every claim type and truth, and of families with a wrong verdict.

    Returns columns claim_type, truth, n (planned units; half and twice as many at the centre
    too), replications, coverage (of the 1 - alpha interval), verified, partial, failed,
    inconclusive, excluded (FAILED, or PARTIAL because the magnitude is excluded) and wrong: at an
    end verified or excluded, inside excluded, outside verified. In the rows of a family n is its
    number of claims, coverage that of all its intervals together, and the others say that any of
    its claims got such a verdict at alpha / n.
    """
    rows, types = [], claim_types()
    streams = iter(np.random.SeedSequence(seed).spawn(1000))
    for claim_type in types:
        for truth, value in claim_type.truths().items():
            n = claim_type.units
            for units in sorted({max(2, n // 2), n, 2 * n}) if truth == "centre" else [n]:
                events = simulate(claim_type, value, units, replications, next(streams))
                row = {"claim_type": claim_type.name, "truth": truth, "n": units}
                rows.append(row | shares(events))
    simple = [claim_type for claim_type in types if not claim_type.conservative][:FAMILY]
    for name, members in (("12 paired ratios", simple[:1] * FAMILY), ("12 claim types", simple)):
        claims = [
            simulate(t, t.truths()["lower"], t.units, replications, next(streams), ALPHA / FAMILY)
            for t in members
        ]
        events = {key: np.any([c[key] for c in claims], axis=0) for key in claims[0]}
        events["coverage"] = np.all([c["coverage"] for c in claims], axis=0)
        rows.append({"claim_type": name, "truth": "family", "n": FAMILY} | shares(events))
    return pd.DataFrame(rows)


def simulate(
    claim_type: ClaimType,
    truth: float,
    units: int,
    replications: int,
    stream: np.random.SeedSequence,
    alpha: float = ALPHA,
) -> dict[str, np.ndarray]:
    """What happened in each simulated data set: boolean arrays, one entry each."""
    rng, parts = np.random.default_rng(stream), []
    for start in range(0, replications, _BATCH):
        size = min(_BATCH, replications - start)
        with np.errstate(invalid="ignore", divide="ignore"):  # a constant sample settles nothing
            fit, below = claim_type.observe(truth, units, size, alpha, rng)
            covered = (fit.low <= truth) & (truth <= fit.high)
            covered = covered.astype(float) if truth == truth else np.full(size, math.nan)
            parts.append(answers(claim_type.claimed, fit, below) | {"coverage": covered})
    events = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    low, high = claim_type.claimed.scale.ends(claim_type.claimed.region)
    inside, outside = low < truth < high, not low <= truth <= high
    wrong = (events["verified"] & (not inside)) | (events["excluded"] & (not outside))
    return events | {"wrong": wrong}


def answers(claimed: Hypothesis, fit: intervals.Fit, below: Below) -> dict[str, np.ndarray]:
    """The shipped rule on many fits at once: a boolean array for each verdict, and excluded."""
    scale, effects = claimed.scale, (math.inf, -math.inf)
    if claimed.direction is not None and scale.null is not None:
        effects = scale.ends(claimed.effects)
    with np.errstate(over="ignore", invalid="ignore"):
        columns = (
            scale.back(fit.low),
            scale.back(fit.high),
            _mass(below, *scale.ends(claimed.region)),
            _mass(below, *effects),
        )
    settled = [
        decision.settle(claimed, (low, high), p_region, (), p_direction)
        for low, high, p_region, p_direction in zip(*(c.tolist() for c in columns), strict=True)
    ]
    verdicts = np.array([verdict for verdict, _ in settled])
    events = {verdict.lower(): verdicts == verdict for verdict in _VERDICTS}
    magnitude = np.array([reason == "MAGNITUDE" for _, reason in settled])
    return events | {"excluded": events["failed"] | magnitude}


_VERDICTS = (Verdict.VERIFIED, Verdict.PARTIAL, Verdict.FAILED, Verdict.INCONCLUSIVE)


def _mass(below: Below, low: float, high: float) -> np.ndarray:
    """Posterior probability between two points; negative where low lies above high."""
    return below(high) - below(low)


def shares(events: dict[str, np.ndarray]) -> dict[str, float]:
    """Share of data sets in which each event of `simulate` happened."""
    columns = ("coverage", *(v.lower() for v in _VERDICTS), "excluded", "wrong")
    return {"replications": events["wrong"].size} | {key: events[key].mean() for key in columns}


def acceptance(table: pd.DataFrame) -> pd.DataFrame:
    """What the table of `run` must keep: check, subject, value, low, high, holds.

    The limits are for 20,000 replications; for fewer they widen with the square root.
    """
    by_name = {claim_type.name: claim_type for claim_type in claim_types()}
    wider = math.sqrt(max(1, REPLICATIONS / table["replications"].min()))
    rows = []

    def check(what: str, row, key: str, aim: float, below: float, above: float) -> None:
        value, low, high = getattr(row, key), aim - wider * below, aim + wider * above
        subject = f"{row.claim_type}, {row.truth}"
        rows.append((what, subject, value, low, high, bool(low <= value <= high)))

    for row in table.itertuples():
        if row.truth == "family":
            check("family-wise error", row, "wrong", 0.05, math.inf, 0.005)
            continue
        claim_type = by_name[row.claim_type]
        if row.n != claim_type.units:
            continue
        if not math.isnan(claim_type.truths()[row.truth]):
            above = math.inf if claim_type.conservative or claim_type.in_order else 0.005
            check("coverage", row, "coverage", 0.95, 0.005, above)
        if row.truth in ("lower", "upper"):
            check("VERIFIED at an end", row, "verified", 0.025, math.inf, 0.004)
            check("excluded at an end", row, "excluded", 0.025, math.inf, 0.004)
        else:
            check("wrong verdict", row, "wrong", 0.025, math.inf, 0.004)
        if row.truth == "centre":
            check("power at planned n", row, "verified", 0.8, 0.01, math.inf)
    centre = table[table["truth"] == "centre"].sort_values("n")
    for name, group in centre.groupby("claim_type", sort=False):
        step, low = group["verified"].diff().min(), -0.01 * wider
        subject = f"{name}, {', '.join(map(str, group['n']))} units"
        rows.append(("power grows with n", subject, step, low, math.inf, bool(step >= low)))
    return pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high", "holds"])
