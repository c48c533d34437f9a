"""What a command makes of the table of the augmentation study, and what it reads as it is."""

from dataclasses import replace
from pathlib import Path

import pytest
from kensho.plan.inputs import Inputs
from kensho.plan.verdicts import GAINS, PAGES, decide
from test_fetchable import CLAIMS, planned
from test_forecast import MODELS, configured

STUDY = "augmentation_study"
CONFIG = configured()
PLAN = planned(CONFIG)
SPENT = replace(PLAN, stage="priority")


@pytest.mark.parametrize(
    ("plan", "target", "there", "shown", "earlier"),
    [
        (PLAN, "all", False, False, False),
        (PLAN, "all", True, True, True),
        (PLAN, STUDY, False, True, False),
        (PLAN, STUDY, True, True, False),
        (PLAN, "rehearsal", False, True, False),
        (SPENT, STUDY, False, False, False),
        (SPENT, STUDY, True, True, True),
        (PLAN, GAINS, True, False, False),  # what tells whether it is out of date
    ],
)
def test_no_report_makes_a_study_run_that_was_not_asked_for(
    plan, target, there, shown, earlier, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if there:
        Path(GAINS).parent.mkdir(parents=True)
        Path(GAINS).touch()
    made = decide(plan, CLAIMS, {target}, lambda files: dict.fromkeys(files, "an edit"))
    assert (STUDY in made.pages, STUDY in made.earlier) == (shown, earlier)
    assert made.stale == ({GAINS: "an edit"} if earlier else {})
    read = Inputs(CONFIG, plan, MODELS).shown(made.pages)
    assert ("gains" in read) == shown


def test_a_rehearsal_makes_the_pages_of_its_targets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path(PAGES["jlce"]).touch()
    made = decide(PLAN, CLAIMS, {"rehearsal"}, lambda files: {})
    assert "jlce" in made.pages and "jlce" not in made.earlier


@pytest.mark.parametrize(("plan", "stale"), [(PLAN, True), (SPENT, False)])
def test_the_page_of_recipes_is_shown_and_with_a_spent_budget_not_compared(
    plan, stale, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path(PAGES["stages"]).touch()
    made = decide(plan, CLAIMS, {"all"}, lambda files: dict.fromkeys(files, "an edit"))
    assert "stages" in made.earlier and (PAGES["stages"] in made.stale) == stale
