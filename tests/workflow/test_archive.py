"""`snakemake archive` and `snakemake --report`: what was made and nothing else, without a job."""

import json
import re
import zipfile

import pytest
from kensho.plan.annotations import ANNOTATIONS, of
from planning import ARMS, nowhere, snakemake

ARM = next(iter(ARMS))
MADE = [
    "results/validation_report.html",
    "results/statistical_summary.json",
    "results/analysis/R-1.json",
    "results/data/drops.csv",
    "results/data/augmentation.csv",
    f"results/train/{ARM}/1-sft/seed1/steps.csv",
    "results/evaluation/intervals.csv",
    "results/stages.html",
    "results/jlce.html",
    "results/domain.html",
    "results/tokenisers.html",
    "results/serving/latency.csv",
    "results/jlce/ranking.json",
    "results/jlce/scores.csv",
    "results/benchmark_data/kv_cache/mla.csv",
    f"results/benchmark_data/training/{ARM}.csv",
    "results/evaluation/stages.csv",
    "results/calibration/short/report.html",
    "results/calibration/full/sbc.csv",
    "results/selftest.json",
]


def stand_in(folder, paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def shown(page):
    """Results of a page of Snakemake's by path."""
    [line] = re.findall(r"^ *var results = ({.*});?$", page, re.M)
    return json.loads(line)


def test_what_was_made_is_archived_with_labels_and_captions_and_no_job_runs(copy):
    assert {of(path, str)["caption"] for path in MADE} == {
        f"workflow/report/{annotation.caption}.rst" for annotation in ANNOTATIONS
    }
    stand_in(copy, [*MADE, "results/benchmark_data/kv_cache/no-such-arm.csv"])
    done = snakemake(copy, "archive", **nowhere(copy))
    assert done.returncode == 0, done.stdout
    with zipfile.ZipFile(copy / "results/report.zip") as archive:
        results = shown(archive.read("report/report.html").decode())
        for path in MADE:
            assert archive.read(f"report/{results[path]['data_uri']}").decode() == path
    assert sorted(results) == sorted(MADE)  # nothing that is missing, or that no rule makes
    steps = results[f"results/train/{ARM}/1-sft/seed1/steps.csv"]
    assert steps["labels"] == {
        **{"result": "Steps", "arm": ARM},
        **{"number": "1", "stage": "sft", "seed": "1"},
    }
    assert ARM in steps["caption"] and "{{" not in json.dumps(results)
    assert not (copy / "logs/jobs.jsonl").exists()


@pytest.mark.slow
def test_the_report_of_a_partial_run_leaves_out_what_is_missing(copy):
    stand_in(copy, MADE[2:5])
    done = snakemake(copy, "--report", "page.html", "results/analysis/R-1.json",
                     "results/data/drops.csv", **nowhere(copy))  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert sorted(shown((copy / "page.html").read_text())) == sorted(MADE[2:4])


@pytest.mark.slow
def test_archive_is_given_alone(copy):
    done = snakemake(copy, "all", "archive", **nowhere(copy))
    assert done.returncode != 0 and "archive runs no job: give it alone" in done.stdout
