"""Rows of the validation report: results already computed, as a reader sees them."""

import math
from urllib.parse import quote

import pandas as pd

from kensho.report.text import (
    MISSING,
    absent,
    bounds,
    in_full,
    label,
    number,
    p_value,
    probability,
    unit_suffix,
    with_bounds,
    words,
)

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
LOGARITHMIC = ("ratio", "dose", "count")  # scales whose axis is logarithmic
NULLS = {"ratio": 1.0, "difference": 0.0, "share": 0.5}  # no effect


def scale(analysis: dict) -> str:
    """Name of the scale of an analysis; the ones without a name are ratios."""
    return analysis.get("scale") or "ratio"


def unit_values(analysis: dict) -> list[tuple[str, float]]:
    """Name and value of each unit, in run order where that was kept."""
    rows = analysis.get("blocks") or []
    if all("order" in row for row in rows):
        rows = sorted(rows, key=lambda row: row["order"])
    pairs = [(str(row.get("block", "")), row.get("value", row.get("ratio"))) for row in rows]
    return [pair for pair in pairs if not absent(pair[1])]


def claimed(claim: dict) -> str:
    """The claimed value or set in words, with its unit."""
    given = claim.get("claimed") or {}
    suffix = unit_suffix(claim.get("unit"))
    prefixes = {"value": "", "at_least": "at least ", "at_most": "at most "}
    for key, prefix in prefixes.items():
        if not absent(given.get(key)):
            return f"{prefix}{in_full(given[key])}{suffix}"
    if absent(given.get("low")) and absent(given.get("high")):
        return MISSING
    return f"{in_full(given.get('low'))} to {in_full(given.get('high'))}{suffix}"


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


def edges(claim: dict) -> list[float | None]:
    """Where the verdict turns: the ends of the region, and the smallest effect of interest."""
    analysis, test = claim.get("analysis") or {}, (claim.get("record") or {}).get("test") or {}
    kind, sesoi, direction = scale(analysis), test.get("sesoi"), test.get("direction")
    ends = list(region(claim))
    if kind not in NULLS or absent(sesoi) or absent(direction):
        return ends
    if kind == "ratio":
        return [*ends, sesoi if direction == "greater" else 1 / sesoi]
    return [*ends, NULLS[kind] + (sesoi if direction == "greater" else -sesoi)]


def sources(claim: dict) -> list[tuple[str, str | None]]:
    """Title and address of each source that the claim names by its letter."""
    letters = [part.strip() for part in str(claim.get("source") or "").split(",") if part.strip()]
    return [SOURCES.get(letter, (letter, None)) for letter in letters]


def estimate(claim: dict) -> str:
    """The estimate with its 95 % interval; differences carry their sign."""
    analysis = claim.get("analysis") or {}
    pair, signed = analysis.get("interval"), scale(analysis) == "difference"
    return with_bounds(analysis.get("estimate"), pair, sign=signed, edges=edges(claim))


def registered(claim: dict) -> list[tuple[str, str]]:
    """What was fixed before the data, as label and text; what is unknown is left out."""
    analysis, test = claim.get("analysis") or {}, (claim.get("record") or {}).get("test") or {}
    exact = analysis.get("design") == "deterministic"
    region = claim.get("region") or test.get("region") or ()
    ends = ["…" if absent(end) else in_full(end) for end in region]
    family = f"{words(analysis.get('family'))}, m = {words(analysis.get('family_size'))}"
    if then := (analysis.get("registration") or {}).get("family_then"):
        family += f"; {words(then)} when registered, and more claims only widen the interval"
    rows = [
        ("estimand", words(analysis.get("estimand"))),
        ("design", label(analysis.get("design") or MISSING)),
        ("claimed region", f"[{', '.join(ends)}]" if ends else MISSING),
        ("direction", words(test.get("direction"))),
        ("smallest effect of interest", MISSING if exact else words(test.get("sesoi"))),
        ("levels, replication unit first", words(test.get("levels"))),
        ("family", MISSING if exact or absent(analysis.get("family")) else family),
        ("alpha", MISSING if exact else words(analysis.get("alpha"))),
    ]
    return [row for row in rows if row[1] != MISSING]


def facts(claim: dict) -> list[tuple[str, str]]:
    """Frequentist results of a claim as label and text; what is null is left out."""
    analysis, ends = claim.get("analysis") or {}, edges(claim)
    effect = analysis.get("effect_sizes") or {}
    units = f"{words(analysis.get('n_units'))} of at least {words(analysis.get('min_units'))}"
    rows = [
        ("95 % interval", bounds(analysis.get("interval"), edges=ends)),
        (
            f"corrected, family of {words(analysis.get('family_size'))}",
            bounds(analysis.get("interval_family"), edges=ends),
        ),
        ("bootstrap 95 % interval", bounds(analysis.get("interval_bootstrap"), edges=ends)),
        ("units", MISSING if analysis.get("design") == "deterministic" else units),
        ("p", p_value(analysis.get("p_value"))),
        ("p, Bonferroni", p_value(analysis.get("p_bonferroni"))),
        ("p, Holm", p_value(analysis.get("p_holm"))),
        (
            "Cohen’s d_z",
            with_bounds(effect.get("cohen_dz"), effect.get("cohen_dz_interval")),
        ),
        ("Cohen’s d_av", number(effect.get("cohen_d_av"))),
        ("Hedges’ g", number(effect.get("hedges_g"))),
        ("eta squared", number(effect.get("eta_squared"))),
        ("schools agree", words(analysis.get("schools_agree"))),
    ]
    return [row for row in rows if row[1] != MISSING]


def planning(analysis: dict) -> list[tuple[str, str]]:
    """Power and variance components as label and text."""
    power = {k: v for k, v in (analysis.get("power") or {}).items() if k != "curve"}
    return nested(power) + nested(analysis.get("variance"))


def posterior_facts(claim: dict) -> list[tuple[str, str]]:
    """Bayesian results of a claim as label and text; empty where there is no posterior."""
    posterior, ends = (claim.get("analysis") or {}).get("posterior") or {}, edges(claim)
    rows = [
        ("P(below the claimed region)", probability(posterior.get("p_below"))),
        ("P(claimed region)", probability(posterior.get("p_region"))),
        ("P(above the claimed region)", probability(posterior.get("p_above"))),
        ("P(no relevant effect)", probability(posterior.get("p_rope"))),
        ("P(claimed direction)", probability(posterior.get("p_direction"))),
        ("P(a new unit in the region)", probability(posterior.get("p_new_unit"))),
        ("equal-tailed interval", bounds(posterior.get("eti"), edges=ends)),
        ("highest-density interval", bounds(posterior.get("hdi"), edges=ends)),
    ]
    return [row for row in rows if row[1] != MISSING]


def priors(claim: dict) -> list[dict]:
    """The primary prior and the others with what follows under each; `flips` if the verdict does.

    Empty without other priors.
    """
    posterior = (claim.get("analysis") or {}).get("posterior") or {}
    others = posterior.get("prior_sensitivity") or []
    if not others:
        return []
    given = posterior.get("prior")
    first = {
        "prior": "primary" + (f" ({words(given)})" if given else ""),
        **{key: posterior.get(key) for key in ("estimate", "p_region")},
        "verdict": claim["verdict"],
    }
    flips = [row.get("verdict") not in (None, claim["verdict"]) for row in others]
    return [first, *({**row, "flips": flip} for row, flip in zip(others, flips, strict=True))]


def tests(analysis: dict) -> list[dict]:
    """Tests that stand beside the one that decides: name, statistic, degrees of freedom, p."""
    return [
        {
            "name": row.get("name"),
            "statistic": number(row.get("statistic")),
            "dof": words(row.get("dof")),
            "p": p_value(row.get("p_value")),
        }
        for row in analysis.get("tests") or []
    ]


def certainty(analysis: dict) -> str:
    """One line on how sure the verdict is: checks, other specifications, power."""
    gates = (analysis.get("diagnostics") or {}).get("gates_ok")
    power = (analysis.get("power") or {}).get("power_at_n")
    universe = analysis.get("multiverse") or {}
    share, count = universe.get("share"), len(universe.get("specifications") or [])
    parts = [
        "" if gates is None else "all checks passed" if gates else "a check failed",
        "" if absent(share) else f"{100 * share:.0f} % of {count} specifications agree",
        "" if absent(power) else f"power {probability(power)}",
    ]
    return " · ".join(filter(None, parts))


def place_of(interval: list | None, region: tuple[float | None, float | None]) -> str:
    """Where an interval lies: inside, outside or across an edge of the claimed region."""
    if absent(interval) or all(map(absent, region)):
        return MISSING
    infinite = (-math.inf, math.inf)
    low, high = (e if absent(x) else x for x, e in zip(interval, infinite, strict=True))
    least, most = (e if absent(x) else x for x, e in zip(region, infinite, strict=True))
    if least <= low and high <= most:
        return "inside"
    return "outside" if high < least or most < low else "across"


def schools(claims: list[dict]) -> list[dict]:
    """One row per claim with a posterior: what each school says and whether they agree."""
    return [
        {
            "claim": claim,
            "interval": bounds(analysis.get("interval_family"), edges=edges(claim)),
            "place": place_of(analysis.get("interval_family"), region(claim)),
            "agree": analysis.get("schools_agree"),
            **{key: probability(posterior.get(key)) for key in ("p_region", "p_direction")},
        }
        for claim in claims
        for analysis in [claim.get("analysis") or {}]
        for posterior in [analysis.get("posterior")]
        if posterior
    ]


def multiplicity(claims: list[dict]) -> list[dict]:
    """One row per claim with a p-value, by family and size: raw, Bonferroni and Holm."""
    analyses = [(claim, claim.get("analysis") or {}) for claim in claims]
    rows = [
        {
            "claim": claim,
            "family": words(a.get("family")),
            "m": words(a.get("family_size")),
            "raw": a["p_value"],
            **{key: p_value(a.get(key)) for key in ("p_value", "p_bonferroni", "p_holm")},
        }
        for claim, a in analyses
        if not absent(a.get("p_value"))
    ]
    return sorted(rows, key=lambda row: (row["family"], row["raw"]))


def nested(values: dict | None) -> list[tuple[str, str]]:
    """Free entries of an analysis as label and text."""
    rows = [(label(key), words(item)) for key, item in (values or {}).items()]
    return [row for row in rows if row[1] != MISSING]


def readings(claim: dict) -> list[dict]:
    """Readings of a claim with their place, 0 to 100, on an axis that holds the region too."""
    analysis = claim.get("analysis") or {}
    rows = analysis.get("readings") or []
    logarithmic = scale(analysis) in LOGARITHMIC
    to = math.log if logarithmic else float
    ends = [*region(claim), *(row.get("value") for row in rows)]
    held = [to(x) for x in ends if not absent(x) and (x > 0 or not logarithmic)]
    if not held:
        return rows
    low, span = min(held), (max(held) - min(held)) or 1.0

    def place(value: float | None, otherwise: float | None) -> float | None:
        if absent(value) or (logarithmic and value <= 0):
            return otherwise
        return round(4 + 92 * (to(value) - low) / span, 2)

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
