import copy

import pytest
from kensho.claims.model import Claim, Tier
from kensho.validation import problems
from pydantic import ValidationError

READING = {
    "label": "full / LoRA",
    "numerator": {"arm": "full", "metric": "peak_memory_bytes"},
    "denominator": {"arm": "lora", "metric": "peak_memory_bytes"},
}
RECORD = {
    "id": "X-1",
    "source": "A",
    "statement": "LoRA needs 2x less memory",
    "quantity": "peak memory, full / LoRA",
    "unit": "ratio",
    "claimed": {"value": 2},
    "scope": {"models": [], "hardware": "any"},
    "test": {
        "design": "paired_log_ratio",
        "experiment": "adaptation",
        "readings": [READING],
        "region": [1.8, 2.2],
        "direction": "greater",
        "sesoi": 1.05,
        "min_units": 3,
    },
    "not_tested": None,
}


def changed(**changes):
    """RECORD with dotted keys replaced."""
    record = copy.deepcopy(RECORD)
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        place = record
        for parent in parents:
            place = place[parent]
        place[last] = value
    return record


def lines(record):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(record)
    return problems(caught.value, "x.yaml", Claim, under="X-1")


def test_record_is_accepted_with_its_defaults():
    claim = Claim.model_validate(RECORD)
    assert claim.required_tier == Tier.AT_SCOPE
    assert claim.test.family == "main"
    assert claim.test.readings[0].numerator.block is None


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"test__regoin": 1}, "x.yaml: X-1.test.regoin: unknown key, did you mean 'region'?"),
        (
            {"scope__hardwear": "x"},
            "x.yaml: X-1.scope.hardwear: unknown key, did you mean 'hardware'?",
        ),
        (
            {"claimed": {"value": "2x"}},
            "x.yaml: X-1.claimed.value: expected a number, found the text '2x'",
        ),
        ({"priority": "yes"}, "x.yaml: X-1.priority: expected true or false, found the text 'yes'"),
        (
            {"test__min_units": 2.5},
            "x.yaml: X-1.test.min_units: expected a whole number, found 2.5",
        ),
        ({"scope": "any"}, "x.yaml: X-1.scope: expected a mapping, found the text 'any'"),
        ({"test__readings": []}, "x.yaml: X-1.test.readings: expected at least 1 items"),
        (
            {"test__sesoi": 0.5},
            "x.yaml: X-1.test: sesoi must be above 1 (a factor) for paired_log_ratio",
        ),
        ({"test__region": [2.2, 1.8]}, "x.yaml: X-1.test: region: low 2.2 is not below high 1.8"),
        (
            {"test__min_units": 1},
            "x.yaml: X-1.test.min_units: should be greater than or equal to 2, found 1",
        ),
        (
            {"test__direction": "more"},
            "x.yaml: X-1.test.direction: expected 'less' or 'greater', found the text 'more'",
        ),
        (
            {"test__readings": [READING, READING]},
            "x.yaml: X-1.test: two readings have the same label",
        ),
        (
            {"claimed": {"low": 3, "high": 2}},
            "x.yaml: X-1.claimed: low 3 is not below high 2",
        ),
        (
            {"claimed": {"value": 2, "at_least": 1}},
            "x.yaml: X-1.claimed: give one of: value; low and high; at_least; at_most",
        ),
        (
            {"not_tested": "no time"},
            "x.yaml: X-1: one of test and not_tested is needed; leave the other null",
        ),
        (
            {"test": None, "not_tested": "no time"},
            "x.yaml: X-1: not_tested has no kind; add obstacles, one or more of: closed model, "
            "unpublished data, unknown conditions, opinion, bookkeeping, needs hardware, needs "
            "judge, needs model, needs data",
        ),
        (
            {"test": None, "not_tested": "no time", "obstacles": ["other settings"]},
            "x.yaml: X-1: obstacles: 'other settings' is no claim's own; take another",
        ),
        (
            {"obstacles": ["needs model"]},
            "x.yaml: X-1: obstacles go with not_tested or test.external; leave them out",
        ),
        (
            {"recipe": "make it"},
            "x.yaml: X-1: recipe goes with test.external and obstacles; leave it out",
        ),
        (
            {"test": None},
            "x.yaml: X-1: one of test and not_tested is needed; leave the other null",
        ),
    ],
)
def test_each_fault_gets_its_line(changes, line):
    assert lines(changed(**changes)) == [line]


def test_unknown_tier_and_design_name_the_known_ones():
    found = lines(changed(required_tier="at-scop", test__design="paired"))
    assert len(found) == 2
    assert "'at-scope', 'reference'" in found[0]
    assert "found the text 'at-scop'" in found[0]
    assert "test: design: expected 'deterministic', 'paired_log_ratio'" in found[1]


def test_an_unknown_key_inside_a_list_is_measured_against_its_own_record():
    reading = {**READING, "numerator": {**READING["numerator"], "blok": "a"}}
    place = "X-1.test.readings.0.numerator.blok"
    assert lines(changed(test__readings=[reading])) == [
        f"x.yaml: {place}: unknown key, did you mean 'block'?"
    ]


def test_missing_key_is_named():
    record = changed()
    del record["statement"]
    assert lines(record) == ["x.yaml: X-1.statement: required key is missing"]


@pytest.mark.parametrize(
    ("unit", "claimed", "region", "mend"),
    [
        ("ratio", {"value": 2}, [1.8, 2.2], None),
        ("ratio", {"value": 2.3}, [1.8, 2.2], "ends on both sides of it"),
        ("ratio", {"low": 1.5, "high": 2}, [1.8, 2.2], "[1.5, 2]"),
        ("ratio", {"at_least": 1.8}, [1.8, None], None),
        ("ratio", {"at_least": 1.9}, [1.8, None], "[1.9, null]"),
        ("gain", {"at_most": 0.25}, [1.0, 1.25], None),
        ("gain", {"at_most": 0.5}, [1.0, 1.25], "[null, 1.5]"),
        ("percent gain", {"value": 78}, [1.6, 1.96], None),
        ("percent gain", {"value": 78}, [70, 86], "ends on both sides of it"),
        ("percent less", {"at_most": 20}, [None, 1.8], "[0.8, null]"),
    ],
)
def test_region_must_hold_the_claimed_set(unit, claimed, region, mend):
    record = changed(unit=unit, claimed=claimed, test__region=region, test__direction=None)
    if mend is None:
        assert Claim.model_validate(record).test.region == region
    else:
        (line,) = lines(record)
        assert "does not hold the claimed set" in line and line.endswith(f"put {mend}")


@pytest.mark.parametrize("name", ["主張-1", "1-OWN", "OWN 1", "own/1", "OWN_1"])
def test_an_id_names_files(name):
    (line,) = lines(changed(id=name))
    assert "id: expected a letter from A to Z" in line and line.endswith(f"found '{name}'")


def test_region_must_lie_on_the_side_of_the_direction():
    record = changed(claimed={"value": 0.5}, test__region=[0.4, 0.6])
    assert lines(record) == ["x.yaml: X-1.test: region lies below 1 but the direction is 'greater'"]
    record = changed(test__direction="less")
    assert lines(record) == ["x.yaml: X-1.test: region lies above 1 but the direction is 'less'"]


def test_digest_follows_the_content_and_not_the_order_of_keys():
    claim = Claim.model_validate(RECORD)
    reordered = Claim.model_validate(dict(reversed(RECORD.items())))
    assert claim.digest() == reordered.digest()
    assert claim.digest() != Claim.model_validate(changed(test__region=[1.8, 2.3])).digest()


def test_tiers_are_ranked_strongest_first():
    assert [
        Tier.rank(t) for t in ("at-scope", "reference", "published", "reduced", "analytic")
    ] == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert Tier.REDUCED.rank() == Tier.rank("reduced")
    with pytest.raises(ValueError, match="near-scope"):
        Tier.rank("near-scope")
