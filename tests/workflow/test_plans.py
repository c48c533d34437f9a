"""What a configuration leads to, for every scale and for spent budgets, against plans/*.yaml.

python tests/workflow/test_plans.py    writes them anew: read the difference before committing it
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from kensho.run import events
from planning import ROOT, copied, nowhere, snakemake

PLANS = Path(__file__).with_name("plans")
CASES = {  # overlay, US dollars spent of 80, whether the medical questions are at hand
    "embedded": (None, 0, False),
    "embedded-questions": (None, 0, True),
    "standard": ("standard", 0, False),
    "one-gpu": ("one-gpu", 0, False),
    "one-gpu-24gb": ("one-gpu-24gb", 0, False),
    "full": ("full", 0, True),
    "embedded-spent-half": (None, 40, False),
    "embedded-spent-nine-tenths": (None, 73, False),
    "full-spent-nine-tenths": ("full", 73, True),
    "full-spent-all": ("full", 81, True),
}
DUMP = """
include: "Snakefile"


def by_reason(target):
    reasons, judged = {}, PLAN.requested({target})
    shown = RUN.bringing if target == "own" else [claim.id for claim in CLAIMS]
    rest = [claim for claim in shown if claim not in judged]
    for claim, reason in PLAN.untested(rest, CONFIG.budget.limit_usd).items():
        reasons.setdefault(reason, []).append(claim)
    return reasons


TARGETS = {"statistical": "all", "benchmark": "benchmark", "own": "own"}
json.dump(
    {
        "produced": {name: list(arms) for name, arms in PLAN.arms.items()},
        "judged": {name: PLAN.requested({target}) for name, target in TARGETS.items()},
        "not_judged": {name: by_reason(target) for name, target in TARGETS.items()},
        "stage": PLAN.stage,
        "left_out": list(PLAN.unpaid),
        "evaluated": PLAN.evaluated,
    },
    open("plan.json", "w"),
    ensure_ascii=False,
)
"""


def plan(folder, overlay, dollars, questions):
    """The plan of a fresh copy of the code as plain values."""
    copied(folder)
    config = yaml.safe_load((folder / "config/config.yaml").read_text(encoding="utf-8"))
    config["budget"]["prices"] = {"core": 1.0, "rocm": 1.0}
    (folder / "config/config.yaml").write_text(
        yaml.safe_dump(config, allow_unicode=True), encoding="utf-8"
    )
    if questions:
        sources = yaml.safe_load((folder / "config/sources.yaml").read_text(encoding="utf-8"))
        for subject in config["bench"]["medical"]["subjects"]:
            (folder / "cache").mkdir(exist_ok=True)
            (folder / "cache" / sources[subject]["sha256"]).touch()
    if dollars:
        held = events.Held(cores=dollars)
        fields = {"rule": "train", "wildcards": {"arm": "lora-r8"}, "held": held}
        event = events.Event("finished", datetime.now(UTC), "1", **fields, seconds=3600.0)
        events.append(event, folder / events.LOG)
    (folder / "dump.smk").write_text(DUMP, encoding="utf-8")
    overlays = ["--configfile", f"config/scales/{overlay}.yaml"] if overlay else []
    done = snakemake(folder, "-s", "dump.smk", "-n", *overlays, "--", "verify", **nowhere(folder))
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "plan.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_plan_is_as_recorded(case, tmp_path):
    recorded = yaml.safe_load((PLANS / f"{case}.yaml").read_text(encoding="utf-8"))
    assert plan(tmp_path, *CASES[case]) == recorded


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "workflow"))
    PLANS.mkdir(exist_ok=True)
    for name, settings in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            text = yaml.safe_dump(
                plan(Path(folder), *settings),
                default_flow_style=None,
                allow_unicode=True,
                sort_keys=False,
                width=100,
            )
        (PLANS / f"{name}.yaml").write_text(text, encoding="utf-8")
