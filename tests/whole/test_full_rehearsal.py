"""The full scale rehearsed to its end, and with planted faults, each named where it ends."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kensho.bench.catalogue import EXPERIMENTS
from kensho.files import read_json
from kensho.plan.config import Train
from kensho.run import events

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from planning import copied  # noqa: E402  a module of another folder of tests

pytestmark = pytest.mark.rehearsal
FULL = "config/scales/full.yaml"
LACKING = {name for name, part in EXPERIMENTS.items() if part.judged_on == "rocm"}


def rehearse(folder, *files):
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "--quiet", "all"]
    return subprocess.run(
        [*command, "--configfile", *files, "--", "rehearsal"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3600,
    )  # fmt: skip


def table_of(said):
    """From the heads of its columns on."""
    return said[re.search(r"^rule +ran +failed +s$", said, re.M).start() :]


def test_every_rule_of_the_full_scale_runs_on_twins(tmp_path):
    folder = copied(tmp_path)
    done = rehearse(folder, FULL)
    assert done.returncode == 0, done.stdout[-6000:]
    assert not (folder / "results").exists() and not (folder / "logs").exists()
    table = table_of(done.stdout)
    assert {m[1] for m in re.finditer(r"^(\w+) +needs rocm$", table, re.M)} == LACKING
    assert "the real run" in table and re.search(r"[1-9]\d*\.\d device hours", table)
    past = events.read(folder / "rehearsal" / events.LOG)
    assert {event.event for event in past if event.event in events.OF_JOBS} == {
        "started",
        "finished",
    }
    scale = yaml.safe_load((ROOT / FULL).read_text(encoding="utf-8"))
    arms = {arm["name"] for arm in scale["train"]["arms"]}
    recipes = {recipe.name for recipe in Train().recipes}
    evaluated = {event.wildcards["arm"] for event in past if event.rule == "evaluate"}
    assert evaluated == {"base", *arms, *recipes, *scale["evaluate"]["references"]}
    # of arms that few rows make alike the first alone is trained
    trained = {event.wildcards["arm"] for event in past if event.rule == "train_stage"}
    assert recipes <= trained <= arms | recipes and trained & arms
    results = folder / "rehearsal/results"
    bases = [read_json(path) for path in results.glob("models/*.json")]
    assert bases and {base["weights"] for base in bases} == {"twin"}
    analyses = [read_json(path) for path in results.glob("analysis/*.json")]
    assert analyses and {one["verdict"] for one in analyses} == {"NOT TESTED"}
    assert {one["tier"] for one in analyses} == {"rehearsal"}
    for page in ("validation_report.html", "jlce.html"):
        assert 'content: "REHEARSAL"' in (results / page).read_text(encoding="utf-8")


def test_planted_faults_are_named_and_hold_nothing_up(tmp_path):
    """A batch that no node holds, a gated model, and code that breaks on one architecture."""
    folder = copied(tmp_path)
    models = folder / "config/models.yaml"
    text = models.read_text(encoding="utf-8")
    hub = "  hub: LiquidAI/LFM2-350M\n"
    assert hub in text
    models.write_text(text.replace(hub, hub + "  gated: true\n"), encoding="utf-8")
    module = folder / "workflow/kensho/train/stage.py"
    code = module.read_text(encoding="utf-8")
    line = "    method, name = training.method, training.name\n"
    assert line in code
    broken = '    if "lfm2" in base.base:\n        raise RuntimeError("planted")\n'
    module.write_text(code.replace(line, broken + line), encoding="utf-8")
    stage = {"stage": "sft", "learning_rate": 1e-4}
    adapters = {"name": "lora", "rank": 8, "targets": ["q_proj"]}
    arms = [
        {"name": "lora-r8", "stages": [{**stage, "batch_size": 200_000, "method": adapters}]},
        {"name": "full", "base": "lfm2-350m", "stages": [{**stage, "method": {"name": "full"}}]},
    ]
    overlay = {
        "accelerator": "rocm",
        "licences": ["permissive", "public-domain", "by", "by-sa", "gemma-terms", "model-licence"],
        "train": {"base": "r1-distill-qwen-1.5b", "arms": arms},
        "evaluate": {"references": ["lfm2-350m"]},
        "jlce": {"arms": ["base", "lora-r8"], "tasks": ["nli"]},
        "cluster": {"gpu_model": "mi300x"},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    done = rehearse(folder, "own.yaml")
    assert done.returncode == 1, done.stdout[-6000:]
    table = table_of(done.stdout)
    assert re.search(r"^  train_stage full .*: planted$", table, re.M), table
    assert "lfm2-350m is gated" in table and "lower batch or length" in table
    past = events.of_last_run(events.read(folder / "rehearsal" / events.LOG))
    finished = {event.job for event in past if event.event == "finished"}
    assert any("jlce_arm" in job and "lora-r8" in job for job in finished)
