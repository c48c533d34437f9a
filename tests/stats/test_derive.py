"""From observation files to a verdict, and back: every later change of a file is named."""

import json
from pathlib import Path

import pandas as pd
import pytest
from conditions_example import CONDITIONS
from kensho import observations
from kensho.claims.model import Claim
from kensho.files import sha256, write_json
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive, orphans, verify
from kensho.stats.summary import Judged, summarise

NAME = "summary.json"
KNOWN = ("R-1", "R-2")
SETTINGS = {"family_size": 1, "alpha": 0.05, "seed": 7, "draws": 500}


def claim(name="R-1", region=(0.05, 0.13), **test):
    def side(arm):
        return {"arm": arm, "metric": "cache_bytes", "block": None}

    reading = {"label": "MHA", "numerator": side("mla"), "denominator": side("mha")}
    registered = {
        "design": "deterministic",
        "experiment": "kv_cache",
        "readings": [reading],
        "region": list(region),
        "direction": "less",
    }
    return Claim.model_validate(
        {
            "id": name,
            "source": "A",
            "statement": "MLA caches 5-13 % of what MHA does",
            "quantity": "cache bytes, MLA / MHA",
            "unit": "share",
            "claimed": {"low": region[0], "high": region[1]},
            "scope": {"models": ["any"]},
            "required_tier": "at-scope",
            "test": registered | test,
            "not_tested": None,
        }
    )


def paired():
    """A statistical claim over the same files; ratios that never vary leave nothing to sample."""
    return claim("R-2", design="paired_log_ratio", sesoi=1.05, min_units=2)


@pytest.fixture
def results(tmp_path):
    """Two claims, judged and summarised as the workflow does it."""
    folder = tmp_path / "results"
    rows = [
        {"experiment": "kv_cache", "arm": arm, "block": f"L{length}", "replicate": replicate,
         "metric": "cache_bytes", "value": float(per_token * length), "unit": "bytes"}
        for arm, per_token in (("mla", 576), ("mha", 8192), ("mqa", 128))
        for length in (512, 1024)
        for replicate in (0, 1)
    ]  # fmt: skip
    observations.write(folder / "benchmark_data/kv_cache", observations.table(rows), CONDITIONS)
    analyses = {}
    for entry in (claim(), paired()):
        analysis, _ = derive(entry, folder, Settings(**SETTINGS))
        analyses[entry.id] = analysis.model_dump(mode="json")
        write_json(folder / f"analysis/{entry.id}.json", analyses[entry.id])
    summary = summarise([claim(), paired()], Judged(analyses), scale="embedded", alpha=0.05)
    write_json(folder / "summary.json", summary)
    return folder


def verified(results):
    lines = verify({NAME: json.loads((results / NAME).read_text())}, results, KNOWN)
    assert not any("\n" in line for line in lines)
    return lines


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_claim_is_judged_on_its_files_alone(results):
    analysis = json.loads((results / "analysis/R-1.json").read_text())
    assert (analysis["verdict"], analysis["tier"]) == ("VERIFIED", "at-scope")
    assert analysis["estimate"] == pytest.approx(576 / 8192, rel=1e-12)
    assert analysis["settings"] == SETTINGS
    files = [f"benchmark_data/kv_cache/{arm}.csv" for arm in ("mha", "mla")]
    assert analysis["observations"] == [
        {"file": file, "sha256": sha256(results / file), "rows": 4} for file in files
    ]


def test_what_was_not_touched_verifies(results):
    assert verified(results) == []


def test_a_hand_edited_table_is_named_once(results):
    path = results / "benchmark_data/kv_cache/mla.csv"
    edit(path, "294912.0", "294913.0")
    [line] = verified(results)
    assert line.startswith(f"{path}: changed after the experiment wrote it")


@pytest.mark.parametrize("name", ["mha.csv", "mha.conditions.json"])
def test_a_deleted_observation_file_is_named(results, name):
    path = results / "benchmark_data/kv_cache" / name
    path.unlink()
    [line] = verified(results)
    assert line.startswith(f"{path}: missing")


def test_a_file_that_no_claim_reads_is_told_too(results):
    edit(results / "benchmark_data/kv_cache/mqa.csv", "65536.0", "1.0")
    [line] = verified(results)
    assert line.startswith(f"{results}/benchmark_data/kv_cache/mqa.csv: changed after")


def test_new_observations_that_say_something_else_are_told(results):
    path = results / "benchmark_data/kv_cache/mla.csv"
    edit(path, "294912.0", "147456.0")
    edit(path, "589824.0", "294912.0")
    edit(path.with_suffix(".conditions.json"), sha256_before(results), sha256(path))
    lines = verified(results)
    assert any(line.startswith(f"{results}/analysis/R-1.json: estimate: ") for line in lines)
    assert any("verdict: stored VERIFIED, derived anew" in line for line in lines)


def sha256_before(results):
    found = json.loads((results / "analysis/R-1.json").read_text())["observations"]
    return found[1]["sha256"]


def test_a_tier_that_was_raised_by_hand_is_told(results):
    for arm in ("mla", "mha"):
        edit(results / f"benchmark_data/kv_cache/{arm}.conditions.json", "at-scope", "reduced")
    lines = verified(results)
    assert f"{results}/analysis/R-1.json: tier: stored at-scope, derived anew reduced" in lines


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"VERIFIED"', '"FAILED"', "verdict: stored FAILED, derived anew VERIFIED"),
        ('"estimate": 0.07', '"estimate": 0.06', "estimate: stored 0.06"),
        ('"alpha": 0.05,\n "warm', '"alpha": 0.04,\n "warm', "alpha: stored 0.04"),
    ],
)
def test_a_changed_analysis_is_named_with_what_differs(results, old, new, words):
    path = results / "analysis/R-1.json"
    edit(path, old, new)
    lines = verified(results)
    assert any(line.startswith(f"{path}: {words}") for line in lines)
    assert all(line.startswith(f"{path}: ") for line in lines)


@pytest.mark.parametrize("content", [None, "", '{"claim": "R-1"', "[]", '{"claim": "R-1"}'])
def test_an_analysis_that_cannot_be_read_is_named(results, content):
    path = results / "analysis/R-1.json"
    path.unlink() if content is None else path.write_text(content)
    [line] = verified(results)
    assert line.startswith(f"{path}: ")


def test_a_verdict_changed_in_the_summary_is_told(results):
    summary = json.loads((results / "summary.json").read_text())
    summary["claims"][0]["verdict"] = "PARTIAL"
    [line] = verify({NAME: summary}, results, KNOWN)
    assert line.startswith(f"{results}/analysis/R-1.json: not what summary.json shows of it")


def test_a_verdict_without_an_analysis_is_told(results):
    summary = json.loads((results / "summary.json").read_text())
    summary["claims"][0]["analysis"] = None
    assert any("but no analysis" in line for line in verify({NAME: summary}, results, KNOWN))


def test_a_claim_changed_after_its_verdict_is_told(results):
    summary = json.loads((results / "summary.json").read_text())
    record = summary["claims"][0]["record"]
    record["test"]["region"] = [0.01, 0.02]
    record["claimed"] |= {"low": 0.01, "high": 0.02}
    lines = verify({NAME: summary}, results, KNOWN)
    assert any(line.startswith(f"{results}/analysis/R-1.json: claim_sha256: ") for line in lines)
    assert any("derived anew FAILED" in line for line in lines)


def test_a_record_that_is_no_claim_is_told_in_a_line(results):
    summary = json.loads((results / "summary.json").read_text())
    summary["claims"][0]["record"]["test"]["regoin"] = 1
    [line] = verify({NAME: summary}, results, KNOWN)
    assert line.startswith(f"{results}/analysis/R-1.json: record.test.regoin: unknown key")


def test_verdicts_that_no_summary_shows_are_derived_again(results):
    assert verify({}, results, KNOWN) == []
    paths = [results / f"analysis/{name}.json" for name in KNOWN]
    edit(paths[0], '"VERIFIED"', '"FAILED"')
    reason = json.loads(paths[1].read_text())["reason"]
    edit(paths[1], f'"reason": "{reason}"', '"reason": "OTHER"')
    found = "\n".join(verify({}, results, KNOWN))
    assert f"{paths[0]}: verdict: stored FAILED, derived anew VERIFIED" in found
    assert f"{paths[1]}: reason: stored OTHER, derived anew {reason}" in found
    edit(paths[0], '"region": [', '"regoin": [')
    assert any(
        line.startswith(f"{paths[0]}: record.test.region: required key is missing")
        for line in verify({}, results, KNOWN)
    )


@pytest.mark.parametrize("known", [(), ("R-1",), ("R-2", "R-3")])
def test_the_analysis_of_a_removed_claim_is_an_orphan_and_no_fault(results, known):
    left = [results / f"analysis/{name}.json" for name in KNOWN if name not in known]
    assert orphans({}, results, known) == left
    for path in left:
        edit(path, '"verdict": "', '"verdict": "UN')
    assert verify({}, results, known) == []
    summary = {NAME: json.loads((results / NAME).read_text())}  # of before it was removed
    assert orphans(summary, results, known) == []
    assert verify(summary, results, known) != []


@pytest.mark.parametrize("names", [["own/a.csv"], ["表.csv", "b c.jsonl"], ["x/1", "x/2", "x/3"]])
def test_an_analysis_names_the_tables_that_were_brought(results, names):
    for arm, rows in (("mla", 3), ("mha", 4)):
        path = results / f"benchmark_data/kv_cache/{arm}.conditions.json"
        held = [{"path": n, "format": "csv", "sha256": f"{n} hash", "rows": rows} for n in names]
        path.write_text(json.dumps({**json.loads(path.read_text()), "tables": held}))
    analysis, _ = derive(claim(), results, Settings(**SETTINGS))
    assert analysis.model_dump(mode="json")["tables"] == [
        {"path": name, "sha256": f"{name} hash", "rows": 7} for name in names
    ]


def test_claims_that_were_not_tested_need_no_file(tmp_path):
    record = claim().model_dump(mode="json") | {"test": None, "not_tested": "no machine for it"}
    record |= {"obstacles": ["needs hardware"]}
    untested = Claim.model_validate(record)
    summary = summarise(
        [untested], Judged({}, {"R-1": "no machine for it"}), scale="full", alpha=0.05
    )
    assert verify({NAME: summary}, Path(tmp_path), KNOWN) == []


def test_a_refusal_names_the_table_that_was_brought(tmp_path):
    rows = [
        {"experiment": "own", "arm": arm, "block": f"q{i}", "replicate": 0, "metric": "score",
         "value": 0.5 + i, "unit": "score"} for arm in "ab" for i in range(2)
    ]  # fmt: skip
    tables = [{"path": "own/s.csv", "format": "csv", "sha256": "0" * 64, "rows": 4}]
    conditions = CONDITIONS | {"ran": None, "tier": "published", "registered": {}, "tables": tables}
    observations.write(tmp_path / "benchmark_data/own", pd.DataFrame(rows), conditions)
    sides = {
        side: {"arm": a, "metric": "score"} for side, a in (("treatment", "a"), ("control", "b"))
    }
    judged = paired().model_dump(mode="json") | {
        "unit": "percentage points",
        "claimed": {"at_least": 5},
        "test": {
            "design": "paired_difference", "outcome": "score", "experiment": "own", "sesoi": 0.01,
            "readings": [{"label": "all", **sides}], "region": [0.05, None], "range": [0, 1],
            "prior": {"location": 1, "spread": 1}, "direction": "greater",
        },
    }  # fmt: skip
    with pytest.raises(
        ValueError, match=r"own/a.csv, line 3: score of 'q1' is 1.5, .*own/s\.csv\)"
    ):
        derive(Claim.model_validate(judged), tmp_path, Settings(**SETTINGS))
