"""The crate of a run on the cluster whose head was killed and one of whose attempts failed."""

import json
import os
import subprocess
import sys

import pytest
from kensho.run import events
from toy_workflow import said_by

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]
CLAIM = "results/analysis/R-1.json"


def test_every_attempt_stands_in_the_crate_and_its_verdict_is_derived_again(project):
    module = project.folder / "workflow/kensho/bench/kv_cache.py"
    code, log = module.read_text(), project.folder / events.LOG
    head = project.start(CLAIM)

    def at_work():
        return "kv_cache" in {e.job for e in events.read(log, "started")} and project.queue()

    project.until(at_work, "the job at work", 600)
    head.process.kill()
    said_by("scancel", *project.queue())
    project.until_idle()
    module.write_text(f'{code}\nraise RuntimeError("planted")\n')
    assert project.start(CLAIM).wait() != 0
    project.until_idle()
    module.write_text(code)
    project.start(CLAIM).succeeds()
    project.start("provenance").succeeds()

    crate = project.folder / "results/provenance"
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    attempts = [e for e in graph if e["@id"].startswith("#attempt-") and e["name"] == "kv_cache"]
    killed, failed, completed = sorted(attempts, key=lambda attempt: attempt["startTime"])
    assert "killed" in killed["error"] and killed["@type"] == failed["@type"] == "ActivateAction"
    assert failed["error"] == "planted" and "result" not in failed
    assert completed["@type"] == "CreateAction" and "error" not in completed
    assert all("SLURM job" in attempt["description"] for attempt in attempts)
    runs = [e for e in graph if e["@id"].startswith("#run-")]
    assert len(runs) == 3  # the export is none of them
    verify = [sys.executable, "-B", "-m", "kensho.provenance", str(crate)]
    verified = subprocess.run(
        verify,
        env={**os.environ, "PYTHONPATH": str(crate / "workflow")},
        cwd=project.folder.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "Depth 1: 1 verdicts derived again" in verified.stdout
