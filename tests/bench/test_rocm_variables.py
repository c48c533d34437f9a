"""F-11 on small files that stand for a ROCm stack's libraries."""

from pathlib import Path

import pytest
from conditions_example import tier
from kensho.bench.rocm_variables import conditions, observe
from kensho.claims import registry
from kensho.models.rocm import COMPONENTS
from kensho.stats.units import paired

CLAIM = next(
    c for c in registry.load(Path(__file__).parents[2] / "config/claims") if c.id == "F-11"
)


@pytest.fixture
def stack(tmp_path):
    """One file for each component; two of three names stand in them."""
    for stem in COMPONENTS.values():
        (tmp_path / f"{stem}.so.6").write_bytes(b"\0HIP_A\0")
    (tmp_path / "libMIOpen.so.6").write_bytes(b"\0HIP_A\0HIP_B\0HIP_CC\0")
    return sorted(tmp_path.iterdir())


def test_known_names_are_counted_and_the_claim_can_read_them(stack):
    table = observe(["HIP_A", "HIP_B", "HIP_C"], stack)
    counted = table.set_index(["block", "metric"])["value"]
    assert counted["HIP_A", "libraries_naming_it"] == 5
    assert counted["HIP_B", "libraries_naming_it"] == 1
    assert counted["HIP_C", "libraries_naming_it"] == 0
    ratio = paired(CLAIM.test.readings[0], {"stack": table}, "rocm_variables", positive=True)
    assert [*ratio["over"], *ratio["under"]] == [[2.0], [3.0]]


def test_a_stack_without_a_component_is_refused_since_its_names_would_seem_unknown(stack):
    without = [path for path in stack if "hipblaslt" not in path.name]
    with pytest.raises(ValueError, match=r"no libhipblaslt.so \(hipBLASLt\) among 4 libraries"):
        observe(["HIP_A"], without)


def test_the_version_of_rocm_is_in_the_conditions(tmp_path, stack):
    (tmp_path / ".info").mkdir()
    (tmp_path / ".info/version").write_text("6.4.1-83\n")
    said = conditions(tmp_path, stack)
    assert said["own"]["rocm"] == "6.4.1-83"
    assert (tier(said), said["own"]["libraries"]) == ("at-scope", 5)
