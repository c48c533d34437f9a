"""Claims on brought tables through the command of docs/own-results.md: what must not go wrong."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from planning import snakemake

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)


def claim(name, test, claimed, unit, columns=("score",)):
    """A record on the table own/<name>.csv, whose arms are a and b."""
    sides = [{"arm": arm, "metric": columns[0]} for arm in ("a", "b")]
    words = {
        "paired_difference": ("treatment", "control"),
        "paired_log_ratio": ("numerator", "denominator"),
        "ratio_of_means": ("numerator", "denominator"),
        "proportion": ("of",),
    }[test["design"]]
    return {
        "id": f"OWN-{name}",
        "source": "own",
        "statement": name,
        "quantity": "a against b",
        "unit": unit,
        "claimed": claimed,
        "scope": {"models": ["any"], "hardware": "any"},
        "required_tier": "published",
        "test": {
            "experiment": f"own-{name}",
            "external": [{"path": f"own/{name}.csv", "format": "csv"}],
            "readings": [{"label": "all", **dict(zip(words, sides))}],
            "levels": ["item"],
            "family": name,
            "sesoi": 0.01,
            **test,
        },
        "not_tested": None,
    }


def table(folder, name, **arms):
    rows = [
        pd.DataFrame({"arm": arm, "item": [f"q{i:06d}" for i in range(len(v))], "score": v})
        for arm, v in arms.items()
    ]
    (folder / "own").mkdir(exist_ok=True)
    pd.concat(rows).to_csv(folder / f"own/{name}.csv", index=False)


def settle(folder, claims, *arguments):
    """What the command says, and the analyses that it leaves."""
    text = yaml.safe_dump(claims, allow_unicode=True, sort_keys=False)
    (folder / "config/claims/own.yaml").write_text(text, encoding="utf-8")
    paths = [f"results/analysis/{record['id']}.json" for record in claims]
    done = snakemake(folder, *paths, *arguments)
    found = [folder / path for path in paths]
    return done, {p.stem[4:]: json.loads(p.read_text()) for p in found if p.is_file()}


SCORE = {
    "design": "paired_difference",
    "outcome": "score",
    "prior": {"location": 5, "spread": 10},
    "direction": "greater",
}
BINARY = {"design": "paired_difference", "outcome": "binary"}
GAIN = {"design": "ratio_of_means", "direction": "greater", "sesoi": 1.01}


def percent():
    """Scores from 0 to 100 whose true difference is 0.88."""
    base = RNG.uniform(30, 80, 300)
    return {"a": base + 0.88 + RNG.normal(0, 1, 300), "b": base}


def test_claims_get_the_verdict_that_their_tables_bear(copy):
    level, slow = 0.0, []
    for _ in range(40):
        level = 0.9 * level + RNG.normal(0, 0.02)
        slow.append(2 * np.exp(level))
    table(copy, "percent", **percent())
    base = RNG.uniform(5, 15, 400)
    table(copy, "gain", a=base * 2.18 + RNG.normal(0, 0.3, 400), b=base)
    table(copy, "half", a=base * 1.05 + RNG.normal(0, 0.05, 400), b=base)
    table(copy, "alike", a=[1, 0] * 500, b=[1, 0] * 500)
    table(copy, "none", a=[0] * 307)
    table(copy, "two", a=[2.0, 2.1], b=[1.0, 1.0])
    table(copy, "gate", a=slow, b=np.exp(RNG.normal(0, 0.001, 40)))
    blocks = {"design": "paired_log_ratio", "direction": "greater", "levels": ["block"]}
    done, found = settle(copy, [
        claim("percent", {**SCORE, "region": [5, None], "range": [0, 100], "sesoi": 0.5},
              {"at_least": 5}, "percentage points"),
        claim("gain", {**GAIN, "region": [1.025, 1.035]}, {"value": 3}, "percent gain"),
        claim("half", {**GAIN, "region": [1.5, None]}, {"at_least": 50}, "percent gain"),
        claim("alike", {**BINARY, "region": [-0.03, 0.03]}, {"low": -3, "high": 3},
              "percentage points"),
        claim("none", {"design": "proportion", "region": [None, 0.05]}, {"at_most": 5}, "percent"),
        claim("two", {**blocks, "region": [1.5, None], "sesoi": 1.05, "min_units": 2},
              {"at_least": 1.5}, "ratio"),
        claim("gate", {**blocks, "region": [1.5, None], "sesoi": 1.05}, {"at_least": 1.5}, "ratio"),
    ])  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert {name: (a["verdict"], a["reason"]) for name, a in found.items()} == {
        "percent": ("FAILED", "EXCLUDED"),
        "gain": ("FAILED", "EXCLUDED"),
        "half": ("FAILED", "EXCLUDED"),
        "alike": ("VERIFIED", "HOLDS"),
        "none": ("VERIFIED", "HOLDS"),
        "two": ("INCONCLUSIVE", "UNITS"),
        "gate": ("INCONCLUSIVE", "GATE"),
    }
    assert "2 units are too few, 10 are needed" in found["two"]["sentence"]
    gate = found["gate"]["sentence"]
    assert "the 40 runs in order are autocorrelated" in gate and "observe more blocks" in gate


@pytest.mark.parametrize(
    ("change", "unit", "mend"),
    [
        ({"region": [0.05, None]}, "percentage points", "needs test.range"),
        ({"region": [0.05, None], "range": [0, 100]}, "percentage points", "does not hold"),
        ({"region": [5, None]}, "percent", "write 'percentage points'"),
    ],
)
def test_a_figure_on_an_unknown_scale_is_refused_before_anything_runs(copy, change, unit, mend):
    table(copy, "percent", **percent())
    record = claim("percent", {**SCORE, **change}, {"at_least": 5}, unit)
    done, found = settle(copy, [record], "-n")
    assert done.returncode != 0 and not found
    assert mend in done.stdout and "config/claims/own.yaml: OWN-percent" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("kind", ["score", "binary"])
def test_half_a_million_rows_are_judged_in_two_gigabytes(copy, kind):
    rows = 250_000
    if kind == "score":
        table(copy, kind, a=RNG.normal(5.5, 1, rows).round(3), b=RNG.normal(5, 1, rows).round(3))
        test = {**SCORE, "region": [0.3, None], "sesoi": 0.1}
        record = claim(kind, test, {"at_least": 0.3}, "points")
    else:
        table(copy, kind, **{arm: (RNG.random(rows) < p).astype(int) for arm, p in
                             (("a", 0.6), ("b", 0.5))})  # fmt: skip
        record = claim(kind, {**BINARY, "region": [0.05, None]}, {"at_least": 0.05}, "share")
    done, found = settle(copy, [record])
    assert done.returncode == 0, done.stdout
    assert found[kind]["verdict"] == "VERIFIED"
    used = pd.read_csv(copy / f"logs/benchmarks/judge/OWN-{kind}.tsv", sep="\t").iloc[0]
    assert used["max_rss"] < 2000, used
