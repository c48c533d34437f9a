"""Rows and texts of the validation report: numbers already computed become what a reader sees."""

import math
from numbers import Number
from urllib.parse import quote

import pandas as pd

MISSING = "–"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
VERDICTS = ("VERIFIED", "PARTIAL", "FAILED", "INCONCLUSIVE", "NOT TESTED")
SOURCES = {
    "A": ("DeepSeek R1 Japanese Language Adaptation (draft paper)", None),
    "B": ("review log of the draft paper", None),
    "C": ("Yasuno, arXiv 2603.18037", "https://arxiv.org/abs/2603.18037"),
    "D": ("Shisa.AI, LFM2’s Japanese translation capabilities", None),
}
METRICS = {
    "nll_per_character": "Negative log-likelihood per character (lower is better)",
    "chrf": "chrF of translation (higher is better)",
}
LABELS = {
    "rhat": "R-hat",
    "ess_bulk": "effective draws, bulk",
    "ess_tail": "effective draws, tail",
    "bfmi": "E-BFMI",
    "ppc_p": "posterior predictive p",
    "gates_ok": "all checks passed",
    "effect_assumed": "ratio assumed for power",
    "sd_log": "s.d. of log ratios",
    "power_at_n": "power at this n",
    "n_required": "n for power 0.8",
}


def absent(value: object) -> bool:
    """Whether there is nothing to show: undefined, null, NaN, infinite or an empty container."""
    return not math.isfinite(value) if isinstance(value, Number) else not value


def number(value: float | None, decimals: int | None = None) -> str:
    """Four significant digits, or fixed `decimals`; a true minus sign; absent values as a dash."""
    if absent(value):
        return MISSING
    if isinstance(value, str):
        return value
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


def decimals_for(low: float, high: float) -> int:
    """Decimals that show two digits of the width of an interval, 6 at most."""
    width = high - low
    return min(6, max(0, 1 - math.floor(math.log10(width)))) if width > 0 else 3


def bounds(pair: list | tuple | None, decimals: int | None = None) -> str:
    """`[low, high]`, with an open end as an ellipsis; a dash where there is no interval."""
    if absent(pair) or all(absent(end) for end in pair):
        return MISSING
    if decimals is None and not any(absent(end) for end in pair):
        decimals = decimals_for(*pair)
    return "[{}, {}]".format(*("…" if absent(end) else number(end, decimals) for end in pair))


def with_bounds(value: float | None, pair: list | tuple | None, sign: bool = False) -> str:
    """An estimate and its interval at the same number of decimals."""
    if absent(value) or absent(pair) or any(absent(end) for end in pair):
        text = number(value)
    else:
        decimals = decimals_for(*pair)
        text = f"{number(value, decimals)} {bounds(pair, decimals)}"
    return f"+{text}" if sign and not absent(value) and value > 0 else text


def probability(value: float | None) -> str:
    """A probability to three decimals, never shown as exactly 0 or 1 unless it is."""
    if absent(value):
        return MISSING
    if 0 < value < 0.001:
        return "< 0.001"
    return "> 0.999" if 0.999 < value < 1 else f"{value:.3f}"


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
    return number(value) if isinstance(value, Number) else str(value)


def label(key: str) -> str:
    """A key of a JSON file as words."""
    return LABELS.get(key) or str(key).replace("_", " ")


def unit_suffix(unit: str | None) -> str:
    """What follows a number: nothing for ratios, the unit otherwise."""
    return "" if absent(unit) or unit == "ratio" else " " + unit.replace("percent", "%")


def claimed(claim: dict) -> str:
    """The claimed value or set in words, with its unit."""
    given = claim.get("claimed") or {}
    suffix = unit_suffix(claim.get("unit"))
    prefixes = {"value": "", "at_least": "at least ", "at_most": "at most "}
    for key, prefix in prefixes.items():
        if not absent(given.get(key)):
            return f"{prefix}{number(given[key])}{suffix}"
    if absent(given.get("low")) and absent(given.get("high")):
        return MISSING
    return f"{number(given.get('low'))} to {number(given.get('high'))}{suffix}"


def region(claim: dict) -> tuple[float | None, float | None]:
    """The claimed set on the scale of the estimate: the registered region, else the claim's own.

    Without a registered region a claim in another unit than the estimate has no set to show.
    """
    analysis, given = claim.get("analysis") or {}, claim.get("claimed") or {}
    registered = claim.get("region") or (claim.get("test") or {}).get("region")
    if registered:
        return tuple(registered)
    if claim.get("unit") != analysis.get("unit", "ratio"):
        return None, None
    low = next(
        (given[k] for k in ("low", "at_least", "value") if not absent(given.get(k))),
        None,
    )
    high = next(
        (given[k] for k in ("high", "at_most", "value") if not absent(given.get(k))),
        None,
    )
    return low, high


def sources(claim: dict) -> list[tuple[str, str | None]]:
    """Title and address of each source that the claim names by its letter."""
    letters = [part.strip() for part in str(claim.get("source") or "").split(",") if part.strip()]
    return [SOURCES.get(letter, (letter, None)) for letter in letters]


def facts(analysis: dict) -> list[tuple[str, str]]:
    """Frequentist results of one analysis as label and text; what is null is left out."""
    effect = analysis.get("effect_sizes") or {}
    units = f"{words(analysis.get('n_units'))} of at least {words(analysis.get('min_units'))}"
    rows = [
        ("95 % interval", bounds(analysis.get("interval"))),
        (
            f"corrected, family of {words(analysis.get('family_size'))}",
            bounds(analysis.get("interval_family")),
        ),
        ("bootstrap 95 % interval", bounds(analysis.get("interval_bootstrap"))),
        (
            "paired units",
            MISSING if analysis.get("design") == "deterministic" else units,
        ),
        ("p", p_value(analysis.get("p_value"))),
        ("p, Bonferroni", p_value(analysis.get("p_bonferroni"))),
        ("p, Holm", p_value(analysis.get("p_holm"))),
        (
            "Cohen’s d_z",
            with_bounds(effect.get("cohen_dz"), effect.get("cohen_dz_interval")),
        ),
        ("Hedges’ g", number(effect.get("hedges_g"))),
        ("eta squared", number(effect.get("eta_squared"))),
        *nested(analysis.get("power")),
        ("schools agree", words(analysis.get("schools_agree"))),
    ]
    return [row for row in rows if row[1] != MISSING]


def posterior_facts(analysis: dict) -> list[tuple[str, str]]:
    """Bayesian results of one analysis as label and text; empty where there is no posterior."""
    posterior = analysis.get("posterior") or {}
    rows = [
        ("P(claimed region)", probability(posterior.get("p_region"))),
        ("P(no relevant effect)", probability(posterior.get("p_rope"))),
        ("P(claimed direction)", probability(posterior.get("p_direction"))),
        ("equal-tailed interval", bounds(posterior.get("eti"))),
        ("highest-density interval", bounds(posterior.get("hdi"))),
        *nested(analysis.get("diagnostics")),
    ]
    return [row for row in rows if row[1] != MISSING]


def nested(values: dict | None) -> list[tuple[str, str]]:
    """Free entries of an analysis as label and text."""
    return [(label(key), words(item)) for key, item in (values or {}).items()]


def readings(claim: dict) -> list[dict]:
    """Readings of a claim with their place, 0 to 100, on a log axis that holds the region too."""
    rows = (claim.get("analysis") or {}).get("readings") or []
    ends = [*region(claim), *(row.get("value") for row in rows)]
    logs = [math.log(x) for x in ends if not absent(x) and x > 0]
    if not logs:
        return rows
    low, span = min(logs), (max(logs) - min(logs)) or 1.0

    def place(value: float | None, otherwise: float | None) -> float | None:
        if absent(value) or value <= 0:
            return otherwise
        return round(4 + 92 * (math.log(value) - low) / span, 2)

    band = place(region(claim)[0], 0), place(region(claim)[1], 100)
    return [{**row, "place": place(row.get("value"), None), "band": band} for row in rows]


def observations(analysis: dict) -> list[dict]:
    """Observation files with name and address relative to `results/`, where the report lies."""
    rows = analysis.get("observations") or []
    names = [str(row.get("file", "")).split("results/", 1)[-1] for row in rows]
    return [
        {**row, "name": name, "href": quote(name)} for row, name in zip(rows, names, strict=True)
    ]


def evaluation(frame: pd.DataFrame) -> list[dict]:
    """One entry per metric: its title, unit and rows with estimates and paired differences."""
    groups = []
    for metric, part in frame.groupby("metric", sort=False):
        rows = [
            {
                "arm": row.arm,
                "seed": MISSING if pd.isna(row.seed) else words(row.seed),
                "n": number(int(row.n)),
                "estimate": with_bounds(row.estimate, (row.low, row.high)),
                "difference": with_bounds(
                    row.difference, (row.difference_low, row.difference_high), sign=True
                ),
            }
            for row in part.itertuples()
        ]
        title = METRICS.get(metric, label(metric))
        groups.append({"metric": metric, "title": title, "unit": part.unit.iloc[0], "rows": rows})
    return groups


def cache_grid(frame: pd.DataFrame) -> list[dict]:
    """One entry per arm: column heads (dtype, batch) and a row of cells for each length.

    Raises:
        ValueError: an arm has two rows for the same length, batch and dtype.
    """
    groups = []
    for arm, part in frame.groupby("arm", sort=False):
        cells = {(row.length, row.dtype, row.batch): row for row in part.itertuples()}
        if len(cells) < len(part):
            raise ValueError(f"kv_grid: arm {arm} repeats a length, dtype and batch; keep one row")
        heads = sorted({key[1:] for key in cells})
        lengths = sorted({key[0] for key in cells})
        rows = [(length, [cells.get((length, *head)) for head in heads]) for length in lengths]
        equal = int(part["equal"].sum())
        groups.append({"arm": arm, "heads": heads, "rows": rows, "equal": equal, "n": len(part)})
    return groups


def counts(frame: pd.DataFrame, row: str, column: str) -> tuple[list[str], list[tuple]]:
    """Counts as a cross table: names of the columns, and (name of row, counts in their order)."""
    columns = list(dict.fromkeys(frame[column]))
    table = frame.pivot_table(
        index=row,
        columns=column,
        values="count",
        aggfunc="sum",
        fill_value=0,
        sort=False,
    )
    return columns, [(name, [int(table.loc[name, c]) for c in columns]) for name in table.index]
