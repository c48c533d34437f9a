"""The example of docs/own-results.md, run as it stands there."""

import json
import re

import pytest
from planning import ROOT, jobs, snakemake

PAGE = (ROOT / "docs" / "own-results.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`([\w./-]+)`:\n+```\w+\n(.*?)```", PAGE, re.S))
VERDICTS = dict(re.findall(r"^\| (OWN-\d) \| (\w+) \|", PAGE, re.M))
ANALYSES = [f"results/analysis/{claim}.json" for claim in VERDICTS]


@pytest.fixture
def example(copy):
    for name, text in FILES.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return copy


def test_faults_of_brought_tables_are_lines_before_anything_runs(example):
    (example / "own/scores.csv").unlink()
    claims = example / "config/claims/own.yaml"
    claims.write_text(claims.read_text().replace("experiment: own-quiz", "experiment: evaluation"))
    done = snakemake(example, "-n", *ANALYSES)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "own/scores.csv: missing; put it there" in done.stdout
    assert "claim OWN-1: test.experiment: 'evaluation' is run by the workflow" in done.stdout


@pytest.mark.slow
def test_the_example_gives_the_verdicts_of_the_page(example):
    assert len(FILES) == 5 and len(VERDICTS) == 3
    done = snakemake(example, *ANALYSES)
    assert done.returncode == 0, done.stdout
    analyses = {path.stem: json.loads(path.read_text()) for path in map(example.joinpath, ANALYSES)}
    assert {claim: found["verdict"] for claim, found in analyses.items()} == VERDICTS
    for found in analyses.values():
        assert found["tier"] == "published"
        assert found["registration"] == {"status": "registered after the data", "diff": []}

    claims = example / "config/claims/own.yaml"
    claims.write_text(claims.read_text().replace("region: [0.8, 1.2]", "region: [0.7, 1.3]"))
    planned = jobs(snakemake(example, "-n", *ANALYSES).stdout)
    assert planned == {"judge_statistical": 1, "total": 1}  # the tables are not read again
    assert snakemake(example, ANALYSES[1]).returncode == 0
    changed = json.loads((example / ANALYSES[1]).read_text())["registration"]
    assert changed["status"] == "changed after the data"
    assert changed["diff"] == ["test.region: [0.8, 1.2] -> [0.7, 1.3]"]

    table = example / "own/scores.csv"
    table.write_text(table.read_text() + "tuned,email-11,7.0\n")
    broken = snakemake(example, ANALYSES[1])
    assert broken.returncode != 0
    assert "own/scores.csv, line 22: item 'email-11' of 'tuned' has no score" in broken.stdout
