import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from kensho.bench.kv_arms import CACHED
from kensho.claims import registry
from kensho.models import cards

ROOT = Path(__file__).parents[2]
# The files as they are written, counted without the registry.
ENTRIES = [
    entry
    for path in sorted((ROOT / "config/claims").glob("*.yaml"))
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in registry.load(ROOT / "config/claims")}


def test_every_entry_of_every_file_is_registered(claims):
    names = [entry["id"] for entry in ENTRIES]
    assert sorted(claims) == sorted(names) and len(set(names)) == len(names)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    own = sum(entry["source"] == "own" for entry in ENTRIES)
    assert f"catalogue holds {len(names)}, {own} of them our own" in " ".join(readme.split())


def test_a_claim_has_a_test_or_a_reason_of_its_own(claims):
    tested = {entry["id"] for entry in ENTRIES if entry["test"]}
    assert {claim.id for claim in registry.tested(claims.values())} == tested
    reasons = [claim.not_tested for claim in claims.values() if claim.test is None]
    assert len(reasons) == len(ENTRIES) - len(tested)
    assert all(len(reason.split()) >= 6 for reason in reasons)


def test_priority_claims_are_those_that_outlive_a_spent_budget(claims):
    stems = {claim.id.split(".")[0] for claim in claims.values() if claim.priority}
    assert stems == {"R-1", "R-5", "R-7"}


def test_family_counts_stochastic_tests_only(claims):
    sizes = Counter(
        entry["test"].get("family", "main")
        for entry in ENTRIES
        if entry["test"] and entry["test"]["design"] != "deterministic"
    )
    assert len(sizes) > 1
    for family, size in sizes.items():
        assert registry.family_size(claims.values(), family) == size
    assert registry.family_size(claims.values(), "other") == 0


def test_r1_reads_against_every_baseline_and_r5_against_every_adapter(claims):
    layers = [
        reading.denominator.arm
        for reading in claims["R-1"].test.readings
        if reading.denominator.metric == "cache_bytes_per_token_layer"
    ]
    # the cards whose cache is weighed, and the layouts without a card
    assert sorted(layers) == sorted([*CACHED, "mha", "mha-v2", "gqa-8", "mqa"])
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


def test_before_and_after_are_the_same_models_in_all_claims_of_d(claims):
    hubs = yaml.safe_load((ROOT / "config/models.yaml").read_text(encoding="utf-8"))
    compared = [claim for claim in claims.values() if re.match("D-[1-5]", claim.id)]
    [(before, after)] = {tuple(claim.scope.models) for claim in compared}
    order = [hubs[model]["hub"] for model in claims["D-2.order"].test.models]
    assert order == [after, before]
    assert hubs[claims["D-2.win-rate"].test.comparison]["hub"] == after
    later = [claim for claim in claims.values() if re.match("D-[6-8]", claim.id)]
    assert later and all(claim.scope.models[-1] == after for claim in later)


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
