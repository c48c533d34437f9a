"""Rows of the validation report: results already computed, as a reader sees them."""

import math
from urllib.parse import quote

import pandas as pd

from kensho.claims.model import Obstacle
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

VERDICTS = ("VERIFIED", "PARTIAL", "FAILED", "INCONCLUSIVE", "STALE", "NOT TESTED")
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


def claimed(claim: dict) -> str:
    """The claimed value or set in words, with its unit."""
    bound = claim["claimed"]
    suffix = unit_suffix(claim["unit"])
    prefixes = {"value": "", "at_least": "at least ", "at_most": "at most "}
    for key, prefix in prefixes.items():
        if not absent(bound[key]):
            return f"{prefix}{in_full(bound[key])}{suffix}"
    return f"{in_full(bound['low'])} to {in_full(bound['high'])}{suffix}"


def edges(claim: dict) -> list[float | None]:
    """Where the verdict turns: the ends of the region, and the smallest effect of interest."""
    test, ends = claim["record"]["test"], claim["region"]
    kind, sesoi, direction = claim["analysis"]["scale"], test["sesoi"], test["direction"]
    if kind not in NULLS or absent(direction):
        return ends
    if kind == "ratio":
        return [*ends, sesoi if direction == "greater" else 1 / sesoi]
    return [*ends, NULLS[kind] + (sesoi if direction == "greater" else -sesoi)]


def source(claim: dict) -> tuple[str, str | None]:
    """Title and address of the source that the claim names by its letter."""
    return SOURCES.get(claim["source"], (claim["source"], None))


def estimate(claim: dict) -> str:
    """The estimate with its 95 % interval; differences carry their sign."""
    analysis = claim["analysis"]
    pair, signed = analysis["interval"], analysis["scale"] == "difference"
    return with_bounds(analysis["estimate"], pair, sign=signed, edges=edges(claim))


def registration(claim: dict) -> list[tuple[str, str]]:
    """What was fixed before the data, as label and text; what is null is left out."""
    analysis, test = claim["analysis"], claim["record"]["test"]
    exact = analysis["design"] == "deterministic"
    ends = ["…" if absent(end) else in_full(end) for end in claim["region"]]
    family = f"{analysis['family']}, m = {analysis['family_size']}"
    if then := analysis["registration"]["family_then"]:
        family += f"; {then} when registered, and more claims only widen the interval"
    rows = [
        ("design", label(analysis["design"])),
        ("claimed region", f"[{', '.join(ends)}]"),
        ("direction", words(test["direction"])),
        ("smallest effect of interest", MISSING if exact else words(test["sesoi"])),
        ("levels, replication unit first", words(test["levels"])),
        ("family", MISSING if exact else family),
        ("alpha", MISSING if exact else words(analysis["alpha"])),
    ]
    return [row for row in rows if row[1] != MISSING]


def facts(claim: dict) -> list[tuple[str, str]]:
    """Frequentist results of a claim as label and text; what is null is left out."""
    analysis, ends = claim["analysis"], edges(claim)
    effect = analysis["effect_sizes"]
    units = f"{number(analysis['n_units'])} of at least {number(analysis['min_units'])}"
    rows = [
        ("95 % interval", bounds(analysis["interval"], edges=ends)),
        (
            f"corrected, family of {analysis['family_size']}",
            bounds(analysis["interval_family"], edges=ends),
        ),
        ("bootstrap 95 % interval", bounds(analysis["interval_bootstrap"], edges=ends)),
        ("units", MISSING if analysis["design"] == "deterministic" else units),
        ("p", p_value(analysis["p_value"])),
        ("p, Bonferroni", p_value(analysis["p_bonferroni"])),
        ("p, Holm", p_value(analysis["p_holm"])),
        ("Cohen’s d_z", with_bounds(effect["cohen_dz"], effect["cohen_dz_interval"])),
        ("Cohen’s d_av", number(effect["cohen_d_av"])),
        ("Hedges’ g", number(effect["hedges_g"])),
        ("eta squared", number(effect["eta_squared"])),
        ("schools agree", words(analysis["schools_agree"])),
    ]
    return [row for row in rows if row[1] != MISSING]


def planning(analysis: dict) -> list[tuple[str, str]]:
    """Power and variance components as label and text."""
    return nested(analysis["power"]) + nested(analysis["variance"])


def posterior_facts(claim: dict) -> list[tuple[str, str]]:
    """Bayesian results of a claim as label and text; empty where there is no posterior."""
    posterior, ends = claim["analysis"]["posterior"], edges(claim)
    if posterior is None:
        return []
    rows = [
        ("P(below the claimed region)", probability(posterior["p_below"])),
        ("P(claimed region)", probability(posterior["p_region"])),
        ("P(above the claimed region)", probability(posterior["p_above"])),
        ("P(no relevant effect)", probability(posterior["p_rope"])),
        ("P(claimed direction)", probability(posterior["p_direction"])),
        ("P(a new unit in the region)", probability(posterior["p_new_unit"])),
        ("equal-tailed interval", bounds(posterior["eti"], edges=ends)),
        ("highest-density interval", bounds(posterior["hdi"], edges=ends)),
    ]
    return [row for row in rows if row[1] != MISSING]


def priors(claim: dict) -> list[dict]:
    """The primary prior and the others with what follows under each; `flips` if the verdict does.

    Empty without a posterior.
    """
    posterior = claim["analysis"]["posterior"]
    if posterior is None:
        return []
    first = {
        "prior": f"primary ({words(posterior['prior'])})",
        **{key: posterior[key] for key in ("estimate", "p_region")},
        "verdict": claim["verdict"],
    }
    rows = [first, *posterior["prior_sensitivity"]]
    return [{**row, "flips": row["verdict"] != claim["verdict"]} for row in rows]


def tests(analysis: dict) -> list[dict]:
    """Tests that stand beside the one that decides: name, statistic, degrees of freedom, p."""
    return [
        {
            "name": row["name"],
            "statistic": number(row["statistic"]),
            "dof": words(row["dof"]),
            "p": p_value(row["p_value"]),
        }
        for row in analysis["tests"]
    ]


def certainty(analysis: dict) -> str:
    """One line on how sure the verdict is: checks, other specifications, power."""
    parts = []
    if diagnostics := analysis["diagnostics"]:
        parts.append("all checks passed" if diagnostics["gates_ok"] else "a check failed")
    if (universe := analysis["multiverse"]) and (share := universe["share"]) is not None:
        count = len(universe["specifications"])
        parts.append(f"{100 * share:.0f} % of {count} specifications agree")
    if power := analysis["power"]:
        parts.append(f"power {probability(power['power_at_n'])}")
    return " · ".join(parts)


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
            "interval": bounds(analysis["interval_family"], edges=edges(claim)),
            "place": place_of(analysis["interval_family"], claim["region"]),
            "agree": analysis["schools_agree"],
            **{key: probability(posterior[key]) for key in ("p_region", "p_direction")},
        }
        for claim in claims
        for analysis in [claim["analysis"]]
        if (posterior := analysis["posterior"])
    ]


def multiplicity(claims: list[dict]) -> list[dict]:
    """One row per claim with a p-value, by family and size: raw, Bonferroni and Holm."""
    rows = [
        {
            "claim": claim,
            "family": analysis["family"],
            "m": analysis["family_size"],
            "raw": analysis["p_value"],
            **{key: p_value(analysis[key]) for key in ("p_value", "p_bonferroni", "p_holm")},
        }
        for claim in claims
        for analysis in [claim["analysis"]]
        if not absent(analysis["p_value"])
    ]
    return sorted(rows, key=lambda row: (row["family"], row["raw"]))


def kinds(untested: list[dict]) -> list[dict]:
    """Claims without a verdict by the kind of the reason, in the order of the kinds.

    Keys: kind, claims, commanded (how many of them a command would test). A claim with several
    kinds stands in each.
    """
    groups = {
        kind.value: [claim for claim in untested if kind in claim["kinds"]] for kind in Obstacle
    }
    groups["left out of this run"] = [claim for claim in untested if not claim["kinds"]]
    return [
        {
            "kind": kind,
            "claims": claims,
            "commanded": sum(claim["command"] is not None for claim in claims),
        }
        for kind, claims in groups.items()
        if claims
    ]


def nested(values: dict | None) -> list[tuple[str, str]]:
    """Free entries of an analysis as label and text."""
    rows = [(label(key), words(item)) for key, item in (values or {}).items()]
    return [row for row in rows if row[1] != MISSING]


def readings(claim: dict) -> list[dict]:
    """Readings of a claim with their place, 0 to 100, on an axis that holds the region too."""
    rows, region = claim["analysis"]["readings"], claim["region"]
    logarithmic = claim["analysis"]["scale"] in LOGARITHMIC
    to = math.log if logarithmic else float
    ends = [*region, *(row["value"] for row in rows)]
    held = [to(x) for x in ends if not absent(x) and (x > 0 or not logarithmic)]
    low = min(held, default=0.0)
    span = (max(held, default=0.0) - low) or 1.0

    def place(value: float | None, otherwise: float | None) -> float | None:
        if absent(value) or (logarithmic and value <= 0):
            return otherwise
        return round(4 + 92 * (to(value) - low) / span, 2)

    band = place(region[0], 0), place(region[1], 100)
    return [{**row, "place": place(row["value"], None), "band": band} for row in rows]


def observations(analysis: dict) -> list[dict]:
    """Observation files with name and address relative to `results/`, where the report lies."""
    return [{**row, "href": quote(row["file"])} for row in analysis["observations"]]


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


def gains(frame: pd.DataFrame) -> dict:
    """Rows of the table of `kensho.stats.gains`, and what became of the candidates.

    Keys: rows; outcomes; candidates (task, technique, counts in the order of the outcomes).
    """
    controls = [name.removesuffix("_lacks") for name in frame if name.endswith("_lacks")]

    def over(row: dict, control: str) -> tuple[str, str]:
        why, pair = row[f"{control}_lacks"], (row[f"{control}_low"], row[f"{control}_high"])
        return with_bounds(row[control], pair, edges=(1,)), "" if absent(why) else why

    shown = [
        {
            **{key: row[key] for key in ("task", "arm")},
            **{key: number(row[key]) for key in ("size", "seeds", "variants")},
            "metric": METRICS.get(row["metric"], label(row["metric"])),
            "mean": number(row["mean"]) + unit_suffix(row["unit"]),
            "over": [over(row, control) for control in controls],
        }
        for row in frame.to_dict("records")
    ]
    counted = [name for name in frame if name.startswith("candidates_")]
    made = frame.dropna(subset=counted, how="all").drop_duplicates(["task", "arm"])
    candidates = [
        (row["task"], row["arm"], [number(row[name]) for name in counted])
        for row in made.to_dict("records")
    ]
    outcomes = [name.removeprefix("candidates_") for name in counted]
    return {"rows": shown, "outcomes": outcomes, "candidates": candidates}
