import copy
from pathlib import Path

import pytest
import yaml
from kensho.claims import registration
from kensho.claims.model import Claim
from kensho.run.digest import reachable

RECORD = {
    "id": "R-8.quick",
    "source": "A",
    "statement": "Quick mode is 2x faster",
    "quantity": "wall time, plain / quick",
    "unit": "ratio",
    "claimed": {"value": 2},
    "scope": {"models": [], "hardware": "any"},
    "test": {
        "design": "paired_log_ratio",
        "experiment": "quick_mode",
        "readings": [
            {
                "label": "wall time",
                "numerator": {"arm": "plain", "metric": "wall_seconds"},
                "denominator": {"arm": "quick", "metric": "wall_seconds"},
            }
        ],
        "region": [1.8, 2.2],
        "direction": "greater",
        "sesoi": 1.05,
        "min_units": 10,
    },
    "not_tested": None,
}


def claim(*changes):
    """The claim with (dotted place, new value) changes."""
    record = copy.deepcopy(RECORD)
    for place, value in changes:
        *above, last = place.split(".")
        at = record
        for key in above:
            at = at[int(key) if key.isdigit() else key]
        at[last] = value
    return Claim.model_validate(record)


def conditions(*stored, tier="reduced"):
    """Conditions of as many arms, each with the record stored for the claim, or none."""
    return {
        f"arm{number}": {"tier": tier, "registered": {} if one is None else {one.id: dump(one)}}
        for number, one in enumerate(stored)
    }


def dump(one):
    return one.model_dump(mode="json")


def status(word, *diff):
    return {"status": word, "diff": list(diff), "family_then": None}


def test_only_the_claims_of_the_experiment_are_registered(tmp_path):
    elsewhere = dump(claim(("id", "R-9"), ("test.experiment", "kv_cache")))
    untested = {**dump(claim(("id", "R-10"))), "test": None, "not_tested": "no such machine here"}
    untested |= {"obstacles": ["needs hardware"]}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump([RECORD, elsewhere, untested]))
    assert registration.registered(tmp_path, "quick_mode") == {
        "R-8.quick": dump(claim()) | {"family_size": 2}  # with R-9
    }
    assert registration.registered(tmp_path, "evaluation") == {}


def test_a_faulty_registry_stops_the_experiment_by_name(tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump([{**RECORD, "regoin": 1}]))
    with pytest.raises(ValueError, match=r"a\.yaml: R-8\.quick\.regoin: unknown key"):
        registration.registered(tmp_path, "quick_mode")


def test_an_unchanged_claim_is_as_registered():
    found = registration.status(claim(), conditions(claim(), claim()))
    assert found == status("as registered")


def test_a_family_that_shrank_after_the_data_is_told():
    stored = {"R-8.quick": dump(claim()) | {"family_size": 12}}
    found = registration.status(claim(), {"quick": {"registered": stored}}, family_size=2)
    assert found == status("changed after the data", "family_size: 12 -> 2")


@pytest.mark.parametrize(("then", "now"), [(1, 2), (1, 12), (4, 5)])
def test_claims_that_join_a_family_change_none_that_was_there(then, now):
    stored = {"quick": {"registered": {"R-8.quick": dump(claim()) | {"family_size": then}}}}
    found = registration.status(claim(), stored, family_size=now)
    assert found == {"status": "as registered", "diff": [], "family_then": then}
    changed = registration.status(claim(("test.sesoi", 1.1)), stored, family_size=now)
    assert changed["status"] == "changed after the data"
    assert changed["diff"] == ["test.sesoi: 1.05 -> 1.1"]


def test_an_exact_ratio_is_no_part_of_a_family_that_shrank():
    exact = claim(("test.design", "deterministic"), ("test.sesoi", 1.0))
    stored = {"quick": {"registered": {exact.id: dump(exact) | {"family_size": 12}}}}
    assert registration.status(exact, stored, family_size=2) == status("as registered")


def test_the_smallest_family_of_all_arms_is_told():
    stored = {
        arm: {"registered": {"R-8.quick": dump(claim()) | {"family_size": size}}}
        for arm, size in (("quick", 3), ("plain", 2), ("other", 5))
    }
    assert registration.status(claim(), stored, family_size=5)["family_then"] == 2


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ("test.region", [1.5, 2.5], "test.region: [1.8, 2.2] -> [1.5, 2.5]"),
        ("test.sesoi", 1.1, "test.sesoi: 1.05 -> 1.1"),
        ("scope.models", ["x/y"], 'scope.models: [] -> ["x/y"]'),
        ("required_tier", "reduced", 'required_tier: "at-scope" -> "reduced"'),
        ("claimed.value", 1.9, "claimed.value: 2.0 -> 1.9"),
        (
            "test.readings.0.denominator.arm",
            "quick-2",
            'test.readings[0].denominator.arm: "quick" -> "quick-2"',
        ),
    ],
)
def test_a_changed_key_marks_the_claim_and_is_shown(place, value, line):
    found = registration.status(claim((place, value)), conditions(claim()))
    assert found == status("changed after the data", line)


def test_what_decides_nothing_may_change():
    now = claim(("remarks", ["a remark"]), ("priority", True))
    assert registration.status(now, conditions(claim()))["status"] == "as registered"


def test_one_arm_with_another_registration_is_enough():
    older = claim(("test.min_units", 20))
    found = registration.status(claim(), conditions(claim(), older))
    assert found == status("changed after the data", "test.min_units: 20 -> 10")


def test_a_reading_added_later_is_absent_before():
    second = {**RECORD["test"]["readings"][0], "label": "again"}
    now = claim(("test.readings", [RECORD["test"]["readings"][0], second]))
    diff = registration.status(now, conditions(claim()))["diff"]
    assert 'test.readings[1].label: absent -> "again"' in diff


@pytest.mark.parametrize("stored", [(None,), (claim(), None)])
def test_a_claim_that_an_arm_does_not_know_came_after_the_data(stored):
    found = registration.status(claim(), conditions(*stored))
    assert found == status("registered after the data")


def test_observations_of_an_older_version_hold_no_registration():
    found = registration.status(claim(), {"plain": {"tier": "reduced"}})
    assert found["status"] == "registered after the data"


def test_published_data_were_there_before_the_claim():
    status = registration.status
    assert status(claim(), conditions(claim(), tier="published"))["status"] == (
        "registered after the data"
    )
    changed = status(claim(("test.sesoi", 1.2)), conditions(claim(), tier="published"))
    assert changed["status"] == "changed after the data"


def test_a_key_that_came_with_a_later_version_is_no_change():
    stored = conditions(claim())
    del stored["arm0"]["registered"]["R-8.quick"]["test"]["family"]
    assert registration.status(claim(), stored)["status"] == "as registered"


def test_a_record_that_is_no_longer_valid_is_still_compared():
    stored = conditions(claim())
    stored["arm0"]["registered"]["R-8.quick"]["test"]["power"] = 0.8
    diff = registration.status(claim(), stored)["diff"]
    assert diff == ["test.power: 0.8 -> absent"]


def test_the_first_training_fixes_the_registration():
    old, new = dump(claim(("test.min_units", 20))), dump(claim())
    assert registration.oldest([], {"a": new}) == {"a": new}
    assert registration.oldest([{"a": new}, {"a": old}], {"a": new}) == {"a": old}
    assert registration.oldest([{"a": new}, {}], {"a": new}) == {}


SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
OBSERVING = sorted(
    path
    for path in SCRIPTS.rglob("*.py")
    if "observations import" in path.read_text() and "results/benchmark_data" in path.read_text()
)


@pytest.mark.parametrize("path", OBSERVING, ids=lambda path: path.stem)
def test_every_script_that_observes_stores_the_registration(path):
    assert '"registered": ' in path.read_text()


@pytest.mark.parametrize("path", OBSERVING, ids=lambda path: path.stem)
def test_a_change_of_the_registry_measures_nothing_again(path):
    brought = path.stem == "import_tables"  # reads what claims say of tables
    assert brought or not [file for file in reachable(path) if file.parent.name == "claims"]
