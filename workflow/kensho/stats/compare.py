"""Whether an analysis derived anew is the one that was stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard


def compare(stored: Mapping, rederived: Mapping) -> list[str]:
    """Differences between a stored analysis and one derived anew, one line each.

    Numbers may differ by 1e-9 (relative); those of the posterior by Monte Carlo error: 0.02 in a
    probability, a tenth of the 95 % interval's width elsewhere. Sampler diagnostics, the verdicts
    under single priors and the list of observation files are not compared.
    """
    eti = (rederived.get("posterior") or {}).get("eti") or [0.0, 0.0]
    eti = [0.0, 0.0] if None in eti else eti  # an optimum that no draw has
    return _differences(stored, rederived, "", (eti[1] - eti[0]) / 10)


_NOT_COMPARED = {
    *("details.rank_probabilities", "diagnostics", "leave_one_out", "observations", "plots"),
    "details.group_sd",
    "posterior.prior_sensitivity.verdict",
}


def _differences(old: object, new: object, path: str, width: float) -> list[str]:
    if path in _NOT_COMPARED:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        lines = []
        for key in {**old, **new}:
            below = f"{path}.{key}" if path else str(key)
            lines += _differences(old.get(key), new.get(key), below, width)
        return lines
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        return [line for a, b in pairs for line in _differences(a, b, path, width)]
    if _equal(old, new, path, width):
        return []
    return [f"{path}: stored {old}, derived anew {new}"]


def _equal(old: object, new: object, path: str, width: float) -> bool:
    if not (_numeric(old) and _numeric(new)):
        return old == new
    if not path.startswith("posterior."):
        return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)
    return abs(old - new) <= (0.02 if ".p_" in path else width)


def _numeric(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
