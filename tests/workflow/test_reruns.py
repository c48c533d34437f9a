"""Which jobs an edit runs again: those that depend on what was edited, and no others.

The table is derived from what each rule reads (docs/running.md), for the embedded scale with all
three targets.
"""

import os
import re
import subprocess
import sys

import pytest
import yaml
from planning import ASKED, EVALUATED, SEEDS, adapted, jobs, nowhere, snakemake

REPORTED = {"summarise": 1, "report": 1}
UNASKED, AUGMENTED_ARM = "full", "lora-r8-augmented"  # JLCE asks neither


def retrained(arm):
    """One arm, and the claims that read it."""
    observed = {"observe_training": 1} if adapted(arm, ["training"]) else {}
    judged = {"judge_statistical": len(adapted(arm)), "summarise": 1} if adapted(arm) else {}
    evaluated = {"evaluate": 1, "describe_evaluation": 1}
    return {"train_stage": SEEDS, **evaluated, **observed, **judged, "report": 1}


ASKED_AGAIN = {"jlce_arm": len(ASKED), "jlce_scores": 1, "jlce_page": 1}
AUGMENTED_TEXT = {**retrained(AUGMENTED_ARM), "jlce_contamination": 1, "jlce_page": 1}
AUGMENTED = {  # F-6 counts the samples
    **AUGMENTED_TEXT,
    **{"augment": 1, "augmentation_meaning": 1, "judge_deterministic": 1, "summarise": 1},
}
JUDGING = {  # rules that use envs/stats.yaml
    *("judge_deterministic", "judge_statistical", "describe_evaluation", "summarise", "report"),
    *("jlce_scores", "jlce_page", "observe_training"),
}
UNSEEDED = {  # and nothing that they read comes from the seed
    *("fetch", "convert_model"),
    *("kv_cache", "lora_parameters", "mixture_flops", "quantised_bytes", "specifications"),
}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.unlink()  # never through a link
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def text(path, old, new):
    return lambda folder: edit(folder / path, old, new)


def setting(path, value):
    """An edit of config/config.yaml; the path names keys, and entries by name or number."""

    def edited(folder):
        file = folder / "config/config.yaml"
        config = section = yaml.safe_load(file.read_text(encoding="utf-8"))
        *way, last = path.split("/")
        for key in way:
            named = isinstance(section, list)
            if not named:
                section = section[key]
            elif key.isdigit():
                section = section[int(key)]
            else:
                section = next(entry for entry in section if entry["name"] == key)
        assert section[last] != value
        section[last] = value
        file.unlink()
        file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")

    return edited


def touched(*paths):
    return lambda folder: [os.utime(folder / path) for path in paths]


TASKS, JLCE = "workflow/kensho/evaluate/tasks", "workflow/kensho/jlce/tasks/jlce"
EDITS = {
    "a claim's tolerance": (
        text("config/claims/main.yaml", "region: [1.818, 2.2]", "region: [1.8, 2.25]"),
        {"judge_statistical": 1, **REPORTED},
    ),
    "one arm's rank": (
        setting(f"train/arms/{AUGMENTED_ARM}/stages/0/method/rank", 16),
        retrained(AUGMENTED_ARM),
    ),
    "one arm's learning rate": (
        setting(f"train/arms/{UNASKED}/stages/0/learning_rate", 1e-3),
        retrained(UNASKED),
    ),
    "one technique's probability": (
        setting("augmentation/synonyms/probability", 0.4),
        {"augment_technique": 1, **AUGMENTED},
    ),
    "one prompt of JLCE": (
        text(f"{JLCE}/nli.yaml", "答え：", "答えは"),
        ASKED_AGAIN,
    ),
    "the main metric of a task of JLCE": (
        text(f"{JLCE}/nli.yaml", "main: balanced_acc", "main: acc"),
        {"jlce_items": 1, "jlce_contamination": 1, **ASKED_AGAIN},
    ),
    "one prompt of the evaluation": (
        text(f"{TASKS}/tatoeba_en_ja.yaml", "Japanese:", "日本語："),
        {
            "evaluate": len(EVALUATED),
            "describe_evaluation": 1,
            "judge_statistical": len(adapted(experiments=["adaptation"])),
            **REPORTED,
        },
    ),
    "a prompt that is not asked": (
        text(f"{JLCE}/nli_2.yaml", "答え：", "答えは"),
        {},
    ),
    "a prompt of another rule": (text(f"{TASKS}/jmmlu.yaml", '"{{prompt}}"', '"{{prompt}} "'), {}),
    "one technique's code": (
        text("workflow/kensho/augment/synonyms.py", "ATTEMPTS = 3", "ATTEMPTS = 4"),
        {"augment_technique": 1, **AUGMENTED},
    ),
    "the lock of a folder": (
        text("workflow/kensho/run/running.py", "HEAD = ", "HERE = HEAD = "),
        {},
    ),
    "an experiment's settings": (  # which no configured value meets
        text("workflow/kensho/bench/settings.py", "le=1000", "le=999"),
        {},
    ),
    "an entry of a catalogue": (
        text("workflow/kensho/bench/catalogue.py", '"R-8: an evaluation', '"R-8: one evaluation'),
        {},
    ),
    "a function that only task files name": (
        text("workflow/kensho/jlce/metrics.py", "import re\n", "import re\n\nLIMIT = 1\n"),
        ASKED_AGAIN,
    ),
    "a limit of a setting": (  # which no configured value meets
        text("workflow/kensho/plan/config.py", "ge=1500", "ge=1600"),
        {},
    ),
    "a comment in the library": (
        text("workflow/kensho/train/stage.py", "\nWARMUP_STEPS", "\n# a remark\nWARMUP_STEPS"),
        {},
    ),
    "a comment in a script": (
        text("workflow/scripts/train_stage.py", "\nwith job", "\n# a remark\nwith job"),
        {},
    ),
    "an env pin": (text("envs/stats.yaml", "pymc==", "pymc==4."), JUDGING),
    "a comment in an env": (text("envs/stats.yaml", "# Verdicts", "# All verdicts"), {}),
    "a hardware price": (setting("budget/prices/rocm", 2.5), {"report": 1}),
    "a touched input": (
        touched("resources/architectures.yaml", "results/data/train_augmented.csv"),
        {},
    ),
    "a changed input of 5 MB": (
        text("results/data/train_augmented.csv", "augmented", "AUGMENTED"),
        AUGMENTED_TEXT,
    ),
    "a caption of the report": (
        text("workflow/kensho/report/template.html.j2", "Wall time", "Time"),
        {"report": 1},
    ),
    "a caption of `snakemake --report`": (  # which reads it then
        text("workflow/report/validation_report.rst", "Verdicts", "All verdicts"),
        {},
    ),
    "the seed": (setting("seed", 1), UNSEEDED),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns_exactly_what_depends_on_it(name, everything, made, plan):
    change, expected = EDITS[name]
    if isinstance(expected, set):  # all jobs of some rules, or of all but them
        all_but = name == "the seed"
        expected = {r: n for r, n in everything[1].items() if (r in expected) != all_but}
    change(made)
    assert plan() == expected


@pytest.mark.slow
def test_without_an_edit_nothing_runs(plan):
    assert plan() == {}


@pytest.mark.slow
def test_a_learning_rate_retrains_its_arm_alone(finished):
    setting(f"train/arms/{UNASKED}/stages/0/learning_rate", 1e-3)(finished)
    done = snakemake(finished, "-n").stdout
    planned = jobs(done)
    assert planned["train_stage"] == SEEDS and planned["evaluate"] == 1
    assert planned["judge_statistical"] == len(adapted(UNASKED)) > 0
    assert set(re.findall(r"wildcards: arm=([\w.-]+)", done)) == {UNASKED}


def why(folder, *arguments):
    """What `python -m kensho.run.why` says there."""
    done = subprocess.run(
        [sys.executable, "-m", "kensho.run.why", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **nowhere(folder)},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_why_tells_what_changed_and_what_follows(made):
    assert why(made) == (0, "nothing: every result is up to date\n")
    setting("train/arms/full/stages/0/learning_rate", 3e-4)(made)
    edit(made / "workflow/kensho/augment/driver.py", "import ", "import os\nimport ")
    edit(made / "resources/architectures.yaml", "#", "# by hand,")
    (made / "results/jlce/scores.csv").unlink()
    code, said = why(made, "benchmark", "jlce")
    assert code == 0, said
    changed, following = said.split("following from that:\n")
    by_rule = dict(re.findall(r"^  (\w+) \(.*?\)\n((?:    .*\n)+)", said, re.M))
    assert by_rule["kv_cache"] == "    changed: resources/architectures.yaml\n"
    assert f"learning_rate: 0.0002 -> 0.0003 ({SEEDS} of them)" in by_rule["train_stage"]
    assert "its code, or the versions in its environment" in by_rule["augment"]
    assert by_rule["jlce_scores"] == "    missing: results/jlce/scores.csv\n"
    assert "  jlce_scores (1)" in changed and by_rule["evaluate"] == "    after train_stage\n"
    assert "  evaluate (2: full, lora-r8-augmented)" in following
    assert "fetch" not in by_rule and "prepare_corpus" not in by_rule


@pytest.mark.slow
def test_why_passes_on_what_snakemake_refuses(made):
    setting("train/steps", "many")(made)
    code, said = why(made)
    assert code != 0 and "train.steps: expected a whole number" in said
