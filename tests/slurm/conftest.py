"""A real SLURM on this machine, and folders that run on it.

Where none can be had (it needs root, apt-get and Debian's packages) the tests skip and say why.
"""

import os
import subprocess

import pytest
from toy_workflow import HERE, Toy, Workflow, bring_up, said_by


@pytest.fixture(scope="session")
def cluster():
    """One node with sixteen CPUs and eight MI300X; taken down where the tests brought it up."""
    hidden = os.environ.pop("SLURM_CONF", None)
    try:
        was_up = "UP" in said_by("scontrol", "ping")
    except (OSError, subprocess.SubprocessError):
        was_up = False
    bring_up()
    yield
    if not was_up:
        # With its configuration left behind, every Snakemake would wait for the controller.
        subprocess.run([HERE / "down.sh", "--purge"], timeout=120, check=True)
    if hidden:
        os.environ["SLURM_CONF"] = hidden


@pytest.fixture
def toy(cluster, tmp_path):
    workflow = Toy(tmp_path)
    yield workflow
    workflow.clear()


@pytest.fixture
def project(cluster, tmp_path):
    """The project itself, fresh, with no results."""
    workflow = Workflow(tmp_path)
    yield workflow
    workflow.clear()
