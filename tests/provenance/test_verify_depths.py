"""Depths 1 and 2: what was edited with everything above it made anew is still told, by file and
claim, with the packages of envs/stats.yaml alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
import small_crate
import yaml
from conditions_example import CONDITIONS
from kensho import observations
from kensho.files import sha256, write_lines
from kensho.jlce import metrics, observed
from kensho.provenance import __main__ as program
from kensho.provenance import reobserve, verify_crate
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_verify_crate import ANALYSIS, ANSWERS, edit, faults, zipped

ROOT = Path(__file__).parents[2]


def told(place, capsys):
    """Exit status, and the lines that begin with two spaces: faults and what is left out."""
    status = program.main([str(place)])
    lines = capsys.readouterr().out.splitlines()
    return status, [line.strip() for line in lines if line.startswith("  ")]


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_verdicts_and_observations_of_a_sound_crate_are_derived_again(
    sound, capsys, form, tmp_path
):
    place = sound
    if form == "zip":
        place = zipped(sound).rename(tmp_path / "crate.zip")
    assert program.main([str(place)]) == 0
    out = capsys.readouterr().out
    assert "Depth 1: 2 verdicts derived again" in out and "Not observed again" not in out
    rows = [
        path.read_text().count("\n") - 1 for path in sound.glob("results/benchmark_data/*/*.csv")
    ]
    assert f"Depth 2: {sum(rows)} values observed again" in out


def test_an_edited_verdict_with_all_hashes_made_anew_is_told(crate, capsys):
    summary = crate / "results/statistical_summary.json"
    stored = json.loads((crate / ANALYSIS).read_text())["verdict"]
    assert stored == "VERIFIED"
    edit(crate / ANALYSIS, '"verdict": "VERIFIED"', '"verdict": "FAILED"')
    entries = json.loads(summary.read_text())
    [entry] = [one for one in entries["claims"] if one["id"] == "R-1"]
    entry["verdict"] = entry["analysis"]["verdict"] = "FAILED"
    summary.write_text(json.dumps(entries))
    small_crate.forge(crate)
    assert faults(crate) == []
    status, lines = told(crate, capsys)
    assert (status, lines) == (
        1,
        [f"{ANALYSIS}: verdict: stored FAILED, derived anew VERIFIED [claims: R-1]"],
    )


def test_an_edited_answer_with_all_hashes_made_anew_is_told(crate, capsys):
    edit(crate / ANSWERS, '"猫。"', '"私は猫です。"')
    small_crate.forge(crate)
    assert faults(crate) == []
    status, lines = told(crate, capsys)
    assert status == 1 and len(lines) == 2
    for line, name, claims in zip(lines, ("adaptation", "evaluation"), ("claims: T-1", "no claim")):
        assert line.startswith(
            f"results/benchmark_data/{name}/base.csv: not what {ANSWERS} gives: "
        )
        assert "chrf, replicate" in line and line.endswith(f"[{claims}]")


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        (ANSWERS, "[-20.5", "[-2.5", "_nll-0 nll, replicate 1: stored 20.5, derived again 2.5"),
        (ANSWERS, 'target": " 私は', 'target": " 私', "tatoeba_nll-0 characters"),
        (ANSWERS, "[-1.5", "[-3.5", "jnli-0 accuracy, replicate 1: stored 1.0, derived again 0.0"),
        (ANSWERS, '"doc_id": 1', '"doc_id": 9', "tatoeba_nll-1 nll"),
        (
            "results/train/lora-r8/1-sft/seed1/record.json",
            '"trainable_parameters": 128',
            '"trainable_parameters": 12',
            "seed-1 trainable_parameters, replicate 0: stored 128.0, derived again 12.0",
        ),
        (
            "results/benchmark_data/kv_cache/mqa.csv",
            ",cache_bytes,",
            ",cache_bytes,9",
            "not what resources/architectures.yaml gives",
        ),
    ],
)  # fmt: skip
def test_each_kind_of_observation_is_made_again(crate, capsys, path, old, new, words):
    edit(crate / path, old, new)
    if path.endswith(".csv"):
        conditions = (crate / path).with_suffix(".conditions.json")
        told_of = json.loads(conditions.read_text())
        told_of["observations_sha256"] = sha256(crate / path)
        conditions.write_text(json.dumps(told_of))
    small_crate.forge(crate)
    status, lines = told(crate, capsys)
    assert status == 1 and any(words in line for line in lines), lines


def test_what_the_crate_may_not_hold_is_named_with_the_reason(crate, capsys):
    (crate / ANSWERS).unlink()
    small_crate.forge(crate)
    status, lines = told(crate, capsys)
    assert status == 0
    assert lines == [
        f"results/benchmark_data/{name}/base.csv: {ANSWERS} is not in the crate (not in the crate: "
        f"its licence) [{claims}]"
        for name, claims in (("adaptation", "claims: T-1"), ("evaluation", "no claim"))
    ]


def test_another_claim_than_the_registry_holds_is_told(crate, capsys):
    edit(crate / "config/claims/main.yaml", "R-1 holds", "R-1 may hold")
    small_crate.forge(crate)
    status, lines = told(crate, capsys)
    assert status == 1 and f"{ANALYSIS}: record: not the claim R-1 of config/claims" in lines[0]


def test_code_that_is_not_the_crates_own_is_told(crate, capsys):
    library = crate / "workflow/kensho/stats"
    library.mkdir(parents=True)
    for name in ("judge.py", "decision.py"):
        shutil.copy(ROOT / "workflow/kensho/stats" / name, library)
    small_crate.forge(crate)
    assert program.main([str(crate)]) == 0
    assert "not the crate's own" not in capsys.readouterr().out
    edit(library / "judge.py", "import", "import  ")
    small_crate.forge(crate)
    assert program.main([str(crate)]) == 0
    first = "The code here is not the crate's own, first in workflow/kensho/stats/judge.py."
    assert first in capsys.readouterr().out


def test_a_crate_with_a_fault_is_not_derived_from(crate, capsys):
    (crate / ANALYSIS).unlink()
    assert program.main([str(crate)]) == 1
    out = capsys.readouterr().out
    assert f"{ANALYSIS}: missing" in out and "Depth 1" not in out


def test_where_there_is_no_crate_the_status_is_two(tmp_path):
    assert program.main([str(tmp_path)]) == program.main([]) == 2


def beyond(environment):
    """Installed modules that no pin of an environment needs."""
    *_, last = yaml.safe_load((ROOT / environment).read_text())["dependencies"]
    waiting, needed = [Requirement(pin) for pin in last["pip"]], set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in needed or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        needed.add(name)
        waiting += map(Requirement, distribution(name).requires or [])
    return [
        module
        for module, names in packages_distributions().items()
        if needed.isdisjoint(map(canonicalize_name, names)) and module != "kensho"
    ]


BLOCKED = """
import sys
blocked = set(sys.stdin.read().split())
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
sys.meta_path.insert(0, Finder())
from kensho.provenance.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_packages_of_the_statistics_alone_derive_every_verdict(sound, tmp_path):
    blocked = beyond("envs/stats.yaml")
    assert {"torch", "transformers", "snakemake", "sacrebleu", "peft", "lm_eval"} <= {*blocked}
    run = subprocess.run(
        [sys.executable, "-B", "-c", BLOCKED, sound],
        input="\n".join(blocked),
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "Depth 1: 2 verdicts derived again" in run.stdout
    left = re.findall(r"^  (\S+): needs the package (\S+) .*\[(.+)\]$", run.stdout, re.M)
    assert ("results/benchmark_data/kv_cache/mla.csv", "torch", "claims: R-1") in left
    assert ("results/benchmark_data/adaptation/base.csv", "sacrebleu", "claims: T-1") in left
    assert "training/lora-r8.csv" not in run.stdout


def test_bare_python_gets_as_far_as_the_files(sound):
    run = subprocess.run(
        [sys.executable, "-B", "-S", "-m", "kensho.provenance", sound],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (2, "")
    assert run.stdout.splitlines()[-1].endswith("install the pins of envs/stats.yaml")
    assert verify_crate.NOT_PROVEN in run.stdout


@pytest.mark.parametrize(
    ("task", "function", "document", "answers", "wrong"),
    [
        (
            "commonsense_2",
            metrics.choice,
            {"choices": ["青", "赤"], "gold": 1},
            [(-2.5, False), (-1.5, True)],
            ("[-1.5", "[-3.5"),
        ),
        ("mathematics", metrics.number, {"answer": 12}, ["答えは12です。"], ("12です", "13です")),
    ],
)
def test_answers_to_the_jlce_tasks_are_scored_again(
    tmp_path, task, function, document, answers, wrong
):
    document = {"id": "a/1", "cluster": "c", **document}
    values = function(document, answers)
    log = {"doc": document, "filtered_resps": answers, "target": "", "metrics": [*values], **values}
    path, samples = tmp_path / "results/jlce/arm/answers.jsonl", {3: {f"jlce_{task}": [log]}}
    write_lines(path, observed.answers(samples))
    table = observed.observations("arm", samples)
    observations.write(tmp_path / "results/benchmark_data/jlce", table, CONDITIONS)
    assert reobserve.observe(tmp_path, str) == (len(table), [], [])
    edit(path, *wrong)
    [line] = reobserve.observe(tmp_path, str).differences
    assert "results/jlce/arm/answers.jsonl gives: " in line and ", replicate 3: stored 1.0" in line
