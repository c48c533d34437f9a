from pathlib import Path

import pytest
from kensho.models import hardware

PATH = Path(__file__).parents[2] / "resources/hardware.yaml"


@pytest.fixture(scope="module")
def known():
    return hardware.load(PATH)


@pytest.mark.parametrize(
    ("device", "units", "name"),
    [
        ("AMD Instinct MI300X", 304, "mi300x"),
        ("AMD Instinct MI300X VF", 304, "mi300x"),
        ("AMD Instinct MI250X", 110, "mi250x"),
        ("NVIDIA H100 80GB HBM3", 132, "h100-sxm"),
        ("NVIDIA H200", 132, "h200-sxm"),
        ("NVIDIA A100-SXM4-80GB", 108, "a100-80g-sxm"),
    ],
)
def test_devices_are_found_by_what_they_report(known, device, units, name):
    assert hardware.find(known.values(), device, units) is known[name]


@pytest.mark.parametrize(
    ("device", "units"),
    [
        ("NVIDIA H100 PCIe", 114),
        ("AMD Instinct MI300X", 38),  # one eighth of the module, as a device of its own
        ("NVIDIA H200 MIG 1g.18gb", 16),
        ("NVIDIA H200 NVL", 132),
        ("", 0),
    ],
)
def test_other_devices_and_partitions_have_no_card(known, device, units):
    assert hardware.find(known.values(), device, units) is None


def test_a_die_of_two_has_half_the_peak(known):
    assert known["mi250x"].peak_tflops("bfloat16") == 383 / 2
    assert known["mi300x"].peak_tflops("float8") == 2614.9
    assert known["a100-80g-sxm"].peak_tflops("float8") is None


def test_16_bit_peaks_follow_from_units_and_clock(known):
    """Units x operations per unit and clock x boost clock, from the vendors' white papers."""
    for name, per_clock, hertz in [
        ("mi300x", 2048, 2.1e9),
        ("mi250x", 1024, 1.7e9),
        ("h100-sxm", 4096, 1.83e9),
        ("a100-80g-sxm", 2048, 1.41e9),
    ]:
        expected = known[name].compute_units * per_clock * hertz / 1e12
        assert known[name].peak_tflops("bfloat16") == pytest.approx(expected, rel=0.001), name


def test_faulty_cards_are_refused_all_at_once(tmp_path):
    path = tmp_path / "hardware.yaml"
    path.write_text(
        PATH.read_text()
        .replace("memory_bytes: 192000000000", "memory_byte: 192000000000")
        .replace(" float16: 383.0", " flaot16: 383.0")
        .replace("compute_units: 108", "compute_units: 0")
        .replace("name: h200-sxm", "name: h100-sxm")
    )
    with pytest.raises(ValueError, match="did you mean") as caught:
        hardware.load(path)
    assert sorted(str(caught.value).splitlines()) == [
        f"{path}: a100-80g-sxm.compute_units: should be greater than or equal to 1, found 0",
        f"{path}: h100-sxm.name: used twice",
        f"{path}: mi250x.matrix_tflops.flaot16: unknown key, did you mean 'float16'?",
        f"{path}: mi250x.matrix_tflops.float16: required key is missing",
        f"{path}: mi300x.memory_byte: unknown key, did you mean 'memory_bytes'?",
        f"{path}: mi300x.memory_bytes: required key is missing",
    ]
