"""Verdicts of earlier runs: the report keeps them, and says which no longer hold and why."""

import argparse
import json

import pytest
from kensho.plan.verdicts import GAINS
from kensho.run import why
from planning import TESTED, jobs, nowhere, snakemake
from test_reruns import edit, setting, text

DUMP = """
include: "Snakefile"

if "all" in TARGETS:  # not where it asks itself what is out of date
    beside = {**RUN.beside("statistical"), "judged": RUN.judged("statistical"), "pages": RUN.pages}
    beside["reasons"] = RUN.reasons
    json.dump(beside, open("beside.json", "w"))
"""
REPORTED = {"summarise": 1, "report": 1}
RENEWED = "snakemake --profile local benchmark"


def reading(experiment):
    return {name for name, claim in TESTED.items() if claim["test"]["experiment"] == experiment}


def of_report(folder, target="all"):
    """What a run of the target would do, and what its summary would say beside the analyses."""
    (folder / "dump.smk").write_text(DUMP, encoding="utf-8")
    done = snakemake(folder, "-s", "dump.smk", "-n", target, **nowhere(folder))
    assert done.returncode == 0, done.stdout
    planned = {r: n for r, n in jobs(done.stdout).items() if r not in ("total", target)}
    return planned, json.loads((folder / "beside.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_report_keeps_what_other_targets_judged_and_plans_nothing(made):
    planned, beside = of_report(made)
    assert planned == {} and beside["stale"] == []
    assert {"R-7.paper", "R-8.quick"} <= {*beside["judged"]}
    assert not {*beside["judged"]} & beside["untested"].keys()
    assert [page["target"] for page in beside["pages"] if page["there"]] == ["jlce"]
    (made / "results/jlce.html").unlink()
    (made / "results/analysis/R-8.quick.json").unlink()
    planned, beside = of_report(made)
    assert planned == REPORTED and not beside["pages"][0]["there"]
    assert "`benchmark`" in beside["untested"]["R-8.quick"]
    assert beside["commands"]["R-8.quick"] == RENEWED


EDITS = {
    "a setting": (
        setting("bench/quick_mode/items", 3),
        "quick_mode",
        "quick_mode: items: 2 -> 3",
    ),
    "a claim": (
        text("config/claims/figures.yaml", "region: [1.818, 2.2]", "region: [1.8, 2.25]"),
        None,
        "region: [1.818, 2.2] -> [1.8, 2.25]",
    ),
    "an observation": (
        text("results/benchmark_data/quick_mode/plain.csv", "plain", "PLAIN"),
        "quick_mode",
        "judge_statistical: changed: results/benchmark_data/quick_mode/plain.csv",
    ),
    "code": (
        text("workflow/kensho/bench/analysis_mode.py", "import ", "import os\nimport "),
        "analysis_mode",
        "analysis_mode: its code, or the versions in its environment",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_makes_stale_what_rests_on_it_and_runs_none_of_it(name, made):
    change, experiment, reason = EDITS[name]
    change(made)
    planned, beside = of_report(made)
    assert planned == REPORTED, planned
    stale = beside["stale"]
    assert stale and all(reason in beside["reasons"][claim] for claim in stale)
    assert experiment is None or {*stale} == reading(experiment)
    assert {beside["commands"][claim] for claim in beside["stale"]} == {RENEWED}


@pytest.mark.slow
def test_what_the_configuration_no_longer_tests_is_stale(made):
    setting("bench/token_counts/tokenizers", ["smollm2-135m-instruct", "gemma-3-270m"])(made)
    _, beside = of_report(made)
    assert beside["reasons"]["F-3"].startswith("the configuration no longer tests it: ")
    assert "F-3" not in beside["commands"]


@pytest.mark.slow
def test_a_page_that_is_out_of_date_is_linked_as_stale_and_not_made_again(made):
    edit(made / "workflow/kensho/report/jlce.html.j2", "JLCE", "The JLCE")
    planned, beside = of_report(made)
    assert planned == {"report": 1}
    assert beside["pages"][0]["stale"]
    assert beside["reasons"]["jlce"] == "jlce_page: a template or prompt that it uses"


@pytest.mark.slow
def test_the_table_of_a_study_is_read_as_an_earlier_run_left_it(made):
    path = made / GAINS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("task\n")
    planned, beside = of_report(made)
    assert planned == {"report": 1}
    assert [p["there"] for p in beside["pages"] if p["target"] == "augmentation_study"] == [True]
    planned, _ = of_report(made, "augmentation_study")
    assert planned["augmentation_training"] == planned["augmentation_gains"] == 1


@pytest.mark.slow
def test_another_reason_for_what_the_report_calls_stale_plans_nothing(made):
    edit(made / "workflow/kensho/report/jlce.html.j2", "JLCE", "The JLCE")
    EDITS["a setting"][0](made)
    assert snakemake(made, "--touch", "all", **nowhere(made)).returncode == 0
    (made / "results/benchmark_data/quick_mode/plain.csv").unlink()
    planned, beside = of_report(made)
    assert planned == {} and "quick_mode/plain.csv" in beside["reasons"]["R-8.quick"]


def test_what_cannot_be_checked_is_said_of_every_file(tmp_path):
    command = argparse.Namespace(
        rerun_triggers=["mtime"],
        max_checksum_file_size=1,
        software_deployment_method=[],
        conda_prefix=None,
    )
    (tmp_path / "Snakefile").write_text("raise ValueError('no such claim')\n", encoding="utf-8")
    told = why.outdated(["a.json", "b.json"], command, str(tmp_path / "Snakefile"), {})
    assert told.keys() == {"a.json", "b.json"}
    assert all(reason.startswith("could not be checked: ") for reason in told.values())
    assert "no such claim" in told["a.json"]
