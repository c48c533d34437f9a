"""Every test is a default one or of a suite of `make test-all`, and each step of CI counts."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
MARKS = [mark.split(":")[0] for mark in PYTEST["markers"]]
SUITES = [
    [cell.strip() for cell in line.split("|")]
    for line in (ROOT / ".ci/suites").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]
# The targets of .ci/run: each says its name and fails where FAILS has it; verify writes its line.
MAKEFILE = """
LOG := logs/jobs.jsonl
VERIFIED := {"event":"finished","time":"TIME","rule":"verify"}
.venv/installed lint test report verify:
	@echo made $@; test "$(FAILS)" != $@
	@test $@ != verify || echo '$(VERIFIED)' | sed "s/TIME/$$(date -u +%FT%T+00:00)/" >>$(LOG)
"""
EARLIER = '{"event":"finished","time":"2020-01-01T00:00:00+00:00","rule":"verify"}\n'


def selects(arguments, marks):
    """Whether pytest with these arguments selects a test with these marks, by `-m` alone."""
    option, expression = shlex.split(arguments)[-2:]
    assert option == "-m", f"{arguments}: selects by more than marks"
    return eval(expression, {}, {mark: mark in marks for mark in MARKS})


def test_each_test_is_a_default_one_or_of_a_suite_of_test_all():
    commands = [
        command for _, who, _, command, _ in SUITES if "all" in who.split() and "pytest" in command
    ]
    for count in range(len(MARKS) + 1):
        for marks in itertools.combinations(MARKS, count):
            suites = [command for command in commands if selects(command, marks)]
            assert selects(PYTEST["addopts"], marks) == (not suites), marks
            assert count != 1 or len(suites) == 1, marks


def test_every_suite_has_its_limit_and_its_reason():
    for name, who, limit, command, reason in SUITES:
        assert (
            name and {*who.split()} <= {"ci", "all", "beside"} and int(limit) and command and reason
        )


def test_each_word_by_which_a_suite_selects_names_a_test():
    for name, _, _, command, _ in SUITES:
        words = shlex.split(command)
        if "-k" in words:
            folder = ROOT / next(word for word in words if word.startswith("tests/"))
            files = folder.rglob("test_*.py") if folder.is_dir() else [folder]
            tests = " ".join(re.findall(r"def (test_\w+)", "".join(f.read_text() for f in files)))
            for word in words[words.index("-k") + 1].split(" or "):
                assert word in tests, f"{name}: no test is named by '{word}'"


@pytest.fixture
def ci(tmp_path):
    """A function that runs a script of .ci in a folder of its own, with suites of its own."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    python = f'PYTHONPATH={ROOT}/workflow exec {sys.executable} "$@"'
    for name, body in (
        ("dpkg-query", "true"), ("snakemake", "echo 'Nothing to be done'"), ("python", python)
    ):  # fmt: skip
        path = tmp_path / ".venv/bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/jobs.jsonl").write_text(EARLIER)

    def run(script, *arguments, suites=("a | ci | 9 | true | x",), **environment):
        (tmp_path / ".ci/suites").write_text("\n".join(["# a comment", *suites, ""]))
        return subprocess.run(
            [tmp_path / ".ci" / script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PATH": f"{tmp_path}/.venv/bin:{os.environ['PATH']}", **environment},
        )

    return run


def test_all_suites_run_and_those_that_fail_are_named(ci):
    rows = "a | ci all | 9 | false | x", "b | all | 1 | sleep 5 | x", "c | ci | 9 | true | x"
    done = ci("suite", "all", suites=[*rows, "d | all | 9 | echo 'it is d' | x"])
    assert done.returncode == 1 and done.stderr == "failed, or not done in time: a b\n"
    assert "it is d" in done.stdout and "== c" not in done.stdout
    fine = ci("suite", "ci", suites=[rows[2]])
    assert (fine.returncode, fine.stdout.splitlines()[-1]) == (0, "passed: c")


def test_a_suite_beside_the_others_begins_first_and_counts_like_them(ci):
    def meets(own, other):
        return f"touch {own}; for _ in $(seq 50); do test -e {other} && exit; sleep .1; done; false"

    rows = f"b | ci all | 9 | {meets('x', 'y')} | x", f"a | ci beside | 9 | {meets('y', 'x')} | x"
    done = ci("suite", "ci", suites=rows)  # each waits for the other
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "passed: a b")
    rows = "b | ci | 9 | true | x", "a | ci beside | 9 | echo why; false | x"
    done = ci("suite", "ci", suites=rows)
    assert done.returncode == 1 and "why" in done.stdout
    assert done.stderr == "failed, or not done in time: a\n"
    slow = ci("suite", "ci", suites=["a | ci beside | 1 | sleep 5 | x"])
    assert slow.returncode == 1 and "not done in time: a" in slow.stderr


def test_no_suite_is_a_failure(ci):
    done = ci("suite", "al")
    assert done.returncode == 1 and "no suite for 'al'" in done.stderr


def test_a_run_whose_steps_pass_is_green(ci):
    done = ci("run")
    assert done.returncode == 0, done.stderr
    made = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("made ")]
    assert made == [".venv/installed", "lint", "test", "report", "verify"]
    assert "passed: a" in done.stdout


@pytest.mark.parametrize("step", [".venv/installed", "lint", "test", "report", "verify"])
def test_a_step_that_fails_ends_the_run(ci, step):
    done = ci("run", FAILS=step)
    assert done.returncode != 0 and f"made {step}" in done.stdout and "== done" not in done.stdout


def test_a_suite_that_fails_ends_the_run(ci):
    done = ci("run", suites=["a | ci | 9 | false | x"])
    assert done.returncode != 0 and "failed, or not done in time: a" in done.stderr


def test_a_second_report_that_would_run_something_fails(ci, tmp_path):
    (tmp_path / ".venv/bin/snakemake").write_text("#!/bin/sh\necho 'judge 3'\n")
    done = ci("run")
    assert done.returncode != 0 and "a second make report would run something" in done.stderr


def test_a_plan_that_fails_is_shown(ci, tmp_path):
    (tmp_path / ".venv/bin/snakemake").write_text("#!/bin/sh\necho 'no such file'; exit 1\n")
    done = ci("run")
    assert done.returncode != 0 and "snakemake -n fails\nno such file" in done.stdout


def test_a_run_without_verify_fails_and_names_it(ci, tmp_path):
    script = tmp_path / ".ci/run"
    kept = [line for line in script.read_text().splitlines(True) if "make verify" not in line]
    script.write_text("".join(kept))
    done = ci("run")
    assert done.returncode != 0 and done.stderr.startswith("verify: ")
