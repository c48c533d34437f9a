"""The cards of the ROCm variables, and the search for names in libraries."""

import os
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from kensho import observations
from kensho.models import rocm

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "resources" / "rocm_variables.yaml"


def library(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def test_the_cards_are_the_eleven_of_the_claim_and_those_that_conditions_record():
    cards = rocm.load(CARDS)
    claims = yaml.safe_load((ROOT / "config/claims/figures.yaml").read_text())
    statement = next(claim["statement"] for claim in claims if claim["id"] == "F-11")
    assert list(cards) == statement.split(": ")[1].split(", ")
    assert tuple(cards) == observations.ROCM_VARIABLES


def test_only_documented_settings_of_no_debugging_kind_are_recommended():
    assert rocm.recommended(rocm.load(CARDS)) == {
        "HIP_FORCE_DEV_KERNARG": "1",
        "TORCH_BLAS_PREFER_HIPBLASLT": "1",
    }


def test_wrong_cards_are_refused_with_name_and_key(tmp_path):
    entries = yaml.safe_load(CARDS.read_text())
    entries[0]["vaule"] = entries[0].pop("value")
    entries[1]["value"] = 1  # YAML's 1 is a number, an environment variable is text
    entries[5]["value"] = "1"  # nothing reads it
    path = tmp_path / "cards.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(ValueError) as error:
        rocm.load(path)
    said = str(error.value)
    assert "HIP_FORCE_DEV_KERNARG.vaule: unknown key, did you mean 'value'?" in said
    assert "HIP_FORCE_DEV_KERNARG.value: required key is missing" in said
    assert "TORCH_BLAS_PREFER_HIPBLASLT.value: expected text, found 1" in said
    assert "ROCM_FORCE_DEV_KERNARG: value: nothing reads this name" in said


def test_a_name_counts_only_as_a_whole(tmp_path):
    whole = library(tmp_path, "a.so", b"\x7fELF\0HSA_ENABLE_SDMA\0\x01")
    longer = library(tmp_path, "b.so", b"\0HSA_ENABLE_SDMA_GANG\0ROC_HSA_ENABLE_SDMA\0")
    ends = library(tmp_path, "c.so", b"HIP_LAUNCH_BLOCKING\0...\0HSA_ENABLE_SDMA")
    found = rocm.known_to(
        [whole, longer, ends], ["HSA_ENABLE_SDMA", "HIP_LAUNCH_BLOCKING", "HIP_NOTHING"]
    )
    assert found == {
        "HSA_ENABLE_SDMA": [whole, ends],
        "HIP_LAUNCH_BLOCKING": [ends],
        "HIP_NOTHING": [],
    }


@pytest.mark.parametrize("shift", range(24))
def test_a_name_across_two_pieces_is_found(tmp_path, monkeypatch, shift):
    monkeypatch.setattr(rocm, "PIECE", 64)
    start = 64 - shift
    for text, there in ((b"HSA_ENABLE_SDMA", True), (b"HSA_ENABLE_SDMA_GANG", False)):
        path = library(tmp_path, "a.so", b"\0" * start + text + b"\0" * 100)
        assert bool(rocm.known_to([path], ["HSA_ENABLE_SDMA"])["HSA_ENABLE_SDMA"]) is there


def test_the_real_torch_knows_its_own_switches_and_not_those_of_hip():
    libraries = [p for p in rocm.stack_libraries(Path("/nowhere")) if p.name == "libc10.so"]
    names = ["PYTORCH_HIP_ALLOC_CONF", "HIP_FORCE_NON_COHERENT"]
    found = rocm.known_to(libraries, names)
    assert [bool(found[name]) for name in names] == [True, False]


def test_libraries_are_listed_once_whatever_links_to_them(tmp_path):
    (tmp_path / "lib").mkdir()
    real = library(tmp_path / "lib", "libamdhip64.so.6.3", b"x")
    (tmp_path / "lib/libamdhip64.so").symlink_to(real.name)
    (tmp_path / "lib/libgone.so").symlink_to("nowhere")
    assert [p for p in rocm.stack_libraries(tmp_path) if tmp_path in p.parents] == [real]


def test_the_build_of_torch_is_what_its_version_file_says_when_run():
    ran = runpy.run_path(str(Path(find_spec("torch").origin).parent / "version.py"))
    expected = {"version": ran["__version__"], "cuda": ran["cuda"], "hip": ran["hip"]}
    assert rocm.torch_build() == expected


def test_conditions_name_the_variables_that_are_set_and_no_others(monkeypatch):
    for name in observations.ROCM_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert "rocm_variables" not in observations.environment()
    monkeypatch.setitem(os.environ, "HIP_LAUNCH_BLOCKING", "1")
    assert observations.environment()["rocm_variables"] == {"HIP_LAUNCH_BLOCKING": "1"}
