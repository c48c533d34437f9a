"""docs/own-results.md followed literally: its files and its commands, in the page's order."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from planning import ROOT, jobs, nowhere, snakemake

PAGE = (ROOT / "docs" / "own-results.md").read_text(encoding="utf-8")
FILE = r"`(?P<path>[\w./-]+\.\w+)`:\n+```\w+\n(?P<text>.*?)```"
STEPS = list(re.finditer(rf"{FILE}|```bash\n(?P<commands>.*?)```", PAGE, re.S))
FILES = {step["path"]: step["text"] for step in STEPS if step["path"]}
CLAIMS = [path for path in FILES if path.startswith("config/claims/")]
VERDICTS = dict(re.findall(r"^\| ([A-Z]+-\d+) \| ([A-Z ]+) \|", PAGE, re.M))
TABLES = {
    claim["id"]: [table["path"] for table in claim["test"]["external"]]
    for path in CLAIMS
    for claim in yaml.safe_load(FILES[path])
}


@pytest.fixture
def example(copy):
    """The workflow with the page's files and its virtual environment."""
    (copy / ".venv").symlink_to(Path(sys.prefix))
    for name, text in FILES.items():
        _write(copy / name, text)
    return copy


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_page_says_a_verdict_for_every_claim_of_its_examples():
    assert len(TABLES) >= 3 and VERDICTS.keys() == TABLES.keys()
    assert [s["commands"].split()[-1] for s in STEPS if s["commands"]][-1] == "verify"


@pytest.mark.slow
def test_the_page_followed_literally(copy):
    (copy / ".venv").symlink_to(Path(sys.prefix))
    for step in STEPS:
        if step["path"]:
            _write(copy / step["path"], step["text"])
        for command in (step["commands"] or "").splitlines():
            done = _shell(command, copy)
            assert done.returncode == 0, done.stdout
    assert f"verified: {len(VERDICTS)} verdicts follow" in done.stdout
    trained = [path.name for path in (copy / "results").iterdir()]
    assert not {"sources", "models", "train"} & {*trained}
    summary = json.loads((copy / "results/own_summary.json").read_text(encoding="utf-8"))
    assert {entry["id"]: entry["verdict"] for entry in summary["claims"]} == VERDICTS
    page = (copy / "results/own_report.html").read_text(encoding="utf-8")
    for claim, tables in TABLES.items():
        card = page.split(f'id="{claim}"')[1].split("</article>")[0]
        analysis = json.loads((copy / f"results/analysis/{claim}.json").read_text(encoding="utf-8"))
        assert analysis["tier"] == "published"
        assert analysis["registration"]["status"] == "registered after the data"
        assert {table["path"] for table in analysis["tables"]} == {*tables}
        for table in analysis["tables"]:
            assert table["path"] in card and table["sha256"] in card
            assert f"{table['rows']} rows" in card


def _shell(command, folder):
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
        env={**os.environ, **nowhere(folder), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"},
    )


def test_faults_of_brought_tables_are_lines_before_anything_runs(example):
    (example / "own/scores.csv").unlink()
    claims = example / "config/claims/own.yaml"
    text = claims.read_text(encoding="utf-8")
    claims.write_text(text.replace("experiment: own-quiz", "experiment: evaluation"))
    done = snakemake(example, "-n", "own")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "own/scores.csv: missing; put it there" in done.stdout
    assert "claim OWN-1: test.experiment: 'evaluation' is run by the workflow" in done.stdout


def test_without_claims_on_tables_the_target_says_where_to_begin(copy):
    done = snakemake(copy, "-n", "own")
    assert done.returncode != 0
    assert "own: no claim brings tables (test.external), see docs/own-results.md" in done.stdout


@pytest.mark.slow
def test_a_changed_claim_is_judged_alone_and_marked(example):
    only(example, "OWN-2")
    analysis = "results/analysis/OWN-2.json"
    done = snakemake(example, analysis)
    assert done.returncode == 0, done.stdout
    claims = example / "config/claims/own.yaml"
    claims.write_text(claims.read_text().replace("sesoi: 0.2", "sesoi: 0.3"))
    planned = jobs(snakemake(example, "-n", analysis).stdout)
    assert planned == {"judge_statistical": 1, "total": 1}  # the tables are not read again
    assert snakemake(example, analysis).returncode == 0
    changed = json.loads((example / analysis).read_text())["registration"]
    assert changed["status"] == "changed after the data"
    assert changed["diff"] == ["test.sesoi: 0.2 -> 0.3"]

    table = example / "own/scores.csv"
    table.write_text(table.read_text() + "tuned,email-11,7.0\n")
    broken = snakemake(example, analysis)
    assert broken.returncode != 0
    assert "own/scores.csv, line 22: item 'email-11' of 'tuned' has no score" in broken.stdout


@pytest.mark.slow
def test_verdicts_without_a_report_and_of_removed_claims_are_no_fault(example):
    only(example, "OWN-1")
    done = snakemake(example, "results/analysis/OWN-1.json")
    assert done.returncode == 0, done.stdout
    alone = snakemake(example, "verify", **nowhere(example))
    assert alone.returncode == 0, alone.stdout
    assert "verified: 1 verdicts follow from their observations" in alone.stdout

    only(example, "OWN-1", also="OWN-9")  # another claim on the same tables joins the family
    assert snakemake(example, "own").returncode == 0
    found = json.loads((example / "results/analysis/OWN-1.json").read_text())
    assert found["registration"] == {
        "status": "registered after the data", "diff": [], "family_then": 1
    }  # fmt: skip
    page = (example / "results/own_report.html").read_text(encoding="utf-8")
    assert "own, m = 2; 1 when registered" in page and "changed after the data" not in page
    assert "verified: 2 verdicts" in snakemake(example, "verify").stdout

    only(example, "OWN-1")
    assert snakemake(example, "own").returncode == 0
    left = snakemake(example, "verify")
    assert left.returncode == 0, left.stdout
    assert "results/analysis/OWN-9.json: an orphan" in left.stdout
    assert "rm -f results/analysis/OWN-9.json results/analysis/OWN-9.nc" in left.stdout
    assert "verified: 1 verdicts" in left.stdout

    path = example / "results/analysis/OWN-1.json"
    verdict = json.loads(path.read_text())["verdict"]
    (example / "results/own_summary.json").unlink()
    path.write_text(path.read_text().replace(f'"verdict": "{verdict}"', '"verdict": "VERIFIED"'))
    forged = snakemake(example, "verify")
    assert forged.returncode != 0
    assert f"OWN-1.json: verdict: stored VERIFIED, derived anew {verdict}" in forged.stdout


def only(folder, name, also=None):
    """Leave one claim of the page, and a copy of it under another name if wanted."""
    [claim] = [c for c in yaml.safe_load(FILES["config/claims/own.yaml"]) if c["id"] == name]
    kept = [claim, *([{**claim, "id": also}] if also else [])]
    for path in CLAIMS:
        (folder / path).unlink(missing_ok=True)
    (folder / "config/claims/own.yaml").write_text(yaml.safe_dump(kept))
