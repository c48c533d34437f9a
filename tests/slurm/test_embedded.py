"""The embedded scale on the cluster, disturbed, gives the verdicts of a run on this machine."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from kensho.claims import registry
from kensho.run import events
from toy_workflow import ROOT, said_by

# An embedded run one job at a time: hours.
pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(10_000)]


def judged(folder):
    """Entries of the claims with an analysis, by claim."""
    summary = json.loads((folder / "results/statistical_summary.json").read_text())
    return {claim["id"]: claim for claim in summary["claims"] if claim["analysis"]}


def within_tolerance(test, here, there):
    """Whether two estimates differ by less than the claim's smallest effect of interest, or than
    their own uncertainty (a timing has no seed)."""
    one, other = here["estimate"], there["estimate"]
    apart = max(one / other, other / one) if test.scale == "ratio" else abs(one - other)
    (low, high), (least, most) = here["interval"], there["interval"]
    return apart <= test.sesoi or (low <= most and least <= high)


def test_a_cancelled_job_and_a_killed_head_leave_the_verdicts_of_this_machine(project):
    local = [sys.executable, "-m", "snakemake", "--profile", "local", "-n"]
    plan = subprocess.run(local, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if "Nothing to be done" not in plan.stdout + plan.stderr:
        pytest.skip("no finished run here to compare with: `make report` first")
    # One job at a time with this machine's cores, as here: side by side they would slow each other.
    alone = ["--jobs", "1", "--max-threads", str(os.cpu_count())]
    head = project.start(*alone)
    log = project.folder / events.LOG

    def at_work(rule):
        return lambda: rule in {e.rule for e in events.read(log, "started")} and project.queue()

    said_by("scancel", *project.until(at_work("train_stage"), "a training", 1800))
    project.until(at_work("judge_statistical"), "a judgement", 3600)
    head.process.kill()
    project.until_idle(900)
    project.start(*alone).succeeds(3600)
    assert project.planned() == {}
    here, there = judged(ROOT), judged(project.folder)
    assert {i: c["verdict"] for i, c in there.items()} == {i: c["verdict"] for i, c in here.items()}
    tests = {claim.id: claim.test for claim in registry.load(ROOT / "config/claims")}
    for claim, entry in there.items():
        mine, theirs = here[claim]["analysis"], entry["analysis"]
        if tests[claim].stochastic:
            assert within_tolerance(tests[claim], mine, theirs), (claim, mine, theirs)
        else:
            assert theirs == mine, claim
    finished = Counter(event.job for event in events.read(log, "finished"))
    assert set(finished.values()) == {1}, finished.most_common(3)
    project.start("verify").succeeds(600)
