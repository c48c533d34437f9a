"""The full scale rehearsed to its end, and with planted faults, each named where it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kensho.bench.catalogue import EXPERIMENTS
from kensho.files import read_json
from kensho.judging.items import OF_D1
from kensho.plan.config import Train
from kensho.run import events

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests" / name) for name in ("judging", "workflow")]
from planning import copied  # noqa: E402  modules of other folders of tests
from scripted_judge import able, serving  # noqa: E402

pytestmark = pytest.mark.rehearsal
FULL = "config/scales/full.yaml"
LACKING = {name for name, part in EXPERIMENTS.items() if part.judged_on == "rocm"}


def rehearse(folder, *files):
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "--quiet", "all"]
    return subprocess.run(
        [*command, "--configfile", *files, "--", "rehearsal"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3600,
    )  # fmt: skip


@pytest.fixture
def judged(tmp_path):
    """An overlay with a judge that can judge, and a sentence of each of D-1's sets."""
    sets = tmp_path / "sets"
    sets.mkdir()
    for name in OF_D1:
        sample = {"input": "It rains.", "output": "雨が降る。"}
        held = {"instruction": "訳しなさい。", "samples": [sample]}
        (sets / f"{name}.json").write_text(json.dumps(held), encoding="utf-8")
    with serving(able) as server:
        judges = [{"name": "able", "url": server.url, "model": "able"}]
        overlay = {"judging": {"judges": judges, "llm_jp_eval": str(sets)}}
        path = tmp_path / "judged.yaml"
        path.write_text(yaml.safe_dump(overlay), encoding="utf-8")
        yield str(path)


def scored(results, path):
    """An overlay with a score of each translation of D-1's sets, as COMET's are brought."""
    lines = ["arm,block,answer_sha256,score"]
    for file in sorted((results / "judging").glob("*/answers.jsonl")):
        for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            if row["block"].split("/")[0] in OF_D1:
                lines.append(f"{file.parent.name},{row['block']},{row['answer_sha256']},0.5")
    path.with_suffix(".csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    overlay = {"judging": {"comet": str(path.with_suffix(".csv"))}}
    path.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return str(path)


def table_of(said):
    """From the heads of its columns on."""
    return said[re.search(r"^rule +ran +failed +s$", said, re.M).start() :]


def test_every_rule_of_the_full_scale_runs_on_twins(tmp_path_factory, tmp_path, judged):
    folder = copied(tmp_path_factory.mktemp("full"))
    done = rehearse(folder, FULL, judged)
    assert done.returncode == 0, done.stdout[-6000:]
    comet = scored(folder / "rehearsal/results", tmp_path / "comet.yaml")
    again = rehearse(folder, FULL, judged, comet)
    assert again.returncode == 0, again.stdout[-6000:]
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
    # C-2 to C-4 and D rest on what a judge or COMET says of texts
    observed = {
        (file.parent.name, metric)
        for file in results.glob("benchmark_data/*/*.csv")
        for metric in pd.read_csv(file)["metric"]
    }
    assert {
        ("translation", "comet_mt"),
        ("translation_preference", "preference.first"),
        ("translation_preference", "win_rate"),
        ("domain_scores", "score"),
    } <= observed
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
