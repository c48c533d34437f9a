"""F-9 on devices that are told as values: what a card lets be counted, and what copies settle."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conditions_example import CONDITIONS
from kensho.bench import device
from kensho.bench.device import Device
from kensho.claims import registry
from kensho.models import hardware
from kensho.observations import read, write
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge

ROOT = Path(__file__).parents[2]
KNOWN = hardware.load(ROOT / "resources/hardware.yaml")
CLAIMS = {claim.id: claim for claim in registry.load(ROOT / "config/claims")}
WHOLE = Device("AMD Instinct MI300X", 192 * 2**30, 304)
PART = Device("AMD Instinct MI300X", 24 * 2**30, 38)  # an eighth of it
OTHER = Device("NVIDIA H200", 141 * 10**9, 132)


def card(one):
    return hardware.find(KNOWN.values(), one.name, one.compute_units)


def judged(claim, one, folder, copy=4.1e12, peer=90e9, peers=0):
    """A claim's judgement on what an experiment of this device would write."""
    results = [
        {
            **{"arm": "copies", "block": block, "position": 0},
            "copy_bytes_per_second": copy * noise,
            **{f"peer_bytes_per_second.{n}": peer * noise for n in range(1, peers + 1)},
        }
        for block in range(10)
        for noise in [1 + block * 7 % 10 / 1000]
    ]
    known = {"hardware": {**CONDITIONS["hardware"], "accelerators": [one.name] * (1 + peers)}}
    known["software"] = CONDITIONS["software"]
    for table, conditions in (
        device.counted(one, card(one)),
        device.timed(one, card(one), results, {"blocks": 10}),
    ):
        write(folder, table, {**conditions, **known})
    arms = {arm: read(folder / f"{arm}.csv") for arm in ("device", "copies")}
    settings = Settings(family_size=2, alpha=0.05, seed=1)
    tables, conditions = ({arm: pair[n] for arm, pair in arms.items()} for n in (0, 1))
    return judge(CLAIMS[claim], tables, conditions, settings)[0]


def test_matrix_cores_are_units_times_those_of_the_card(tmp_path):
    answer = judged("F-9.cores", WHOLE, tmp_path)
    assert (answer.verdict, answer.tier) == ("VERIFIED", "at-scope")
    assert answer.estimate == WHOLE.compute_units * KNOWN["mi300x"].matrix_cores_per_unit


@pytest.mark.parametrize("one", [PART, OTHER, Device("unheard of", 1, 1)])
def test_a_device_whose_card_does_not_tell_has_no_matrix_cores(one, tmp_path):
    table, conditions = device.counted(one, card(one))
    assert "matrix_cores" not in set(table["metric"])
    assert conditions["device"]["compute_units"] == one.compute_units
    answer = judged("F-9.cores", one, tmp_path)
    assert answer.verdict == "NOT TESTED" and "no card says" in answer.sentence


@pytest.mark.parametrize(
    ("one", "memory", "verdict", "tier"),
    [
        (WHOLE, 192 * 2**30 - 300_000_000, "VERIFIED", "at-scope"),  # what firmware keeps
        (WHOLE, 128 * 2**30, "FAILED", "at-scope"),
        (PART, 24 * 2**30, "INCONCLUSIVE", "reference"),
        (OTHER, 141 * 10**9, "INCONCLUSIVE", "reference"),
    ],
)
def test_memory_is_read_in_gib_and_of_a_whole_device(one, memory, verdict, tier, tmp_path):
    answer = judged("F-9.memory", one._replace(memory_bytes=memory), tmp_path)
    assert (answer.verdict, answer.tier) == (verdict, tier)
    assert [reading.value for reading in answer.readings] == pytest.approx([memory / 2**30])


@pytest.mark.parametrize(
    ("copy", "verdict"), [(1e12, "INCONCLUSIVE"), (4.1e12, "INCONCLUSIVE"), (5.2e12, "PARTIAL")]
)
def test_no_copy_settles_a_peak(copy, verdict, tmp_path):
    answer = judged("F-9.bandwidth", WHOLE, tmp_path, copy=copy)
    assert (answer.verdict, answer.tier) == (verdict, "reduced")
    assert answer.tier_reason == device.STAND_IN
    assert answer.estimate == pytest.approx(copy / 1e12, rel=0.01)


def test_links_are_summed_where_each_leads_to_a_peer(tmp_path):
    answer = judged("F-9.links", WHOLE, tmp_path, peers=KNOWN["mi300x"].links.count)
    assert (answer.verdict, answer.tier) == ("INCONCLUSIVE", "reduced")
    assert answer.estimate == pytest.approx(90 * KNOWN["mi300x"].links.count, rel=0.01)


@pytest.mark.parametrize(("one", "peers"), [(WHOLE, 0), (WHOLE, 3), (OTHER, 7), (PART, 7)])
def test_other_sums_say_why_there_are_none(one, peers, tmp_path):
    answer = judged("F-9.links", one, tmp_path, peers=peers)
    assert answer.verdict == "NOT TESTED"
    assert f"reaches {peers} peers" in answer.sentence and "--set-resources" in answer.sentence


def test_by_hand_it_measures_the_accelerator_or_says_that_there_is_none(tmp_path):
    settings = ["--set", "blocks=1", "--set", "copied_bytes=1048576"]
    done = subprocess.run(
        [sys.executable, "-m", "kensho.bench", "device", *settings, "--output", tmp_path / "made"],
        cwd=ROOT,
        env={"PYTHONPATH": "workflow", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    if not torch.cuda.is_available():
        assert done.returncode == 1 and done.stderr.strip() == device.NOT_HERE
        return
    assert done.returncode == 0, done.stderr
    table = read(tmp_path / "made/copies.csv")[0]
    rates = table[table["metric"].str.contains("per_second")]
    assert (rates["value"] > 1e9).all() and len(rates) >= torch.cuda.device_count()
