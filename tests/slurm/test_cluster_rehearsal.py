"""The full scale rehearsed on the cluster: its jobs ask for the accelerators of the real ones."""

import pytest
from kensho.bench.catalogue import EXPERIMENTS
from kensho.run import events

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(7200)]


def test_the_full_scale_goes_through_the_queue_on_twins(project):
    head = project.start("--configfile", "config/scales/full.yaml", "--", "rehearsal")
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
