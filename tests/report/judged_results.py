"""Small observations of several designs, judged and summarised as the workflow does it."""

from pathlib import Path

import numpy as np
from conditions_example import CONDITIONS, ran
from kensho import observations
from kensho.claims.model import Claim
from kensho.files import write_json
from kensho.report import inputs
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive
from kensho.stats.summary import Judged, summarise

EXPERIMENT = "trial"
UNITS = {
    **dict.fromkeys(("deterministic", "paired_log_ratio", "ratio_of_means"), "ratio"),
    **dict.fromkeys(("proportion", "win_rate", "rank_order", "pair_ranking"), "share"),
    **{"dose_optimum": "samples", "formula": "points"},
}
SETTINGS = {"alpha": 0.05, "seed": 7}
SIDES = {
    "numerator": {"arm": "slow", "metric": "seconds"},
    "denominator": {"arm": "fast", "metric": "seconds"},
}
AGAINST_NOTHING = [
    {
        "label": "right / wrong",
        "numerator": {"arm": "a", "metric": "acc"},
        "denominator": {"arm": "never", "metric": "acc"},
    }
]
DOSES = {f"n{dose}": float(dose) for dose in (500, 1000, 2000, 4000, 8000)}
RATIO = {
    "readings": [{"label": "slow / fast", **SIDES}],
    "region": [1.8, 2.2],
    "direction": "greater",
    "sesoi": 1.05,
}
# None of these is sampled: closed forms, exact draws, and what cannot be judged.
CLOSED = {
    "R-1": {"design": "deterministic", **RATIO},
    "R-2": {
        "design": "proportion",
        "readings": [{"label": "a", "of": {"arm": "a", "metric": "acc"}}],
        "region": [0.6, 0.95],
        "direction": None,
        "sesoi": 0.01,
        "family": "other",
    },
    "R-3": {  # one unit
        "design": "paired_log_ratio",
        **RATIO,
        "readings": [
            {"label": "slow / fast", **{side: {**of, "block": "b00"} for side, of in SIDES.items()}}
        ],
    },
    "R-4": {
        "design": "ratio_of_means",
        "readings": AGAINST_NOTHING,
        "region": [1.1, 1.7],
        "direction": "greater",
        "sesoi": 1.05,
    },
}
SAMPLED = {
    "F-1": {"design": "paired_log_ratio", **RATIO},
    "F-2": {
        "design": "win_rate",
        "comparison": "a-b",
        "region": [0.55, 0.95],
        "direction": "greater",
        "sesoi": 0.01,
    },
    "F-3": {
        "design": "dose_optimum",
        "doses": DOSES,
        "metric": "acc",
        "region": [1000.0, 4000.0],
        "sesoi": 0.1,
    },
    "F-4": {
        "design": "rank_order",
        "order": "whole",
        "models": ["a", "b"],
        "metric": "acc",
        "region": [0.0, None],
        "direction": "greater",
        "sesoi": 0.01,
        "levels": ["task", "item"],
    },
    "F-5": {
        "design": "pair_ranking",
        "comparison": "judgements",
        "order": "whole",
        "models": ["a", "b", "c"],
        "region": [0.5, None],
        "direction": "greater",
        "sesoi": 0.01,
        "first_shown": "known",
    },
    "F-6": {
        "design": "formula",
        "formula": "score ~ arm + (1 | item)",
        "likelihood": "gaussian",
        "metric": "points",
        "contrast": {"kind": "difference", "treatment": "slow", "control": "fast"},
        "region": [0.5, 1.5],
        "direction": "greater",
        "sesoi": 0.1,
        "min_units": 6,
        "prior": {"level": 5.0, "effect": 2.0, "spread": 2.0, "noise": 1.0},
    },
}


def claim(identifier: str, test: dict | None) -> Claim:
    low, high = test["region"] if test else (1.0, 2.0)
    return Claim.model_validate(
        {
            "id": identifier,
            "source": "C" if identifier.startswith("F") else "A",
            "statement": f"what {identifier} says",
            "quantity": "what is compared",
            "unit": UNITS[test["design"]] if test else "ratio",
            "claimed": {"at_least": low} if high is None else {"low": low, "high": high},
            "scope": {"models": ["any"]},
            "remarks": ["a remark"],
            "audit": [
                {"text": f"2 to 3 is +{gain} %", "check": "derived",
                 "of": {"figure": f"{gain}", "operation": "relative_gain", "parts": [2, 3],
                        "unit": "percent"}}
                for gain in (40, 50)
            ],
            "test": test and {"experiment": EXPERIMENT, **test},
            "not_tested": None if test else "needs eight accelerators of another kind",
            "obstacles": [] if test else ["needs hardware"],
        }
    )  # fmt: skip


def rows(arm: str, metric: str, values: dict) -> list[dict]:
    """Observations from {block: value}."""
    return [
        {"experiment": EXPERIMENT, "arm": arm, "block": block, "replicate": 0, "metric": metric,
         "value": float(value), "unit": "any"}
        for block, value in values.items()
    ]  # fmt: skip


def observed() -> list[dict]:
    rng = np.random.default_rng(1)
    found = []
    for arm, level in (("slow", 2.0), ("fast", 1.0)):
        times = {f"b{i:02d}": level * np.exp(rng.normal(0, 0.02)) for i in range(12)}
        found += rows(arm, "seconds", times)
        found += rows(
            arm, "points", {f"q{i:02d}": 4 + level + rng.normal(0, 0.2) for i in range(12)}
        )
    for arm, share in (("a", 0.8), ("b", 0.5), ("never", 0.0)):
        answers = {f"t{i % 5}/q{i:02d}": rng.random() < share for i in range(30)}
        found += rows(arm, "acc", answers)
    for dose_arm, dose in DOSES.items():
        peak = {f"s{i}": -0.5 * (np.log2(dose / 2000)) ** 2 + rng.normal(0, 0.2) for i in range(6)}
        found += rows(dose_arm, "acc", peak)
    for order in ("first", "second"):
        wins = {f"p{i:02d}": rng.choice([1, 0.5, 0], p=[0.7, 0.2, 0.1]) for i in range(40)}
        found += rows("a-b", f"preference.{order}", wins)
    for first, second in (("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")):
        wins = {f"j{i:02d}": rng.random() < (0.7 if first < second else 0.4) for i in range(20)}
        found += rows("judgements", f"{first} over {second}", wins)
    return found


def judged(results: Path, tests: dict, draws: int = 200) -> dict[str, tuple[Claim, dict]]:
    """Claim and analysis of each test by the id of the claim.

    So few draws fail the gates of the sampler, on which no key of an analysis depends but
    `diagnostics.recovery` of a formula.
    """
    conditions = {
        **CONDITIONS,
        **{"ran": ran("reduced"), "deviations": ["a small model stands in"]},
        "tables": [{"path": "own/scores.csv", "sha256": "ab" * 32, "rows": 3}],
    }
    table = observations.table(observed())
    observations.write(results / "benchmark_data" / EXPERIMENT, table, conditions)
    claims = [claim(name, test) for name, test in tests.items()]
    settings = {"family_size": 3, "draws": draws, **SETTINGS}
    analyses = {one.id: derive(one, results, Settings(**settings))[0] for one in claims}
    return {one.id: (one, analyses[one.id].model_dump(mode="json")) for one in claims}


def summarised(results: Path, found: dict[str, tuple[Claim, dict]]) -> dict:
    """What the page of these analyses is built from, beside one claim that has no test."""
    untested = claim("D-1", None)
    path = results / "statistical_summary.json"
    summary = summarise(
        [untested, *(one for one, _ in found.values())],
        Judged(
            {name: analysis for name, (_, analysis) in found.items()},
            {untested.id: untested.not_tested},
        ),
        scale="embedded",
        alpha=0.05,
    )
    write_json(path, summary)
    return inputs.summary(path)
