"""Numbers, units and keys as the report writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, cast

from kensho.digits import as_written, significant, telling

if TYPE_CHECKING:
    from typing_extensions import TypeIs

MISSING = "–"
LIMITS = (0.01, 0.025, 0.05, 0.95, 0.975, 0.99)  # of probabilities, at which the rule decides
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LABELS = {
    "rhat": "R-hat",
    "ess_bulk": "effective draws, bulk",
    "ess_tail": "effective draws, tail",
    "bfmi": "E-BFMI",
    "ppc_p": "posterior predictive p",
    "gates_ok": "all checks passed",
    "failed": "checks that did not pass",
    "sampled_units": "units in the predictive check, a random sample",
    "effect_assumed": "effect assumed for power",
    "sd": "s.d. of units",
    "sd_log": "s.d. of log ratios",
    "minimal_detectable_effect": "smallest effect found with power 0.8",
    "between_units": "variance between units",
    "within_units": "variance within units",
    "power_at_n": "power at this n",
    "n_required": "n for power 0.8",
}


def absent(value: object) -> TypeIs[None]:
    """Whether there is nothing to show: undefined, null, NaN, infinite or an empty container."""
    return not math.isfinite(value) if isinstance(value, Real) else not value


def number(
    value: float | None, decimals: int | None = None, edges: Sequence[float | None] = ()
) -> str:
    """Four significant digits and what tells the value from the edges, or fixed `decimals`.

    A true minus sign; absent values as a dash.
    """
    if absent(value):
        return MISSING
    if isinstance(value, str):
        return value
    least = significant(value, 4 if abs(value) >= 1e-3 else 3)
    if decimals is None and (needed := telling([value], edges, least)) > least:
        decimals = needed
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
    elif isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        text = f"{int(value):,}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) < 1e-3:
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPT)}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


def in_full(value: float | None) -> str:
    """A registered number in full; absent values as a dash."""
    return MISSING if absent(value) else as_written(value).replace("-", "−")


def decimals_for(low: float, high: float) -> int:
    """Decimals that show two digits of the width of an interval, 6 at most."""
    return min(6, significant(high - low, 2)) if high > low else 3


def bounds(
    pair: list | tuple | None,
    decimals: int | None = None,
    edges: Sequence[float | None] = (),
) -> str:
    """`[low, high]`, with an open end as an ellipsis; a dash where there is no interval."""
    if absent(pair) or all(absent(end) for end in pair):
        return MISSING
    if decimals is None and not any(absent(end) for end in pair):
        decimals = telling(pair, edges, decimals_for(*pair))
    shown = ("…" if absent(end) else number(end, decimals, edges) for end in pair)
    return "[{}, {}]".format(*shown)


def with_bounds(
    value: float | None,
    pair: list | tuple | None,
    sign: bool = False,
    edges: Sequence[float | None] = (),
) -> str:
    """An estimate and its interval at the same number of decimals, told from the edges."""
    if absent(value) or absent(pair):
        text = number(value, edges=edges)
    elif any(absent(end) for end in pair):
        text = f"{number(value, edges=edges)} {bounds(pair, edges=edges)}"
    else:
        decimals = telling([value, *pair], edges, decimals_for(*pair))
        text = f"{number(value, decimals)} {bounds(pair, decimals)}"
    return f"+{text}" if sign and not absent(value) and value > 0 else text


def probability(value: float | None) -> str:
    """A probability to three decimals, told from the limits of the rule and from 0 and 1."""
    if absent(value):
        return MISSING
    if 0 < value < 0.001:
        return "< 0.001"
    return "> 0.999" if 0.999 < value < 1 else f"{value:.{telling([value], LIMITS, 3)}f}"


def p_value(value: float | None) -> str:
    """A p-value to three decimals, small ones as a power of ten."""
    return number(value) if absent(value) or 0 < value < 0.001 else f"{value:.3f}"


def size(count: float | None) -> str:
    """Bytes in binary units, three significant digits."""
    if absent(count):
        return MISSING
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def duration(seconds: float | None) -> str:
    """Seconds as `1 h 02 min`, `3 min 20 s` or `4.2 s`."""
    if absent(seconds):
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.3g} s"


def words(value: object) -> str:
    """Any JSON value as one line of text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if absent(value):
        return MISSING
    if isinstance(value, dict):
        return " · ".join(f"{label(key)}: {words(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(words(item) for item in value)
    return number(cast("float", value)) if isinstance(value, Real) else str(value)


def label(key: str) -> str:
    """A key of a JSON file as words."""
    return LABELS.get(key) or str(key).replace("_", " ")


def unit_suffix(unit: str | None) -> str:
    """What follows a number: nothing for ratios and shares, the unit otherwise."""
    if absent(unit) or unit in ("ratio", "share"):
        return ""
    return " " + re.sub(r"\bpercent\b", "%", unit)


def of_batches(noise: dict) -> str:
    """What changed between batches (:func:`kensho.evaluate.noise.measured`), in one sentence."""
    alone, together = noise["batches"]
    engine = noise["engine"]
    by = " ".join(str(engine[key]) for key in ("name", "version") if key in engine)
    return (
        f"Asked {together} at a time instead of {'one by one' if alone == 1 else alone}, "
        f"{noise['model']} ({by}, {noise['dtype']}) wrote {noise['answers_changed']} of "
        f"{noise['answers']} answers otherwise, and log-likelihoods of {noise['likelihoods']} "
        f"sentences changed by {number(noise['largest_change'])} nat at most: differences of "
        "scores that are smaller say nothing."
    )
