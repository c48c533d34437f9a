"""The full scale rehearsed on the cluster: its jobs ask for the accelerators of the real ones."""

import pytest
import yaml
from kensho.bench.catalogue import EXPERIMENTS
from kensho.run import events

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(7200)]


def test_the_full_scale_goes_through_the_queue_on_twins(project):
    scale = ("--configfile", "config/scales/full.yaml", "--", "rehearsal")
    head = project.start("--jobs", "4", *scale)  # the fake node says that it has more memory
    head.succeeds(7000)
    for name, part in EXPERIMENTS.items():
        assert not part.judged_on or f"{name} " in head.said
    assert "needs rocm" in head.said and "the real run" in head.said
    past = events.read(project.folder / "rehearsal" / events.LOG)
    finished = [event for event in past if event.event == "finished"]
    on_devices = {"train_stage", "evaluate", "jlce_arm", "vocabulary"}
    for event in finished:
        if event.rule in on_devices:
            assert event.scheduler and event.held.devices == 1
            assert any("rocm -> none" in line for line in event.fallbacks)
    assert on_devices <= {event.rule for event in finished}
    assert not (project.folder / "results").exists()


SFT = {"stage": "sft", "learning_rate": 1e-5, "method": {"name": "full"}}
DEVICES = {  # of 192 GB, for every weight of a model with its gradient and moments
    **{"r1-distill-qwen-7b": 1, "r1-distill-qwen-14b": 2, "r1-distill-qwen-32b": 4},
    **{"rakutenai-2.0-8x7b": 8},
}


def test_jobs_get_as_many_devices_as_the_plan_says(project):
    arms = [{"name": f"full-{base}", "base": base, "stages": [SFT]} for base in DEVICES]
    overlay = {
        "accelerator": "rocm",
        "licences": ["permissive", "by", "by-sa", "public-domain"],
        "train": {"base": "r1-distill-qwen-1.5b", "seeds": [1], "arms": arms, "recipes": []},
        "evaluate": {"references": [*DEVICES]},
        "domain": {"swallow": None},
        "cluster": {"gpu_model": "mi300x"},
    }
    (project.folder / "large.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    trained = ("--until", "train_stage", "--configfile", "large.yaml", "--", "rehearsal")
    project.start(*trained).succeeds(1800)
    past = events.read(project.folder / "rehearsal" / events.LOG, "finished")
    jobs = [event for event in past if event.rule == "train_stage"]
    held = {event.wildcards["arm"].removeprefix("full-"): event.held.devices for event in jobs}
    assert held == DEVICES
    assert all(event.scheduler for event in jobs)
