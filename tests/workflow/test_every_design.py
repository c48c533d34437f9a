"""Every design and every format of brought tables, through `own` and `verify`."""

import gzip
import json
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from kensho.claims.base import ExternalTable
from kensho.claims.designs import Test as AnyTest
from planning import snakemake

RNG = np.random.default_rng(5)
CONTRAST = {
    "treatment": {"arm": "b", "metric": "score"},
    "control": {"arm": "a", "metric": "score"},
}
RATIO = {"numerator": CONTRAST["treatment"], "denominator": CONTRAST["control"]}
OF = {"of": CONTRAST["treatment"]}
POINTS = {"prior": {"location": 10, "spread": 5}}
ABILITY = {"prior": {"ability": 5, "spread": 5}}


def reading(sides):
    return [{"label": "all", **sides}]


def scores(**more):
    """Rows of arms a, b and c, each better than the one before."""
    return [
        {"arm": arm, "item": f"q{i:02d}", "score": round(5 + gap + i % 4 + RNG.normal(0, 0.2), 3)}
        | {key: of(i) for key, of in more.items()}
        for arm, gap in (("a", 0), ("b", 1), ("c", 2))
        for i in range(40)
    ]


def answers(**more):
    return [
        {"arm": arm, "item": f"q{i:02d}", "score": int(RNG.random() < p)}
        | {key: of(i) for key, of in more.items()}
        for arm, p in (("a", 0.3), ("b", 0.9))
        for i in range(60)
    ]


def doses():
    return [
        {"arm": f"d{dose}", "item": f"s{seed}",
         "score": round(-(np.log2(dose / 400) ** 2) + RNG.normal(0, 0.1), 3)}
        for dose in (100, 200, 400, 800, 1600)
        for seed in range(6)
    ]  # fmt: skip


def judgements(orders):
    return [
        {"prompt": f"p{i:02d}", "order": order, "winner": "b" if RNG.random() < 0.9 else "a"}
        for i in range(60)
        for order in (("a", "b") if orders == "both" else ("ab"[i % 2],))
    ]


def arena():
    pairs = [("b", "a", 0.85), ("c", "b", 0.85), ("c", "a", 0.97)]  # strengths that add up
    return [
        {"prompt": f"p{i:03d}", "first": pair[i % 2], "second": pair[1 - i % 2],
         "winner": pair[0] if RNG.random() < pair[2] else pair[1]}
        for i in range(180)
        for pair in [pairs[i % 3]]
    ]  # fmt: skip


def passage(i):
    return f"p{i // 4}"


def task(i):
    return f"t{i // 5}"


def one_each():
    """One score of every arm on each of ten tasks."""
    return [
        {"arm": arm, "task": f"t{i}", "score": round(5 + gap + i % 3 + RNG.normal(0, 0.1), 3)}
        for arm, gap in (("a", 0), ("b", 1), ("c", 2))
        for i in range(10)
    ]


GREATER = {"readings": reading(RATIO), "region": [1.05, None]}
# name: (test, rows, unit, more keys of the table)
DESIGNS = {
    "deterministic": (
        {"readings": reading(RATIO), "region": [1.9, 2.1], "min_units": 1},
        [{"arm": a, "item": "all", "score": v} for a, v in (("a", 100), ("b", 200))], "ratio", {},
    ),
    "paired_log_ratio": (GREATER, scores(), "ratio", {}),
    "peak_memory": (GREATER, scores(), "ratio", {}),
    "ratio_of_means": ({**GREATER, "region": [1.5, None]}, answers(), "ratio", {}),
    "paired_difference": (
        {"readings": reading(CONTRAST), "outcome": "score", "region": [0.5, None], **POINTS},
        scores(), "points", {},
    ),
    "paired_difference binary": (
        {"readings": reading(CONTRAST), "outcome": "binary", "region": [0.2, None]},
        answers(), "share", {},
    ),
    "paired_difference clusters": (
        {"readings": reading(CONTRAST), "outcome": "binary", "region": [0.2, None],
         "levels": ["passage", "item"]},
        answers(passage=passage), "share", {"cluster": "passage"},
    ),
    "unpaired_difference": (
        {"readings": reading(CONTRAST), "outcome": "binary", "region": [0.2, None]},
        [{**row, "item": row["arm"] + row["item"]} for row in answers()], "share", {},
    ),
    "published_aggregate": (
        {"readings": reading(CONTRAST), "outcome": "binary", "region": [0.2, None],
         "items": 400, "range": [0, 1], "decimals": 3, "levels": ["task"]},
        [{"arm": arm, "task": "gpqa", "score": score} for arm, score in (("a", 0.3), ("b", 0.8))],
        "share", {},
    ),
    "proportion": ({"readings": reading(OF), "region": [0.7, None]}, answers(), "share", {}),
    "proportion repeats": (
        {"readings": reading(OF), "region": [0.7, None], "outcome": "repeats"},
        [{**row, "replicate": k} for k in range(3) for row in answers()], "share", {},
    ),
    "mean_score": (
        {"readings": reading(OF), "region": [6, None], "prior": {"location": 10, "spread": 3}},
        scores(), "points", {},
    ),
    "win_rate": (
        {"comparison": "b", "region": [0.6, None], "levels": ["prompt"]},
        judgements("both"), "share", {"format": "pairwise", "arm": "b"},
    ),
    "win_rate random": (
        {"comparison": "b", "region": [0.6, None], "levels": ["prompt"], "orders": "random"},
        judgements("random"), "share", {"format": "pairwise", "arm": "b"},
    ),
    "dose_optimum": (
        {"doses": {f"d{d}": d for d in (100, 200, 400, 800, 1600)}, "metric": "score",
         "region": [283, 566], "levels": ["seed"]},
        doses(), "samples", {},
    ),
    "tasks": (
        {"readings": reading(CONTRAST), "on": "average", "region": [0.5, None], **ABILITY,
         "levels": ["task", "item"]},
        scores(task=task), "points", {},
    ),
    "tasks alone": (
        {"readings": reading(CONTRAST), "on": "average", "region": [0.5, None], **ABILITY,
         "levels": ["task"]},
        one_each(), "points", {},
    ),
    "rank_order": (
        {"models": ["c", "b", "a"], "metric": "score", "order": "whole", "region": [0.2, None],
         **ABILITY, "levels": ["task", "item"]},
        scores(task=task), "points", {},
    ),
    "pair_ranking": (
        {"comparison": "arena", "models": ["c", "b", "a"], "order": "whole",
         "region": [0.5, None], "levels": ["prompt"]},
        arena(), "share", {"format": "comparisons", "arm": "arena"},
    ),
    "formula": (
        {"formula": "score ~ arm + (1|item)", "likelihood": "gaussian", "metric": "score",
         "contrast": {"kind": "difference", "treatment": "b", "control": "a"},
         "region": [0.5, None]},
        scores(), "points", {},
    ),
}  # fmt: skip


def record(name, test, rows, unit, table):
    low, high = test["region"]
    without = test["readings"][0].get("of") if "readings" in test else None
    direction = (
        None if without or name.split()[0] in ("dose_optimum", "deterministic") else "greater"
    )
    ratio = unit == "ratio"
    return {
        "id": f"OWN-{name.replace(' ', '-').replace('_', '-')}",
        "source": "own",
        "statement": name,
        "quantity": "b against a",
        "unit": unit,
        "claimed": {"at_least": low} if high is None else {"low": low, "high": high},
        "scope": {"models": ["any"], "hardware": "any"},
        "required_tier": "published",
        "test": {
            "design": name.split()[0],
            "experiment": f"own-{name.replace(' ', '-')}",
            "external": [{"path": f"own/{name}.csv", "format": "csv", **table}],
            "levels": ["item"],
            "family": name,
            "direction": direction,
            "sesoi": 1.01 if ratio else 0.05,
            "min_units": 5,
            **test,
        },
        "not_tested": None,
    }


def formats(folder):
    """Tables of the same scores in every format that holds scores, by the format's name."""
    rows = [row for row in scores() if row["arm"] != "c"]
    frame, own = pd.DataFrame(rows), folder / "own"
    frame.to_csv(own / "f.tsv", sep="\t", index=False)
    frame.to_parquet(own / "f.parquet")
    frame.pivot(index="item", columns="arm", values="score").to_csv(own / "f-wide.csv")
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (own / "f.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    found = {
        "tsv": [{"path": "own/f.tsv", "format": "csv", "delimiter": "tab"}],
        "wide": [{"path": "own/f-wide.csv", "format": "csv", "layout": "wide"}],
        "jsonl": [{"path": "own/f.jsonl.gz", "format": "jsonl"}],
        "parquet": [{"path": "own/f.parquet", "format": "parquet"}],
        "lm-eval": [], "helm": [], "inspect": [],
    }  # fmt: skip
    for arm, part in frame.groupby("arm"):
        log = own / f"samples_{arm}_2026.jsonl"
        log.write_text("".join(
            json.dumps({"doc_id": i, "doc": {"q": row.item}, "filter": "none", "target": "x",
                        "metrics": ["score"], "score": row.score}) + "\n"
            for i, row in enumerate(part.itertuples())))  # fmt: skip
        found["lm-eval"].append(
            {"path": f"own/{log.name}", "format": "lm-eval", "arm": arm, "metric": "score"}
        )
        stats = [
            {"instance_id": row.item, "train_trial_index": 0,
             "stats": [{"name": {"name": "score", "split": "test"}, "count": 1, "sum": row.score,
                        "mean": row.score}]}
            for row in part.itertuples()
        ]  # fmt: skip
        (own / f"helm-{arm}.json").write_text(json.dumps(stats))
        found["helm"].append(
            {"path": f"own/helm-{arm}.json", "format": "helm", "arm": arm, "metric": "score"}
        )
    del found["inspect"]
    return found


@pytest.mark.slow
@pytest.mark.timeout(3100)  # two runs
def test_every_design_and_format_is_judged_reported_and_verified(copy):
    (copy / "own").mkdir()
    claims = []
    for name, (test, rows, unit, table) in DESIGNS.items():
        pd.DataFrame(rows).to_csv(copy / f"own/{name}.csv", index=False)
        claims.append(record(name, test, rows, unit, table))
    for name, tables in formats(copy).items():
        test = DESIGNS["paired_difference"][0]
        found = record("paired_difference", test, [], "points", {})
        found["id"], found["test"]["experiment"] = f"OWN-format-{name}", f"own-format-{name}"
        found["test"] |= {"external": tables, "family": name}
        claims.append(found)
    path = copy / "config/claims/own.yaml"
    path.write_text(yaml.safe_dump(claims, allow_unicode=True, sort_keys=False), encoding="utf-8")
    done = snakemake(copy, "own", timeout=1500)
    assert done.returncode == 0, done.stdout[-4000:]
    found = {
        claim["id"]: json.loads((copy / f"results/analysis/{claim['id']}.json").read_text())
        for claim in claims
    }
    said = {name: (a["verdict"], a["sentence"]) for name, a in found.items()}
    assert {name: verdict for name, (verdict, _) in said.items() if verdict != "VERIFIED"} == {}, (
        said
    )
    page = (copy / "results/own_report.html").read_text(encoding="utf-8")
    assert all(f'id="{claim["id"]}"' in page for claim in claims)
    done = snakemake(copy, "verify", timeout=1500)
    assert done.returncode == 0 and f"verified: {len(claims)} verdicts" in done.stdout, done.stdout


def test_no_design_is_left_out():
    designs = {
        name
        for one in get_args(get_args(AnyTest)[0])
        for name in get_args(one.model_fields["design"].annotation)
    }
    assert designs == {name.split()[0] for name in DESIGNS}
    assert "csv" in get_args(ExternalTable.model_fields["format"].annotation)
