import json
import math

import numpy as np
import pandas as pd
import pytest
from kensho.claims.model import Claim
from kensho.stats import bayesian
from kensho.stats.analysis import Settings
from kensho.stats.compare import compare
from kensho.stats.judge import judge

OPTIONS = {"family_size": 1, "alpha": 0.05, "seed": 7}


def side(arm, metric="seconds", block=None):
    return {"arm": arm, "metric": metric, "block": block}


def reading(numerator, denominator, label="plain over quick"):
    return {"label": label, "numerator": numerator, "denominator": denominator}


def claim(test=None, required_tier="at-scope", claimed=None):
    base = {
        "design": "paired_log_ratio",
        "experiment": "speed",
        "readings": [reading(side("plain"), side("quick"))],
        "region": [1.8, 2.2],
        "direction": "greater",
        "sesoi": 1.05,
        "min_units": 10,
        "family": "main",
    }
    return Claim.model_validate(
        {
            "id": "R-8",
            "source": "A",
            "statement": "quick mode is twice as fast",
            "quantity": "wall time, plain / quick",
            "unit": "ratio",
            "claimed": claimed or {"value": 2.0},
            "scope": {"models": ["any"]},
            "required_tier": required_tier,
            "test": base | (test or {}),
            "not_tested": None,
        }
    )


def rows(arm, values, metric="seconds", experiment="speed"):
    """One row for each (block, replicate, value)."""
    frame = pd.DataFrame(values, columns=["block", "replicate", "value"])
    return frame.assign(experiment=experiment, arm=arm, metric=metric, unit="s")


def speed(ratio=2.0, blocks=12, sd=0.01, seed=0):
    """Plain and quick seconds: three replicates for each block and one warm-up."""
    rng = np.random.default_rng(seed)
    tables = {}
    for arm, factor in (("plain", ratio), ("quick", 1.0)):
        values = [
            (f"b{block:02d}", replicate, factor * (1 + block) * math.exp(rng.normal(0, sd)))
            for block in range(blocks)
            for replicate in range(3)
        ]
        values += [(f"b{block:02d}", -1, 100.0) for block in range(blocks)]
        tables[arm] = rows(arm, values)
    return tables


def conditions(tables, tier="at-scope", **more):
    return {arm: {"tier": tier, **more} for arm in tables}


def judged(record, tables, tier="at-scope", **options):
    judgement, idata = judge(
        record, tables, conditions(tables, tier), Settings(**OPTIONS | options)
    )
    return judgement.model_dump(mode="json"), idata


@pytest.fixture(scope="module")
def verified():
    return judged(claim(), speed())


def test_a_true_claim_is_verified_and_the_analysis_is_complete(verified):
    analysis, idata = verified
    assert (analysis["verdict"], analysis["reason"]) == ("VERIFIED", "HOLDS")
    assert analysis["estimate"] == pytest.approx(2.0, rel=0.01)
    assert (analysis["n_units"], analysis["warmup_rows"]) == (12, 24)
    assert analysis["interval_family"] == analysis["interval"]  # a family of one
    assert analysis["schools_agree"] is True
    assert analysis["posterior"]["p_region"] > 0.975
    assert {row["verdict"] for row in analysis["posterior"]["prior_sensitivity"]} == {"VERIFIED"}
    assert analysis["claim_sha256"] == claim().digest()
    assert json.loads(json.dumps(analysis, allow_nan=False)) == analysis
    assert idata.observed_data["y"].size == 12


def test_block_ratios_are_ratios_of_geometric_means_without_warm_up(verified):
    tables = speed()
    kept = {arm: t[(t.replicate >= 0) & (t.block == "b03")].value for arm, t in tables.items()}
    expected = np.exp(np.log(kept["plain"]).mean() - np.log(kept["quick"]).mean())
    found = {row["block"]: row["value"] for row in verified[0]["blocks"]}
    assert found["b03"] == pytest.approx(expected, rel=1e-12)


def test_shuffled_rows_give_the_identical_analysis(verified):
    shuffled = {arm: t.sample(frac=1, random_state=3) for arm, t in speed().items()}
    assert judged(claim(), shuffled)[0] == verified[0]


def test_runs_that_depend_on_the_run_before_have_no_verdict():
    rng, level, levels = np.random.default_rng(0), 0.0, []
    for _ in range(40):
        level = 0.9 * level + rng.normal(0, 0.01)
        levels.append(math.exp(level))
    tables = speed(blocks=40, sd=0.001)
    tables["plain"]["value"] *= tables["plain"]["block"].str[1:].astype(int).map(levels.__getitem__)
    found = judged(claim(), tables)[0]
    assert found["diagnostics"]["autocorrelated"] is True
    assert (found["verdict"], found["reason"]) == ("INCONCLUSIVE", "GATE")
    items = judged(claim({"levels": ["sentence"]}), tables)[0]  # a sample has no order
    assert "autocorrelated" not in items["diagnostics"] and items["reason"] != "GATE"


def test_swapped_arms_give_the_inverse_ratio(verified):
    test = {
        "readings": [reading(side("quick"), side("plain"))],
        "region": [1 / 2.2, 1 / 1.8],
        "direction": "less",
    }
    swapped = judged(claim(test, claimed={"value": 0.5}), speed())[0]
    assert swapped["verdict"] == "VERIFIED"
    assert swapped["estimate"] == pytest.approx(1 / verified[0]["estimate"], rel=1e-12)
    assert swapped["interval"] == pytest.approx([1 / x for x in verified[0]["interval"][::-1]])


def test_false_and_undecided_claims():
    assert judged(claim(), speed(1.0))[0]["verdict"] == "FAILED"
    assert judged(claim(), speed(1.4))[0]["reason"] == "MAGNITUDE"
    noisy = judged(claim(), speed(1.8, sd=0.2))[0]
    assert (noisy["verdict"], noisy["reason"]) == ("PARTIAL", "UNDECIDED")
    assert noisy["power"]["n_required"] > 12
    assert f"{noisy['power']['n_required']} units" in noisy["sentence"]


def test_the_family_widens_the_deciding_interval():
    found = judged(claim(), speed(), family_size=12)[0]
    assert found["interval_family"][0] < found["interval"][0]
    assert found["p_bonferroni"] == pytest.approx(min(1, 12 * found["p_value"]))
    assert "99.58 % interval" in found["sentence"]


def test_the_weakest_tier_of_the_arms_counts():
    tables = speed()
    mixed = conditions(tables, "at-scope") | {"quick": {"tier": "reduced", "fallbacks": ["cpu"]}}
    found = judge(claim(), tables, mixed, Settings(**OPTIONS))[0].model_dump(mode="json")
    assert (found["verdict"], found["reason"], found["tier"]) == ("PARTIAL", "TIER", "reduced")
    assert found["deviations"] == ["cpu"]


def test_an_unknown_tier_is_named():
    with pytest.raises(ValueError, match=r"speed/plain.conditions.json: tier is 'great'"):
        judged(claim(), speed(), tier="great")


def test_too_few_units_and_constants_have_no_verdict():
    few = judged(claim(), speed(blocks=3))[0]
    assert (few["verdict"], few["reason"]) == ("INCONCLUSIVE", "UNITS")
    constant = judged(claim(), speed(sd=0.0))
    assert (constant[0]["verdict"], constant[0]["reason"]) == ("NOT TESTED", "CONSTANT")
    assert "12 units and one ratio between plain and quick in all" in constant[0]["sentence"]
    assert constant[0]["p_value"] is None and constant[1] is None
    one = judged(claim(), speed(blocks=1))[0]
    assert (one["reason"], one["interval"]) == ("UNITS", None)


def test_a_failed_gate_leaves_no_verdict(monkeypatch):
    monkeypatch.setattr(bayesian, "sampler_state", lambda *given: {"converged": False})
    found = judged(claim(), speed())[0]
    assert (found["verdict"], found["reason"]) == ("INCONCLUSIVE", "GATE")


CACHE = {
    "design": "deterministic",
    "experiment": "cache",
    "region": [0.05, 0.13],
    "direction": "less",
    "sesoi": 1.0,
    "min_units": 1,
}


def cache(**bytes_per_arm):
    return {
        arm: rows(arm, [(b, r, n * k) for k, b in enumerate(("s", "t"), 1) for r in range(3)],
                  "bytes", "cache")
        for arm, n in bytes_per_arm.items()
    }  # fmt: skip


def against(*arms):
    return [reading(side("mla", "bytes"), side(arm, "bytes"), arm) for arm in arms]


@pytest.mark.parametrize(
    ("baselines", "verdict", "reason"),
    [
        ({"a": 11520.0, "b": 5000.0}, "VERIFIED", "HOLDS"),  # 576 / 11520 is exactly 0.05
        ({"a": 11521.0}, "PARTIAL", "MAGNITUDE"),
        ({"mha": 32768.0, "gqa": 5000.0}, "PARTIAL", "READINGS"),
        ({"mha": 32768.0}, "FAILED", "EXCLUDED"),
    ],
)
def test_exact_path(baselines, verdict, reason):
    record = claim(CACHE | {"readings": against(*baselines)}, claimed={"low": 0.05, "high": 0.13})
    found, idata = judged(record, cache(mla=576.0, **baselines))
    assert (found["verdict"], found["reason"]) == (verdict, reason)
    assert idata is None and found["p_value"] is None and found["interval"] is None
    for row in found["readings"]:
        assert row["low"] == row["high"] == row["value"] == 576 / baselines[row["label"]]
    assert found["n_units"] == 2
    json.dumps(found, allow_nan=False)


def test_replicates_that_differ_show_as_a_range():
    tables = cache(mla=576.0, a=5000.0)
    tables["mla"].loc[0, "value"] = 600.0
    record = claim(CACHE | {"readings": against("a")}, claimed={"low": 0.05, "high": 0.13})
    row = judged(record, tables)[0]["readings"][0]
    assert (row["low"], row["high"]) == (576 / 5000, 600 / 5000)


def test_named_blocks_meet_each_other():
    record = claim(
        CACHE | {"readings": [reading(side("mla", "bytes", "s"), side("mla", "bytes", "t"))]}
        | {"region": [0.4, 0.6]},
        claimed={"value": 0.5},
    )  # fmt: skip
    assert judged(record, cache(mla=576.0))[0]["estimate"] == 0.5


def test_a_claim_without_a_test_is_not_tested():
    record = claim().model_dump() | {"test": None, "not_tested": "needs a 6.7B model"}
    record |= {"obstacles": ["needs model"]}
    judgement, _ = judge(Claim.model_validate(record), {}, {}, Settings(**OPTIONS))
    found = judgement.model_dump(mode="json")
    assert (found["verdict"], found["sentence"]) == ("NOT TESTED", "needs a 6.7B model")


def broken(arm="quick", **changes):
    tables = speed()
    for column, value in changes.items():
        tables[arm].loc[4, column] = value
    return tables


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"plain": speed()["plain"]}, ["R-8", "'quick'", "'speed'"]),
        (
            {**speed(), "quick": speed()["quick"].assign(metric="joules")},
            ["speed/quick.csv", "'seconds'"],
        ),
        ({**speed(), "quick": speed(blocks=11)["quick"]}, ["'b11'", "plain/seconds"]),
        (broken(value=math.nan), ["speed/quick.csv", "'seconds'", "'b01'", "nan"]),
        (broken(value=math.inf), ["speed/quick.csv", "'b01'", "inf"]),
        (broken(value=0.0), ["speed/quick.csv", "'b01'", "0.0"]),
        (broken(arm="plain", value=-1.0), ["speed/plain.csv", "'b01'", "-1.0"]),
        (broken(replicate=0), ["speed/quick.csv", "'b01'", "twice"]),
    ],
)
def test_broken_tables_are_named_in_one_line(tables, words):
    with pytest.raises(ValueError, match=r"(re)?run the experiment") as error:
        judged(claim(), tables)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_compare_tells_what_differs_beyond_monte_carlo_error(verified):
    stored = json.loads(json.dumps(verified[0]))
    assert compare(stored, verified[0]) == []
    near = json.loads(json.dumps(stored))
    near["posterior"]["p_region"] -= 0.005
    near["posterior"]["eti"][0] *= 1.0001
    near["observations"] = [{"file": "elsewhere.csv"}]
    assert compare(near, verified[0]) == []
    for key, value in (("verdict", "FAILED"), ("reason", "UNITS"), ("claim_sha256", "0")):
        lines = compare(stored | {key: value}, verified[0])
        assert [line.split(", ")[0] for line in lines] == [f"{key}: stored {value}"]
    assert compare(stored | {"estimate": stored["estimate"] * (1 + 1e-6)}, verified[0])
    stored["posterior"]["p_region"] = 0.5
    stored["blocks"][3]["value"] *= 1.001
    fields = [line.split(":")[0] for line in compare(stored, verified[0])]
    assert fields == ["posterior.p_region", "blocks.value"]


SECOND = reading(side("plain", "joules"), side("quick", "joules"), "energy")


def test_a_reading_beside_the_first_that_was_not_observed_is_told_and_decides_nothing():
    tables, why = speed(), "no meter of energy"
    known = conditions(tables, absent={"joules": why})
    both = claim({"readings": [reading(side("plain"), side("quick")), SECOND]})
    settings = Settings(**OPTIONS)
    found, _ = judge(both, tables, known, settings)
    alone, _ = judge(claim(), tables, known, settings)
    assert (found.verdict, found.estimate) == (alone.verdict, alone.estimate)
    assert [one.label for one in found.readings] == ["plain over quick"]
    assert f"energy was not observed: {why}" in found.deviations


@pytest.mark.parametrize(
    "test",
    [
        {"readings": [SECOND, reading(side("plain"), side("quick"))]},  # the first one decides
        {"design": "peak_memory", "readings": [reading(side("plain"), side("quick")), SECOND]},
    ],
)
def test_a_reading_that_the_verdict_rests_on_must_have_been_observed(test):
    tables = speed()
    found, _ = judge(
        claim(test), tables, conditions(tables, absent={"joules": "no meter"}), Settings(**OPTIONS)
    )
    assert (found.verdict, found.sentence) == ("NOT TESTED", "no meter")


def test_a_score_of_nought_has_no_ratio_and_a_time_of_nought_is_a_fault():
    tables = speed()
    first = tables["plain"].index[0]
    tables["plain"].loc[first, "value"] = 0.0
    with pytest.raises(ValueError, match="is not a positive finite number"):
        judge(claim(), tables, conditions(tables), Settings(**OPTIONS))
    scores = {arm: table.assign(unit="points") for arm, table in tables.items()}
    found, _ = judge(claim(), scores, conditions(scores), Settings(**OPTIONS))
    assert (found.verdict, found.reason) == ("NOT TESTED", "UNDEFINED")
    assert "a score of arm 'plain' is 0" in found.sentence
    warm_up = {arm: table.assign(unit="points") for arm, table in speed().items()}
    warm_up["plain"].loc[warm_up["plain"]["replicate"] < 0, "value"] = 0.0
    found, _ = judge(claim(), warm_up, conditions(warm_up), Settings(**OPTIONS))
    assert found.verdict == "VERIFIED"
