"""Which skips may pass, how long a test may take, and a real but tiny causal language model."""

import os
import re
from pathlib import Path

import pytest
import yaml
from tiny import written

# A controller that is down holds up each Snakemake by 20 s; tests/slurm asks for its own.
os.environ.setdefault("SLURM_CONF", "/dev/null")
if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several processes wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Seconds of a test; 300 without such a mark.
LIMITS = {"slow": 1200, "slurm": 1200, "crate": 900, "whole": 3000, "rehearsal": 7200}
ALLOWED = pytest.StashKey[tuple[str, list[str]]]()  # file of allowed skips, its patterns


def pytest_addoption(parser):
    parser.addoption(
        "--allowed-skips",
        metavar="FILE",
        help="fail on each skip whose reason matches no pattern of this YAML list of pattern, why",
    )


def pytest_configure(config):
    if file := config.getoption("allowed_skips"):
        entries = yaml.safe_load((config.rootpath / file).read_text(encoding="utf-8"))
        config.stash[ALLOWED] = file, [entry["pattern"] for entry in entries]


def pytest_collection_modifyitems(items):
    for item in items:
        limits = [LIMITS[mark.name] for mark in item.iter_markers() if mark.name in LIMITS]
        if limits and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(max(limits)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    return refused(item.config, (yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector):
    return refused(collector.config, (yield))


def refused(config, report):
    """The report, as a failure where it is a skip that the list does not allow."""
    if ALLOWED not in config.stash or not report.skipped or hasattr(report, "wasxfail"):
        return report
    file, patterns = config.stash[ALLOWED]
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if not any(re.search(pattern, reason) for pattern in patterns):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, which {file} does not allow: {reason}"
    return report


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Folder of a two-layer Llama with random weights and a byte-level tokenizer."""
    return written(tmp_path_factory.mktemp("model") / "tiny", width=32)


@pytest.fixture(scope="session")
def block_model(tmp_path_factory) -> Path:
    """The same, as wide as a block of NF4: bitsandbytes computes with no less where it has bf16."""
    return written(tmp_path_factory.mktemp("model") / "block", width=64)
