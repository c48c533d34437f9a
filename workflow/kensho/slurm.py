"""What SLURM says: the jobs that work in a folder, and whether a profile fits the cluster."""

import getpass
import os
import re
import subprocess
from pathlib import Path

import yaml

from kensho.preflight import Finding

POLLS = 3  # status checks for which SLURM must remember a finished job


def queued(folder: Path) -> list[tuple[str, str, str]]:
    """SLURM's jobs that work in the folder, without this one: job id, name of the run, state."""
    said = _said("squeue", "--me", "--noheader", "--format=%i\t%j\t%T\t%Z")
    mine = os.environ.get("SLURM_JOB_ID")
    rows = [line.split("\t") for line in (said or "").splitlines()]
    return [
        (number, name, state)
        for number, name, state, place in rows
        if number != mine and Path(place).resolve() == folder.resolve()
    ]


def preflight(profile: Path) -> list[Finding]:
    """Partitions, account and memory of finished jobs that a SLURM profile counts on.

    Empty for a profile that does not submit to SLURM.
    """
    settings = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))
    if settings.get("executor") != "slurm":
        return []
    there = _said("sinfo", "--noheader", "--format=%R")
    if there is None:
        mend = "start Snakemake on a login node of the cluster, or use --profile local"
        return [Finding("slurm", "problem", "sinfo is missing or does not answer", mend)]
    found = _partitions(Path(settings["slurm-partition-config"]), set(there.split()))
    found += _account(settings.get("default-resources", {}).get("slurm_account"))
    return found + _remembered(int(settings["slurm-init-seconds-before-status-checks"]))


def _partitions(listed: Path, there: set[str]) -> list[Finding]:
    named = yaml.safe_load(listed.read_text(encoding="utf-8"))["partitions"]
    if absent := sorted(set(named) - there):
        seen = f"{listed} names {', '.join(absent)}; the cluster has {', '.join(sorted(there))}"
        return [Finding("slurm", "problem", seen, f"edit the names and limits in {listed}")]
    return [Finding("slurm", "ok", f"partitions {', '.join(named)}")]


def _account(account: str | None) -> list[Finding]:
    said = _said(
        *["sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={getpass.getuser()}"],
        "format=account",
    )
    mine = sorted(set((said or "").split()))
    if account is None:
        if len(mine) < 2:
            return [Finding("slurm", "ok", "no account named")]
        mend = "set slurm_account in the profile's default-resources"
        return [Finding("slurm", "note", f"no account named; yours: {', '.join(mine)}", mend)]
    if mine and account not in mine:
        seen = f"slurm_account {account} is not among yours: {', '.join(mine)}"
        return [Finding("slurm", "problem", seen, "mend the profile's default-resources")]
    return [Finding("slurm", "ok", f"account {account}")]


def _remembered(seconds: int) -> list[Finding]:
    age = re.search(r"MinJobAge\s*=\s*(\d+)", _said("scontrol", "show", "config") or "")
    if age and int(age[1]) < POLLS * seconds:
        seen = f"SLURM forgets a finished job after {age[1]} s, it is asked every {seconds} s"
        mend = f"set slurm-init-seconds-before-status-checks to {int(age[1]) // POLLS} or less"
        return [Finding("slurm", "problem", seen, mend)]
    return []


def _said(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
