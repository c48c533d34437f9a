from pathlib import Path

import pytest
import yaml
from kensho.claims import registry
from kensho.models import cards

ROOT = Path(__file__).parents[2]
CATALOGUE = """
R-1 R-1.speed R-1.transmla R-2.speed R-2.score R-3.flops R-3.speed R-3.score R-4
R-5.parameters R-5.memory R-5.memory-planned R-5.retention R-6
R-7.paper R-7.readme R-7.fugashi R-7.sudachipy
R-8.quick R-8.analysis R-8.projected-high R-8.projected-low
F-1 F-2 F-3 F-3.llama-2 F-4.eda F-4.backtranslation F-4.bert F-4.combined
F-5.unigram F-5.mecab F-6
F-7.standard F-7.complex F-8.downstream F-8.perplexity
F-9.memory F-9.bandwidth F-9.links F-9.cores F-10 F-11 F-12 JLCE
C-1 C-2.swallow C-2.elyza C-3.llama C-3.qwen C-4.score C-4.latency C-4.size
D-1 D-2 D-3 D-4 D-5
I-1 I-2 I-3 I-4.int8 I-4.nf4 I-4.q4-k-m
"""
TESTED = {
    "R-1",
    "R-1.speed",
    "R-1.transmla",
    "R-3.flops",
    "R-3.speed",
    "R-4",
    "R-5.parameters",
    "R-5.memory",
    "R-5.memory-planned",
    "R-5.retention",
    "R-7.paper",
    "R-7.readme",
    "R-7.fugashi",
    "R-7.sudachipy",
    "R-8.quick",
    "R-8.analysis",
    "F-4.combined",
    "F-6",
    "F-11",
    "R-2.speed",
    "F-3",
    "F-3.llama-2",
    "F-8.perplexity",
    "F-1",
    "F-2",
    "C-4.size",
    "I-1",
    "I-2",
    "I-3",
    "I-4.int8",
    "I-4.nf4",
    "I-4.q4-k-m",
    "R-6",
}


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in registry.load(ROOT / "config/claims")}


def test_every_entry_of_the_catalogue_is_registered(claims):
    assert sorted(claims) == sorted(CATALOGUE.split())


def test_a_claim_has_a_test_or_a_reason_of_its_own(claims):
    assert {claim.id for claim in registry.tested(claims.values())} == TESTED
    reasons = [claim.not_tested for claim in claims.values() if claim.test is None]
    assert all(len(reason.split()) >= 6 for reason in reasons)


def test_priority_claims_are_those_that_outlive_a_spent_budget(claims):
    stems = {claim.id.split(".")[0] for claim in claims.values() if claim.priority}
    assert stems == {"R-1", "R-5", "R-7"}


def test_family_counts_stochastic_tests_only(claims):
    tests = [claim.test for claim in claims.values() if claim.test]
    computed = [test for test in tests if test.design == "deterministic"]
    families = {test.family for test in tests}
    sizes = {name: registry.family_size(claims.values(), name) for name in families}
    assert sizes == {"main": 15, "figures": 2, "inference": 6}
    assert sum(sizes.values()) == len(tests) - len(computed)
    assert registry.family_size(claims.values(), "other") == 0


def test_r1_reads_against_every_baseline_and_r5_against_every_adapter(claims):
    layers = [
        reading.denominator.arm
        for reading in claims["R-1"].test.readings
        if reading.denominator.metric == "cache_bytes_per_token_layer"
    ]
    assert len(layers) == len(set(layers)) == 11
    assert all(r.numerator.arm == "mla" for r in claims["R-1"].test.readings)
    assert all(r.numerator.metric == r.denominator.metric for r in claims["R-1"].test.readings)
    adapters = {r.denominator.arm for r in claims["R-5.parameters"].test.readings}
    assert adapters == {
        f"lora-r{rank}-{modules}"
        for rank in (4, 8, 16, 32, 64)
        for modules in ("qv", "qkvo", "all-linear")
    }


def test_models_that_readings_name_have_cards(claims):
    known = set(cards.load(ROOT / "resources/architectures.yaml"))
    arms = {r.denominator.arm for r in claims["R-1"].test.readings}
    assert arms - {"mha", "mha-v2", "gqa-8", "mqa"} <= known
    sides = [
        side
        for r in claims["R-5.parameters"].test.readings
        for side in (r.numerator, r.denominator)
    ]
    assert {side.block for side in sides} <= known


def write(folder, name, entries):
    (folder / name).write_text(yaml.safe_dump(entries), encoding="utf-8")


def test_all_problems_of_all_files_come_at_once(tmp_path, claims):
    good = claims["F-6"].model_dump(mode="json")
    write(tmp_path, "a.yaml", [good, {**good, "id": "X-1", "statment": "typo"}])
    write(tmp_path, "b.yaml", [good, {"id": "X-2"}, "a sentence"])
    write(tmp_path, "c.yaml", {"id": "X-3"})
    (tmp_path / "d.yaml").write_text("- id: X-4\n  unit: [ratio\n", encoding="utf-8")
    (tmp_path / "e.yaml").write_text("- id: X-5\n  unit: a\n  unit: b\n", encoding="utf-8")
    with pytest.raises(registry.ClaimError) as caught:
        registry.load(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines == caught.value.lines
    assert f"{tmp_path}/a.yaml: X-1.statment: unknown key, did you mean 'statement'?" in lines
    assert f"{tmp_path}/b.yaml: F-6.id: already used in {tmp_path}/a.yaml" in lines
    assert f"{tmp_path}/b.yaml: X-2.quantity: required key is missing" in lines
    assert f"{tmp_path}/b.yaml: entry 3: expected a mapping, found the text 'a sentence'" in lines
    assert any(line.startswith(f"{tmp_path}/c.yaml: expected a list") for line in lines)
    assert any(line.startswith(f"{tmp_path}/d.yaml:3: ") for line in lines)
    assert f"{tmp_path}/e.yaml:3: key 'unit' is given twice" in lines


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(registry.ClaimError, match="holds no claim"):
        registry.load(tmp_path)
