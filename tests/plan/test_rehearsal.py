"""What a rehearsal changes, names and can never give."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conditions_example import CONDITIONS
from kensho import observations
from kensho.claims import registry
from kensho.data.hub import Locked
from kensho.fallback import REHEARSAL
from kensho.models import twins
from kensho.observations import Row, table
from kensho.plan import load, rehearsal
from kensho.plan.inputs import Inputs
from kensho.run import events
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive
from past_run import written
from snakemake.utils import update_config

ROOT = Path(__file__).parents[2]
SIZES = yaml.safe_load((ROOT / rehearsal.SIZES).read_text(encoding="utf-8"))


def raw(scale):
    whole = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    overlay = (ROOT / f"config/scales/{scale}.yaml").read_text(encoding="utf-8")
    update_config(whole, yaml.safe_load(overlay))
    return whole


def run_of(whole):
    return load.load(whole, [], head=None, targets=None, outdated=None)


@pytest.mark.parametrize("scale", ["standard", "one-gpu-24gb", "full"])
def test_arms_models_and_tasks_stay_and_sizes_shrink(scale, monkeypatch):
    whole = raw(scale)
    before = json.dumps(whole)
    small = rehearsal.smallest(whole, SIZES)
    assert json.dumps(whole) == before
    large = run_of(whole)
    assert rehearsal.smallest(small, SIZES) == small
    monkeypatch.setenv(REHEARSAL, "1")
    little = run_of(small)
    assert little.used == large.used and little.config.jlce.tasks == large.config.jlce.tasks
    for name in ("training", "evaluation", "jlce", "vocabulary", "inference"):
        assert little.plan.arms[name] == large.plan.arms[name]
    assert little.plan.experiments.keys() == {
        name for name, job in large.plan.experiments.items() if not job.part.judged_on
    }
    assert len(little.config.train.seeds) == 1
    assert little.scale == f"rehearsal of {large.scale}"
    methods = [stage.method for arm in large.config.train.arms for stage in arm.stages]
    assert [s.method for arm in little.config.train.arms for s in arm.stages] == methods


def test_every_model_is_a_twin_whatever_is_in_packages(monkeypatch):
    monkeypatch.setenv(REHEARSAL, "1")
    run = run_of(rehearsal.smallest(raw("full"), SIZES))
    assert all({*model.files} == {"twin"} for model in run.models.values())
    assert run.needed == [run.config.data.source]
    assert "gguf" not in run.plan.experiments["inference"].inputs
    assert "twin" not in run.plan.experiments["inference"].inputs
    for name in run.used:
        known = run.model(name)["card"] or run.models[name].role in twins.BY_ROLE
        assert known, f"{name} has neither a card nor a role to make a twin of"


def test_its_folder_has_links_to_what_is_read_and_files_are_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(REHEARSAL, "")  # so that what is set is taken back
    for name in rehearsal.LINKED:
        (tmp_path / name).mkdir()
    (tmp_path / rehearsal.SIZES).write_text((ROOT / rehearsal.SIZES).read_text())
    (tmp_path / "mine.yaml").write_text("seed: 7\n")
    whole, files = raw("full"), ["mine.yaml"]
    whole["paths"]["mirror"] = "mirrored"
    folder = Path(rehearsal.begin(whole, files))
    assert rehearsal.begin(whole, files) == str(folder)
    assert (folder / rehearsal.SIZES).is_file() and os.environ[REHEARSAL] == "1"
    assert files == [str(tmp_path / "mine.yaml")]
    assert whole["paths"]["mirror"] == str(tmp_path / "mirrored")
    assert whole["train"]["steps"] == SIZES["train"]["steps"]


def test_what_it_observes_is_of_its_own_tier_and_decides_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(REHEARSAL, "1")
    [claim] = [c for c in registry.load(ROOT / "config/claims") if c.id == "F-6"]
    values = {"original": 15_000.0, "augmented": 45_000.0}
    rows = [
        Row("augmentation", arm, "all", 0, "samples", value, "samples")
        for arm, value in values.items()
    ]
    folder = tmp_path / "results/benchmark_data/augmentation"
    observations.write(folder, table(rows), CONDITIONS)
    assert {observations.read(folder / f"{arm}.csv")[1]["tier"] for arm in values} == {"rehearsal"}
    monkeypatch.delenv(REHEARSAL)  # nor does it elsewhere
    analysis, _ = derive(claim, tmp_path / "results", Settings(family_size=1, alpha=0.05, seed=1))
    assert (analysis.tier, analysis.verdict) == ("rehearsal", "NOT TESTED")
    assert analysis.reason == "REHEARSAL"


def test_no_claim_may_ask_for_it(tmp_path):
    claims = yaml.safe_load((ROOT / "config/claims/domain.yaml").read_text(encoding="utf-8"))
    claims[0]["required_tier"] = "rehearsal"
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(claims))
    with pytest.raises(ValueError, match=r"required_tier: .*no evidence; name another tier"):
        registry.load(tmp_path)


def test_a_model_that_a_real_run_could_not_have_is_named(monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("kensho.data.hub.has_token", lambda: False)
    run = run_of(raw("full"))
    assert not [*rehearsal.faults(run)]
    hub = run.models["llama-2-7b"].hub
    file = {"model.safetensors": {"sha256": "0" * 64, "bytes": 1}}
    held = {"endpoint": "https://huggingface.co", "commit": "0" * 40, "resolved": "2026-01-01"}
    run.lock[hub] = Locked.model_validate({**held, "answered": hub, "gated": True, "files": file})
    [line] = rehearsal.faults(run)
    assert line.startswith("llama-2-7b is gated") and "HF_TOKEN" in line


def test_its_table_has_every_rule_and_every_cause(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    past = events.read()
    text = rehearsal.as_table(past, {"gemm": "rocm"}, ["x is gated"])
    lines = text.splitlines()
    rules = {event.rule for event in past if event.event in events.OF_JOBS}
    assert rules <= {line.split()[0] for line in lines if line}
    last = {event.job: event for event in past if event.event in events.OF_JOBS}
    failed = [event for event in last.values() if event.event == "failed"]
    assert all(any(event.cause in line for line in lines) for event in failed)
    assert any(line.split() == ["gemm", "needs", "rocm"] for line in lines)
    assert lines[-1].strip() == "x is gated"


def test_an_arm_whose_base_a_spent_budget_leaves_out_is_compared_with_nothing():
    run = run_of(raw("full"))
    whole = Inputs(run.config, run.plan, run.models)
    assert (whole.control("full"), whole.control("lora-r8")) == ("open-calm-1b", "base")
    left = replace(run.plan, evaluated=["base", "full", "lora-r8"])
    assert Inputs(run.config, left, run.models).control("full") == "full"


def with_recipe(**stage):
    whole = raw("full")
    adapters = {"name": "lora", "rank": 8, "targets": ["q_proj"]}
    stages = [{"method": adapters, **stage}, {"stage": "merge"}]
    whole["train"]["recipes"] = [{"name": "mine", "stages": stages}]
    return whole


def test_a_step_of_a_rehearsal_holds_whole_groups_of_answers():
    whole = with_recipe(stage="grpo", group=8)
    assert run_of(rehearsal.smallest(whole, SIZES)).config.train.recipes[0].stages[0].group == 2


def test_no_tracker_is_told_of_twins():
    whole = raw("full")
    whole["train"]["trackers"] = ["wandb", "mlflow"]
    assert run_of(whole).config.train.trackers
    assert not run_of(rehearsal.smallest(whole, SIZES)).config.train.trackers


def test_a_stage_is_told_what_it_reads():
    def told(number, stage, **train):
        whole = with_recipe(stage="dpo", rejected="own", batch_size=2)
        whole["train"] |= train
        whole["evaluate"]["batch_size"] = train.get("batch_size", 4)
        run = run_of(whole)
        inputs = Inputs(run.config, run.plan, run.models)
        return inputs.schedule(SimpleNamespace(arm="mine", number=number, stage=stage))

    first = told("1", "dpo", steps=12)
    assert first["batch_size"] == 2 and first["steps"] == 12 and "trackers" not in first
    assert first == told("1", "dpo", steps=12, batch_size=16, trackers=["wandb"])
    assert told("2", "merge") == {}
