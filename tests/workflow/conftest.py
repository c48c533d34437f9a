"""Folders that hold the workflow: its code alone, with finished results, with stand-ins for all."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from planning import ROOT, copied, jobs, nowhere, snakemake

TARGETS = ["all", "benchmark", "jlce"]
LARGE = "results/data/train_augmented.csv"  # 8 MB at the embedded scale

copy = pytest.fixture(copied)


@pytest.fixture
def finished(copy):
    """The code with the finished results of this checkout, linked, not copied."""
    if not (ROOT / "results" / "validation_report.html").is_file():
        pytest.skip("no finished run here: `make report` first")
    shutil.copytree(ROOT / "results", copy / "results", copy_function=os.link)
    shutil.copytree(ROOT / ".snakemake" / "metadata", copy / ".snakemake" / "metadata")
    if jobs(snakemake(copy, "-n").stdout):
        pytest.skip("the finished run is not up to date: `make report` first")
    return copy


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """A folder in which all targets are made, and the job counts of making them.

    Only names, times, sums and recorded parameters of files decide what runs again, so each result
    is stood in for by a file that holds its own name; `--touch` records it as made. Nothing here
    depends on a network or on what this machine has fetched.
    """
    folder = copied(tmp_path_factory.mktemp("everything"))
    for source in yaml.safe_load((folder / "config/sources.yaml").read_text()):
        _stand_in(folder, f"results/sources/{source}/record.json")
    planned = snakemake(folder, "-n", "--forceall", *TARGETS, **nowhere(folder))
    assert planned.returncode == 0, planned.stdout
    for line in re.findall(r"^    output: (.+)$", planned.stdout, re.M):
        for path in line.split(", "):
            _stand_in(folder, path)
    touched = snakemake(folder, "--touch", "--forceall", *TARGETS, **nowhere(folder))
    assert touched.returncode == 0, touched.stdout
    return folder, _by_rule(planned.stdout)


@pytest.fixture
def made(everything, tmp_path):
    """A copy of that folder, to be edited."""
    folder = tmp_path / "made"
    shutil.copytree(everything[0], folder, symlinks=True)
    return folder


@pytest.fixture
def plan(made):
    """A function that tells what would run in the folder `made`, as job counts by rule."""

    def planned():
        done = snakemake(made, "-n", *TARGETS, **nowhere(made))
        assert done.returncode == 0, done.stdout
        return _by_rule(done.stdout)

    return planned


def _by_rule(output):
    """Job counts without the total and the targets, which run nothing."""
    return {r: n for r, n in jobs(output).items() if r not in ("total", *TARGETS)}


def _stand_in(folder, name):
    """A file that holds its name, or the folder of that name where it has no suffix."""
    path = Path(folder, name)
    if not path.suffix:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.match("results/analysis/*.json"):  # a later head looks what it rests on
        path.write_text('{"observations": []}\n')
        return
    path.write_text(f"{name}\n" * (160_000 if name == LARGE else 1))
