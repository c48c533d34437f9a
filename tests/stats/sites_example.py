"""Sites that have judged one claim, as folders of the layout of a crate."""

from pathlib import Path

import numpy as np
from conditions_example import CONDITIONS, ran
from kensho import observations
from kensho.claims.model import Claim
from kensho.files import write_json
from kensho.observations import Row
from kensho.run.events import Event, append, now
from kensho.stats import pool
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive


def side(arm, metric="score"):
    return {"arm": arm, "metric": metric, "block": None}


def claim(**changes):
    """Tuned beats base by one to two points; `changes` are of the test."""
    test = {
        "design": "paired_difference",
        "outcome": "score",
        "experiment": "scores",
        "readings": [{"label": "all", "treatment": side("tuned"), "control": side("base")}],
        "region": [1.0, 2.0],
        "direction": "greater",
        "sesoi": 0.2,
        "levels": ["item"],
        "prior": {"location": 2.0, "spread": 1.0},
        **changes,
    }
    return Claim.model_validate(
        {
            "id": "R-1",
            "source": "own",
            "statement": "tuning gains 1.0 to 2.0 points",
            "quantity": "score, tuned - base",
            "unit": "ratio" if test["design"] != "paired_difference" else "points",
            "claimed": {"low": test["region"][0], "high": test["region"][1]},
            "scope": {"models": ["any"]},
            "test": test,
            "not_tested": None,
        }
    )


def ratio(**changes):
    arms = {"numerator": side("tuned"), "denominator": side("base")}
    readings = [{"label": "tuned / base", **arms}]
    unneeded = {"outcome", "prior"}
    test = {"design": "deterministic", "readings": readings, "region": [0.4, 0.6],
            "direction": "less", "sesoi": 1.0, **changes}  # fmt: skip
    record = claim().model_dump(mode="json")
    record["test"] = {k: v for k, v in record["test"].items() if k not in unneeded} | test
    low, high = record["test"]["region"]
    return Claim.model_validate(record | {"unit": "ratio", "claimed": {"low": low, "high": high}})


def site(
    folder: Path, record: Claim, values, *, tier="at-scope", family=1, items=None
) -> pool.Site:
    """A crate-shaped folder of a claim judged on these scores, {arm: of each item}.

    ``items`` begins the names of the items, which are the site's own where it is None.
    """
    rows = [
        Row("scores", arm, f"{items or folder.name}-{item:03d}", 0, "score", float(score), "points")
        for arm, scores in values.items()
        for item, score in enumerate(scores)
    ]
    results = folder / "results"
    observations.write(
        results / "benchmark_data/scores", observations.table(rows), CONDITIONS | {"ran": ran(tier)}
    )
    settings = Settings(family_size=family, alpha=0.05, seed=1)
    analysis, _ = derive(record, results, settings)
    write_json(results / f"analysis/{record.id}.json", analysis.model_dump(mode="json"))
    append(Event("started", now(), attempt=f"of-{folder.name}"), folder / "logs/jobs.jsonl")
    return pool.Site.of_crate(folder.name, folder, [f"of-{folder.name}"])


def gained(mean, n=40, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(5, 2, n)
    return {"base": base, "tuned": base + mean + rng.normal(0, 1, n)}
