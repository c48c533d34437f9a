"""The workflow in folders of their own, and what Snakemake would run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CODE = ["Snakefile", "rules", "workflow", "config", "envs", "profiles", "resources", "local"]
CODE += ["requirements.lock"]


def _read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


CONFIG = _read("config/config.yaml")
ARMS = {arm["name"]: arm for arm in CONFIG["train"]["arms"]}
SEEDS = len(CONFIG["train"]["seeds"])
TRAININGS = len(ARMS) * SEEDS
EVALUATED = ["base", *ARMS, *CONFIG["evaluate"]["references"]]
ASKED = CONFIG["jlce"]["arms"] or ["base", next(iter(ARMS)), *CONFIG["evaluate"]["references"]]
TESTED = {
    claim["id"]: claim
    for path in sorted((ROOT / "config/claims").glob("*.yaml"))
    for claim in _read(path.relative_to(ROOT))
    if claim["test"]
}


def adapted(arm=None, experiments=("adaptation", "training")):
    """Ids of the claims on trained arms, or of those that read one of them."""
    return {
        name
        for name, claim in TESTED.items()
        if claim["test"]["experiment"] in experiments
        and (arm is None or arm in _arms(claim["test"]))
    }


def _arms(test):
    return {
        side["arm"] for reading in test["readings"] for key, side in reading.items()
        if key != "label"
    }  # fmt: skip


def copied(tmp_path):
    """The workflow's code in a folder of its own, with no results."""
    for name in CODE:
        source = ROOT / name
        if source.is_symlink():
            (tmp_path / name).symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy2(source, tmp_path / name)
    return tmp_path


def snakemake(folder, *arguments, timeout=300, **environment):
    """Run Snakemake there; what it says, on either stream, is in ``stdout``."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "local", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
    )


def nowhere(folder):
    """Variables under which nothing was fetched before and no mirror is at hand."""
    return {"KENSHO_CACHE": str(folder / "cache"), "KENSHO_MIRROR": ""}


def jobs(output):
    """Job counts of a dry run by rule, and in all; none where nothing would run."""
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+)$", table, re.M)}
