"""The line of each format in docs/own-results.md, on a small file of that format."""

import gzip
import json
import re
import shutil
import sys
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import yaml
from brought import SCORES, WINS, lines, log, observe, put
from kensho.claims.base import ExternalTable
from test_suites import QUIZ, annotations, helm

sys.path.insert(0, str(Path(__file__).parents[1] / "provenance"))
from machine_crate import exported

PAGE = (Path(__file__).parents[2] / "docs/own-results.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"one line for each format.*?```yaml\n(.*?)```", PAGE, re.S)
LINES = yaml.safe_load(BLOCK)
JUDGED = [
    {"model": arm, "doc": {"id": item}, "judge": {"score": 1}}
    for arm in ("base", "tuned")
    for item in "ab"
]
ARENA = [{"prompt": "p", "order": order, "winner": "tuned"} for order in ("base", "tuned")]
TASKS = {"results": {"jnli": {"acc,none": 0.5}}, "versions": {"jnli": 1}}
FILES = {
    "jsonl.gz": gzip.compress(log([1.0]).encode()),
    "scores.tsv": SCORES.replace(",", "\t"),
    "notes.csv": SCORES.replace(",", ";").replace("4.5", "4,5"),
    "side-by-side.csv": "item,base,tuned\na,1,2\n",
    "judged.jsonl": lines(JUDGED),
    "arena.jsonl": lines(ARENA),
    "preferences.csv": WINS,
    "arena.csv": "prompt,first,second,winner\np,base,tuned,tuned\n",
    "per_instance_stats.json": json.dumps(helm()),
    "annotations.json": json.dumps(annotations(2, 1)),
    "results_2026-05-01.json": json.dumps(TASKS),
}


def test_the_page_has_a_line_for_each_format():
    assert {line["format"] for line in LINES} == set(
        get_args(ExternalTable.model_fields["format"].annotation)
    )
    named = re.findall(r"^\| `([a-z-]+)` \| (?!the file)", PAGE.split("## An example")[0], re.M)
    assert set(named) == {line["format"] for line in LINES}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["path"])
def test_a_line_of_the_page_reads_a_file_of_its_format(line):
    path = Path(line["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        rows = [{"arm": a, "item": "x", "score": 1, "passage": "p"} for a in ("base", "tuned")]
        pd.DataFrame(rows).to_parquet(path)
    elif path.name.endswith(".crate.zip"):
        of = {"experiment": line["experiment"], "arm": line["of"], "metric": line["metric"]}
        shutil.move(exported(Path("machines"), "kyoto", **of), path)
    elif path.suffix == ".eval":
        shutil.copy(QUIZ, path)
    else:
        (content,) = (text for end, text in FILES.items() if path.name.endswith(end))
        put(path, content)
    levels = ["passage", "item"] if "cluster" in line else ["item"]
    levels = {"lm-eval-results": ["task"], "crate": ["block"]}.get(line["format"], levels)
    arms = [line["arm"]] if "arm" in line else ["base", "tuned"]
    aliases = {"tuned": "org/tuned"} if line["format"] == "alpaca-eval" else {}
    found = observe(line, arms=arms, levels=levels, aliases=aliases)
    assert all(len(table) for table, _ in found.values()) and set(found) == set(arms)
