"""What reruns the jobs that ask JLCE's tasks, and that no rule knows a part by its name."""

import json
import re

import pytest
from kensho.augment.catalogue import TECHNIQUES
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.evaluate import catalogue as evaluation
from kensho.jlce.catalogue import tasks
from kensho.train.catalogue import METHODS, STAGES
from planning import ROOT, copied, nowhere, snakemake

DUMP = """
include: "Snakefile"

params = {name: dict(workflow.get_rule(name).params.items()) for name in ("jlce_items", "jlce_arm")}
json.dump(
    {
        "items": params["jlce_items"]["tasks"],
        "files": params["jlce_arm"]["pack"](None),
        "code": params["jlce_arm"]["code"](None),
    },
    open("rules.json", "w"),
)
"""


def test_no_rule_names_a_part():
    parts = [*EXPERIMENTS, *PREPARATIONS, *TECHNIQUES, *METHODS, *STAGES, *tasks()]
    parts += [path.stem for path in evaluation.TASKS.glob("*.yaml")]
    quoted = re.compile(rf"""["']({"|".join(map(re.escape, parts))})["']""")
    for path in (ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")):
        named = {*quoted.findall(path.read_text(encoding="utf-8"))}
        words = {
            "calibration.smk": {"full", "ranks"},  # sizes and tests
            "judging.smk": {"translation"},  # the target's experiment, none of JLCE's tasks
            "serving.smk": {"serving"},  # whose percentiles stand beside its verdicts
            "tokenisers.smk": {"published_tokenisers"},  # likewise its table
        }.get(path.name, set())
        assert named <= words, path


def test_evaluation_reads_a_file_of_each_of_its_tasks():
    files = evaluation.files(["jnli"])
    assert len(files) == 3 and all(path.is_file() for path in files)


@pytest.fixture
def params(tmp_path):
    folder = copied(tmp_path)
    (folder / "dump.smk").write_text(DUMP, encoding="utf-8")

    def dumped():
        done = snakemake(folder, "-s", "dump.smk", "-n", "--", "verify", **nowhere(folder))
        assert done.returncode == 0, done.stdout
        return json.loads((folder / "rules.json").read_text(encoding="utf-8"))

    return folder, dumped


def test_a_task_reruns_what_depends_on_it(params):
    folder, dumped = params
    before = dumped()
    task = folder / "workflow/kensho/jlce/tasks/jlce/nli.yaml"
    text = task.read_text(encoding="utf-8").replace("main: balanced_acc", "main: acc")
    task.write_text(text.replace("metrics.choice", "mine.choice"), encoding="utf-8")
    mine = folder / "workflow/kensho/jlce/mine.py"
    mine.write_text("from kensho.jlce.metrics import choice as choice\n", encoding="utf-8")
    after = dumped()
    assert after["items"] == {**before["items"], "nli": {**before["items"]["nli"], "main": "acc"}}
    assert after["files"] != before["files"] and after["code"] != before["code"]
    mine.write_text(mine.read_text(encoding="utf-8") + "\nLIMIT = 1\n", encoding="utf-8")
    edited = dumped()
    assert edited["code"] != after["code"]
    assert {**edited, "code": None} == {**after, "code": None}


def test_a_faulty_task_is_one_line_before_anything_is_planned(params):
    folder, _ = params
    task = folder / "workflow/kensho/jlce/tasks/jlce/nli_2.yaml"
    task.write_text("include: nli.yaml\n", encoding="utf-8")
    done = snakemake(folder, "-n", **nowhere(folder))
    assert done.returncode and "write `task: jlce_nli_2`" in done.stdout
    assert "kensho/jlce/catalogue.py" not in done.stdout  # no traceback


def test_a_prompt_that_a_task_lacks_is_refused_before_anything_is_planned(params):
    folder, _ = params
    (folder / "workflow/kensho/jlce/tasks/jlce/nli_2.yaml").unlink()
    (folder / "two.yaml").write_text("jlce: {prompts: [1, 2]}\n", encoding="utf-8")
    done = snakemake(folder, "-n", "--configfile", "two.yaml", **nowhere(folder))
    assert done.returncode and "jlce.prompts: task 'nli' has no prompt 2" in done.stdout
