"""The jobs that Snakemake would run, from the table that a dry run prints."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence


def dry_run(command: Sequence[str], target: str) -> list[str]:
    """The command of `snakemake budget` as a dry run of another target.

    Profile, settings and the like stay, so that the plan is the one that would be run. No lock is
    taken: the run that asks may hold it.
    """
    kept = [word for word in command if word not in ("budget", "--")]
    return [*kept, "--dry-run", "--nolock", "--quiet", "rules", "--", target]


def job_counts(command: Sequence[str], target: str) -> dict[str, int]:
    """Planned jobs of a target by rule. Raises ValueError if Snakemake cannot plan it."""
    done = subprocess.run(
        dry_run(command, target),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise ValueError(f"the target {target} cannot be planned; mend what the log says")
    return job_stats(done.stdout)


def job_stats(output: str) -> dict[str, int]:
    """The first table of job counts, without its sum; empty where nothing is to be done."""
    table = output.partition("Job stats:")[2].split("\n\n")[0]
    rows = re.findall(r"^(\w+) +(\d+)$", table, re.M)
    return {rule: int(count) for rule, count in rows if rule != "total"}
