import json
import math
from pathlib import Path

import pytest
from kensho.claims import registry
from kensho.claims.model import Claim
from kensho.stats.summary import Judged, summarise

ROOT = Path(__file__).parents[2]
READING = {
    "label": "plain over quick",
    "numerator": {"arm": "plain", "metric": "seconds"},
    "denominator": {"arm": "quick", "metric": "seconds"},
}
GAIN = {
    "text": "16.4 to 23.7 given as +49 %",
    "check": "derived",
    "of": {"figure": "49", "operation": "relative_gain", "parts": ["16.4", "23.7"],
           "unit": "percent"},
}  # fmt: skip


def claim(name, source="A", family="main", audit=(), tested=True):
    test = {
        "design": "paired_log_ratio",
        "experiment": "speed",
        "readings": [READING],
        "region": [1.8, 2.2],
        "direction": "greater",
        "sesoi": 1.05,
        "min_units": 10,
        "family": family,
    }
    return Claim.model_validate(
        {
            "id": name,
            "source": source,
            "statement": "twice as fast",
            "quantity": "seconds, plain / quick",
            "unit": "ratio",
            "claimed": {"value": 2},
            "scope": {"models": ["any"]},
            "audit": list(audit),
            "test": test if tested else None,
            "not_tested": None if tested else "needs eight accelerators",
            "obstacles": [] if tested else ["needs hardware"],
        }
    )


def analysis(p_value, verdict="VERIFIED", family="main"):
    return {
        "verdict": verdict,
        "reason": "HOLDS",
        "sentence": "It holds.",
        "p_value": p_value,
        "family": family,
    }


def summary(claims, analyses, untested=None):
    return summarise(claims, Judged(analyses, untested or {}), scale="embedded", alpha=0.05)


def holm_of(found):
    return {e["id"]: e["analysis"]["p_holm"] for e in found["claims"] if e["analysis"]}


def test_holm_runs_over_each_family_where_no_p_value_counts_as_one():
    p_values = {"X-1": 0.01, "X-2": 0.04, "X-3": 0.03, "X-4": None}
    claims = [claim(name) for name in p_values] + [claim("X-5", family="other")]
    analyses = {name: analysis(p) for name, p in p_values.items()}
    found = holm_of(summary(claims, analyses | {"X-5": analysis(0.04, family="other")}))
    # by hand: 4 * 0.01, then 3 * 0.03, then the larger of 0.09 and 2 * 0.04
    assert found == pytest.approx({"X-1": 0.04, "X-2": 0.09, "X-3": 0.09, "X-4": None, "X-5": 0.04})


def test_holm_never_passes_one_nor_falls_below_its_p_value():
    p_values = [0.9, 0.5, 1e-300, 0.2]
    names = [f"X-{i}" for i in range(4)]
    found = holm_of(summary(map_claims(names), dict(zip(names, map(analysis, p_values)))))
    assert all(p <= found[name] <= 1 for name, p in zip(names, p_values))


def map_claims(names):
    return [claim(name) for name in names]


def test_a_p_value_that_is_no_number_does_not_shrink_the_family():
    with pytest.raises(ValueError, match="finite"):
        summary(map_claims(["X-1", "X-2"]), {"X-1": analysis(math.nan), "X-2": analysis(0.01)})


def test_claims_stand_by_source_and_keep_their_order_within():
    claims = [claim("Z-9", "D"), claim("M-2", "A"), claim("B-1", "C"), claim("A-7", "A")]
    found = summary(claims, {c.id: analysis(0.1) for c in claims})
    assert [entry["id"] for entry in found["claims"]] == ["M-2", "A-7", "B-1", "Z-9"]


def test_what_was_not_tested_stands_there_with_its_reason():
    claims = [claim("X-1"), claim("X-2", tested=False), claim("X-3")]
    reasons = {"X-2": "needs eight accelerators", "X-3": "the configuration has no arm quick"}
    found = summary(claims, {"X-1": analysis(0.1, "PARTIAL")}, reasons)
    assert found["verdict_counts"] == {"PARTIAL": 1, "NOT TESTED": 2}
    for entry in found["claims"][1:]:
        assert (entry["verdict"], entry["sentence"]) == ("NOT TESTED", reasons[entry["id"]])
        assert entry["analysis"] is None
    assert found["claims"][1]["region"] is None
    assert found["claims"][2]["region"] == [1.8, 2.2]


def test_the_kinds_of_a_reason_stand_beside_it_and_beside_no_verdict():
    claims = [claim("X-1"), claim("X-2", tested=False)]
    known = Judged(
        {"X-1": analysis(0.1)}, {"X-2": "no"}, kinds={"X-1": ["a"], "X-2": ["needs hardware"]}
    )
    found = summarise(claims, known, scale="embedded", alpha=0.05)
    assert [entry["kinds"] for entry in found["claims"]] == [[], ["needs hardware"]]


def test_a_claim_without_verdict_and_without_reason_is_an_error():
    with pytest.raises(KeyError, match="X-1"):
        summary([claim("X-1")], {})


def test_family_counts_registered_tests_also_those_without_observations():
    claims = [claim("X-1"), claim("X-2"), claim("X-3", family="other"), claim("X-4", tested=False)]
    reasons = dict.fromkeys(["X-2", "X-3", "X-4"], "no observations here")
    found = summary(claims, {"X-1": analysis(0.1)}, reasons)
    assert found["family"] == {"main": 2, "other": 1}


@pytest.mark.parametrize("shown", [["X-1"], ["X-1", "X-3"], ["X-3"]])
def test_a_summary_of_some_claims_counts_the_families_of_all(shown):
    claims = [claim("X-1"), claim("X-2"), claim("X-3", family="other"), claim("X-4")]
    some = [c for c in claims if c.id in shown]
    analyses = {c.id: analysis(0.01, family=c.test.family) for c in some}
    found = summarise(some, Judged(analyses), scale="embedded", alpha=0.05, registry=claims)
    assert [entry["id"] for entry in found["claims"]] == shown
    sizes = {"main": 3, "other": 1}
    assert found["family"] == {c.test.family: sizes[c.test.family] for c in some}
    for entry in found["claims"]:
        assert entry["analysis"]["p_holm"] == pytest.approx(
            0.01 * sizes[entry["analysis"]["family"]]
        )


def test_impossible_figures_are_counted_and_stand_with_their_claim():
    right = GAIN | {"of": GAIN["of"] | {"figure": "45"}, "text": "16.4 to 23.7 given as +45 %"}
    claims = [claim("X-1", audit=[GAIN, right]), claim("X-2", audit=[right]), claim("X-3")]
    found = summary(claims, {c.id: analysis(0.1) for c in claims})
    assert found["impossible_figures"] == 1
    first, second, third = (entry["audit"] for entry in found["claims"])
    assert [row["word"] for row in first] == ["IMPOSSIBLE", "CONSISTENT"]
    assert "43.8 to 45.3" in first[0]["sentence"]
    assert (len(second), third) == (1, [])


def test_no_figures_at_all_are_no_finding():
    assert summary([claim("X-1")], {"X-1": analysis(0.1)})["impossible_figures"] == 0


def test_analyses_are_left_as_they_were():
    analyses = {"X-1": analysis(0.1)}
    summary([claim("X-1")], analyses)
    assert "p_holm" not in analyses["X-1"]


def test_the_whole_registry_untested_is_a_summary_that_json_can_hold():
    claims = registry.load(ROOT / "config/claims")
    found = summary(claims, {}, {c.id: c.not_tested or "not run" for c in claims})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["claims"]) == len(claims)
    assert found["verdict_counts"] == {"NOT TESTED": len(claims)}
    words = {e["id"]: [a["word"] for a in e["audit"]] for e in found["claims"]}
    assert {name for name, told in words.items() if "IMPOSSIBLE" in told} == {"D-1", "D-2", "F-12"}
    for entry in found["claims"]:
        assert Claim.model_validate(entry["record"]).digest() == entry["record_sha256"]


def test_a_stale_verdict_is_none_and_says_what_it_was_and_what_renews_it():
    claims = [claim(name) for name in ("R-1", "R-2", "R-3")]
    analyses = {c.id: analysis(p) for c, p in zip(claims, (0.001, 0.02, 0.04))}
    analyses["R-1"] = {**analyses["R-1"], "verdict": "VERIFIED", "record": {"unit": "seconds"}}
    judged = Judged(
        {**analyses},
        stale={"R-2": "speed: blocks: 10 -> 12"},
        commands={"R-2": "renew it", "R-3": "not shown"},
    )
    found = summarise(claims, judged, scale="embedded", alpha=0.05)
    first, second, _ = found["claims"]
    assert found["verdict_counts"] == {"STALE": 2, "VERIFIED": 1}
    assert first["verdict"] == second["verdict"] == "STALE" and first["analysis"] is None
    assert first["sentence"].startswith("was VERIFIED; the claim has changed since: ")
    assert second["sentence"].endswith("; speed: blocks: 10 -> 12")
    assert [entry["command"] for entry in found["claims"]] == [None, "renew it", None]
    assert holm_of(found) == {"R-3": pytest.approx(3 * 0.04)}
