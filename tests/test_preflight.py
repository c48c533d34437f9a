"""Preflight: each check on real small things."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kensho.data.sources import Source
from kensho.files import write_json
from kensho.models import rocm
from kensho.run import preflight

ROOT = Path(__file__).parents[1]
TEXT = b"text"
CPU_BUILD = {"version": "2.13.0+cpu", "cuda": None, "hip": None}


def states(findings):
    return [finding.state for finding in findings]


def program(folder, name, output):
    """A program on a PATH of its own that prints the output."""
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n")
    path.chmod(0o755)


@pytest.fixture
def bare_path(tmp_path, monkeypatch):
    """A PATH with cat alone; returns its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to(shutil.which("cat"))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_needs_on_one_file_system_are_added_up(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    share = free * 6 // 10
    one = preflight.disk({tmp_path / "results/deep": share})
    both = preflight.disk({tmp_path / "results": share, tmp_path / "cache": share})
    assert states(one) == ["ok"]
    assert states(both) == ["problem"] and "free " in both[0].mend
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("below", ["", "libraries", "libraries/pytensor/compiled"])
def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path, below):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o555)
    code = (
        "from pathlib import Path; from kensho.run.preflight import disk; "
        f"[f] = disk({{Path({str(cache / below)!r}): 1}}); print(f.state, f.seen, f.mend, sep='|')"
    )
    command = [sys.executable, "-c", code]
    if os.geteuid() == 0:  # to whom nothing is closed
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv can write everywhere")
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8")
    state, seen, mend = done.stdout.strip().split("|")
    assert (state, seen) == ("problem", f"{cache} is not writable") and "KENSHO_CACHE" in mend


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_needs_on_two_file_systems_are_kept_apart(tmp_path):
    if os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system here")
    too_much = shutil.disk_usage("/dev/shm").free + 10**9
    found = preflight.disk({tmp_path / "results": 1, Path("/dev/shm/kensho"): too_much})
    assert states(found) == ["ok", "problem"]
    assert found[1].mend.startswith("free 1.0 GB")


def test_what_is_there_already_is_not_asked_for_again(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_bytes(b"x" * 700)
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    assert preflight.still_to_come(tmp_path, 1000) == 300
    assert preflight.still_to_come(tmp_path, 500) == 0
    assert preflight.still_to_come(tmp_path / "absent", 500) == 500


def test_memory_is_that_of_the_control_group_where_it_is_smaller(tmp_path):
    limit = tmp_path / "memory.max"
    limit.write_text("max\n")
    total = psutil.virtual_memory().total
    assert preflight.memory(1000, limit).state == "ok"
    assert preflight.memory(total + 1, limit).state == "problem"
    limit.write_text("100000\n")
    assert preflight.memory(100_001, limit).state == "problem"
    assert preflight.memory(99_999, limit).state == "ok"


def test_no_accelerator_is_fine_and_an_unused_one_is_named(tmp_path, bare_path):
    kfd = tmp_path / "kfd"
    assert states(preflight.accelerator("none", None, kfd)) == ["ok"]
    kfd.touch()
    (found,) = preflight.accelerator("none", None, kfd)
    assert (found.state, found.mend) == ("note", "set accelerator: rocm to use it")
    program(bare_path, "nvidia-smi", "GPU 0: NVIDIA H200")
    assert preflight.accelerator("none", None, kfd)[0].mend == "set accelerator: cuda to use it"


def test_cuda_needs_a_gpu_and_a_torch_built_for_it(tmp_path, bare_path):
    missing = preflight.accelerator("cuda", CPU_BUILD)
    assert states(missing) == ["problem", "problem"]
    assert "torch 2.13.0+cpu is not built for cuda" in missing[1].seen
    assert missing[1].mend == "install torch 2.13.0 for it: make .venv/installed TORCH=cuda"
    program(bare_path, "nvidia-smi", "GPU 0: NVIDIA H200")
    (found,) = preflight.accelerator("cuda", CPU_BUILD | {"cuda": "13.0"})
    assert (found.state, "GPU 0: NVIDIA H200" in found.seen) == ("ok", True)


def test_rocm_needs_driver_rocminfo_and_torch(tmp_path, bare_path):
    kfd, build = tmp_path / "kfd", CPU_BUILD | {"hip": "6.4"}
    said = [preflight.accelerator("rocm", build, kfd)[0].seen]
    kfd.touch()
    said.append(preflight.accelerator("rocm", build, kfd)[0].seen)
    program(bare_path, "rocminfo", "Agent 1\n  Name:   AMD EPYC 9654\n  Marketing Name: AMD EPYC")
    said.append(preflight.accelerator("rocm", build, kfd)[0].seen)
    assert said == [f"{kfd} is missing", "rocminfo is missing or fails", "rocminfo shows no GPU"]
    program(bare_path, "rocminfo", "  Name:  AMD EPYC\n  Name:  gfx942\n  Name:  gfx942")
    (found,) = preflight.accelerator("rocm", build, kfd)
    assert (found.state, found.seen) == ("ok", "rocm: 2 x gfx942, torch 2.13.0+cpu")


def test_a_cluster_asks_for_a_torch_built_for_its_accelerators():
    assert preflight.torch("none", CPU_BUILD) == []
    assert preflight.torch("rocm", CPU_BUILD | {"hip": "6.4"}) == []
    assert states(preflight.torch("rocm", CPU_BUILD)) == ["problem"]
    assert states(preflight.torch("rocm", CPU_BUILD, ["cuda"])) == ["problem"]
    assert states(preflight.torch("rocm", CPU_BUILD, ["cuda", "none"])) == ["note"]
    assert "not installed" in preflight.torch("cuda", None, ["none"])[0].seen


def test_what_is_missing_is_a_note_where_a_declared_fallback_is_there(tmp_path, bare_path):
    kfd = tmp_path / "kfd"
    found = preflight.accelerator("rocm", CPU_BUILD, kfd, ["cuda", "none"])
    assert states(found) == ["note", "note"]
    assert found[0].mend.startswith("jobs fall back to none, at a lower tier; else load")
    assert states(preflight.accelerator("rocm", CPU_BUILD, kfd, ["cuda"])) == ["problem"] * 2
    program(bare_path, "nvidia-smi", "GPU 0: NVIDIA H200")
    found = preflight.accelerator("rocm", CPU_BUILD | {"cuda": "13.0"}, kfd, ["cuda", "none"])
    assert states(found) == ["note", "note"] and "fall back to cuda" in found[0].mend


def test_variables_that_differ_from_the_recommended_values_are_notes():
    cards = rocm.load(ROOT / "resources/rocm_variables.yaml")
    given = {"HIP_FORCE_DEV_KERNARG": "1", "HIP_LAUNCH_BLOCKING": "1", "HOME": "/"}
    found = preflight.variables(cards, given)
    assert states(found) == ["ok", "note"]
    assert found[0].seen == "HIP_FORCE_DEV_KERNARG=1, HIP_LAUNCH_BLOCKING=1"
    assert found[1].seen.startswith("HIP_LAUNCH_BLOCKING=1; recommended: unset")
    assert preflight.variables(cards, {})[0].seen == "none set"


def source(content=TEXT, **more):
    record = {
        "kind": "dataset",
        "file": "a.tsv",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "CC BY-NC 4.0",
        "licence_class": "nc",
        "revision": "1",
        "places": [{"mirror": "a.tsv"}],
    }
    return Source.model_validate(record | more)


def test_a_licence_that_is_not_accepted_is_a_problem_only_where_it_is_needed():
    entries = {"a": source(), "b": source(licence_class="by")}
    assert states(preflight.licences(entries, ["by", "nc"], ["a"])) == ["ok"]
    assert states(preflight.licences(entries, ["by"], [])) == ["ok", "note"]
    found = preflight.licences(entries, ["by"], ["a"])
    assert states(found) == ["ok", "problem"]
    assert found[1].mend == "add nc to licences if you accept it"


def test_a_source_is_fetched_or_cached_or_reachable_or_out_of_reach(tmp_path):
    cache, folder, entries = tmp_path / "cache", tmp_path / "sources", {"a": source()}

    def look(mirror=None, needed=("a",)):
        return preflight.sources(entries, needed, folder=folder, cache=cache, mirror=mirror)

    assert states(look()) == ["ok", "problem"]
    assert states(look(needed=())) == ["ok", "note"]
    assert look()[0].seen == "1 out of reach"
    assert "paths.mirror" in look()[1].mend
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/a.tsv").write_bytes(TEXT)
    assert [f.seen for f in look(tmp_path / "mirror")] == ["1 to be fetched"]
    cache.mkdir()
    stored = cache / entries["a"].sha256
    stored.write_bytes(TEXT)
    assert [f.seen for f in look()] == ["1 cached"]
    stored.write_bytes(TEXT[::-1])  # right size, wrong hash
    assert "is not what a should be" in look()[1].seen
    record = entries["a"].model_dump(exclude={"places"}) | {"path": str(folder / "a/a.tsv")}
    write_json(folder / "a/record.json", record)
    assert states(look()) == ["ok", "problem"]  # the record alone is not the file
    (folder / "a/a.tsv").write_bytes(TEXT)
    assert [f.seen for f in look()] == ["1 fetched"]


def test_missing_packages_say_what_they_cost():
    optional = {"yaml": ("PyYAML", "nothing"), "no_such_module": ("no-such", "the arm x")}
    found = preflight.packages(optional)
    assert found[0].seen == "1 of 2 optional packages installed"
    assert (found[1].seen, found[1].mend) == (
        "no-such is missing: left out: the arm x",
        "pip install no-such",
    )


def test_where_there_is_no_memory_plan_that_is_said_with_its_mend():
    assert preflight.memory_plan([], "") == []
    problem, note = preflight.memory_plan(["train_stage x: needs"], "gpu_model: null")
    assert states([problem, note]) == ["problem", "note"]
    assert "one accelerator (gpu_model: null)" in note.seen and "cluster.gpu_model" in note.mend
