"""Folders that hold the workflow: its code alone, with finished results, with stand-ins for all."""

import os
import shutil

import pytest
from planning import ROOT, by_rule, copied, jobs, nowhere, snakemake, stood_in

TARGETS = ["all", "benchmark", "jlce"]

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
    """A folder in which all targets are made, and the job counts of making them."""
    folder = copied(tmp_path_factory.mktemp("everything"))
    return folder, stood_in(folder, TARGETS)


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
        return by_rule(done.stdout, TARGETS)

    return planned
