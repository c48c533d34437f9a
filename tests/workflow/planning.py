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

LARGE = "results/data/train_augmented.csv"  # 8 MB at the embedded scale


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


def by_rule(output, targets):
    """Job counts of a dry run without the total and the targets, which run nothing."""
    return {r: n for r, n in jobs(output).items() if r not in ("total", *targets)}


def stood_in(folder, targets):
    """Make all targets of a folder with stand-ins; the job counts of making them.

    Only names, times, sums and recorded parameters of files decide what runs again, so each result
    is stood in for by a file that holds its own name; `--touch` records it as made. Nothing here
    depends on a network or on what this machine has fetched.
    """
    for source in yaml.safe_load((folder / "config/sources.yaml").read_text()):
        _stand_in(folder, f"results/sources/{source}/record.json")
    planned = snakemake(folder, "-n", "--forceall", *targets, **nowhere(folder))
    assert planned.returncode == 0, planned.stdout
    for line in re.findall(r"^    output: (.+)$", planned.stdout, re.M):
        for path in line.split(", "):
            _stand_in(folder, path)
    touched = snakemake(folder, "--touch", "--forceall", *targets, **nowhere(folder))
    assert touched.returncode == 0, touched.stdout
    return by_rule(planned.stdout, targets)


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
