"""Prospective power of the t interval of n units, all on the working scale but `prospective`."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special, stats

from kensho.stats.hypothesis import Hypothesis
from kensho.stats.scales import Interval

# Gauss-Legendre nodes and weights of 50 panels on (0, 1)
_nodes, _weights = np.polynomial.legendre.leggauss(16)
_NODES = ((np.arange(50)[:, None] + (_nodes + 1) / 2) / 50).ravel()
_WEIGHTS = np.tile(_weights / 100, 50)


def containment_power(n: int, sd: float, truth: float, region: Interval, alpha: float) -> float:
    """Probability that the 1 - alpha t interval of n units lies inside the region.

    Args: sd of the units; truth: their true mean; region: low and high, +-inf for an open end.

    The normal probability of the mean given the sample sd is integrated over the distribution
    of the sd: Owen's Q function (1965), the noncentral t where an end is open.
    """
    if not (n >= 2 and 0 < sd < math.inf and math.isfinite(truth)):
        raise ValueError(f"power needs n >= 2, sd > 0 and a true effect, not {n}, {sd}, {truth}")
    (low, high), dof, scale = region, n - 1, sd / math.sqrt(n)
    t = stats.t.ppf(1 - alpha / 2, dof)
    s_low, s_high = np.sqrt(stats.chi2.ppf([1e-13, 1 - 1e-13], dof) / dof)
    s_high = min(s_high, (high - low) / (2 * t * scale))  # beyond, the interval is the wider
    if s_high <= s_low:
        return 0.0
    s = s_low + (s_high - s_low) * _NODES
    density = 2 * dof * s * stats.chi2.pdf(dof * s**2, dof)
    inside = special.ndtr((high - truth) / scale - t * s) - special.ndtr(
        (low - truth) / scale + t * s
    )
    return float((s_high - s_low) * (_WEIGHTS * density * inside).sum())


def units_to_decide(
    sd: float,
    truth: float,
    region: Interval,
    alpha: float,
    power: float = 0.8,
    limit: int = 10_000,
) -> int | None:
    """Smallest n whose containment power reaches `power`; None where `limit` does not."""

    def enough(n: int) -> bool:
        return containment_power(n, sd, truth, region, alpha) >= power

    if not enough(limit):
        return None
    few, many = 1, limit  # a single unit never decides
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def minimal_detectable_effect(
    n: int, sd: float, bound: float, alpha: float, power: float = 0.8
) -> float:
    """Smallest true effect that n units show to lie above `bound` with this power.

    For effects below a bound, negate the bound and the answer.
    """
    step = sd / math.sqrt(n)

    def missing(delta: float) -> float:
        return containment_power(n, sd, delta, (0.0, math.inf), alpha) - power

    far = step
    while missing(far) < 0:
        far *= 2
    return bound + optimize.brentq(missing, 0, far, xtol=1e-10 * step)


def prospective(hypothesis: Hypothesis, n: int, sd: float, alpha: float, aim: float = 0.8) -> dict:
    """Power of n units to verify a claim that is true, and the n that has the power `aim`.

    Args: sd of the units on the working scale.

    The true effect assumed is the middle of the region on the working scale. At the bound of a
    half-open region power is alpha/2 whatever n is; there it is the bound moved into the region
    by `sesoi`, the smallest effect of interest. The minimal detectable effect is the smallest
    that n units show to lie beyond `sesoi`, on the side of the assumed effect; None where the
    scale has no null.

    Returns: effect_assumed, sd, power_at_n, n_required, minimal_detectable_effect (effects on the
        claim's scale) and curve, {n: [...], power: [...]}.
    """
    scale, sesoi = hypothesis.scale, hypothesis.sesoi
    low, high = region = scale.ends(hypothesis.region)
    step = math.log(sesoi) if scale.name == "ratio" else sesoi
    if math.isinf(low) and math.isinf(high):
        raise ValueError("a region without ends cannot be missed: it has no power")
    if scale.name == "share":  # no share lies outside 0 to 1
        step = min(step, high / 2 if math.isinf(low) else (1 - low) / 2)
    if math.isinf(low):
        effect = high - step
    elif math.isinf(high):
        effect = low + step
    else:
        effect = (low + high) / 2
    required = units_to_decide(sd, effect, region, alpha, aim)
    grid = np.unique(np.geomspace(2, max(2 * n, 1.5 * (required or 0), 20), 40).astype(int))
    detectable = None
    if scale.null is not None:
        null = float(scale.forward(scale.null))
        sign = -1 if effect < null else 1
        mde = minimal_detectable_effect(n, sd, sign * null + step, alpha)
        detectable = float(scale.back(sign * mde))
    return {
        "effect_assumed": float(scale.back(effect)),
        "sd": sd,
        "power_at_n": containment_power(n, sd, effect, region, alpha),
        "n_required": required,
        "minimal_detectable_effect": detectable,
        "curve": {
            "n": grid.tolist(),
            "power": [containment_power(k, sd, effect, region, alpha) for k in grid.tolist()],
        },
    }
