"""What the head of a run records when it begins and when it ends."""

import argparse
import hashlib
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kensho.run import events, machine, record
from kensho.run.events import Event, Head

CONFIGURATION = ("config/claims/*.yaml", "config/sources.yaml")
# What git is asked about: what makes results, and nothing else that lies in the folder.
WORKFLOW = (
    "Snakefile", "rules", "workflow", "config", "envs", "profiles", "resources",
    "requirements.lock", "pyproject.toml",
)  # fmt: skip
LONGEST = 100_000  # bytes of a diff that is kept
# Variables that change what is computed and name nobody.
HARMLESS = re.compile(
    "(KENSHO|OMP|GOMP|KMP|MKL|OPENBLAS|NUMEXPR|CUDA|CUBLAS|CUDNN|NVIDIA|HIP|HIPBLASLT|ROCBLAS|ROCR|"
    "ROCM|HSA|MIOPEN|NCCL|RCCL|PYTORCH|TORCH|TORCHINDUCTOR|TRITON|AMD|GPU)_.+|HF_HUB_OFFLINE|LANG|"
    "LC_ALL|PYTENSOR_FLAGS|PYTHONHASHSEED|PYTHONUTF8|THP_MEM_ALLOC_ENABLE|TOKENIZERS_PARALLELISM"
)
PRIVATE = re.compile(f"{record.SECRET.pattern}|ADDR|HOST|COMM_ID|KENSHO_(BUDGET|MIRROR|RUN)")


def began(
    command: Sequence[str],
    targets: Iterable[str],
    config: Mapping[str, Any],
    files: Iterable[Path | str],
    plan: Mapping[str, int],
) -> Event:
    """The event of a head that begins; ``files`` are those of the configuration and the profile."""
    folder = Path()
    paths = [*map(Path, files), *sorted(p for name in CONFIGURATION for p in folder.glob(name))]
    return Event(
        "run",
        events.now(),
        run=uuid.uuid4().hex[:12],
        host=machine.host(),
        machine=machine.machine(),
        environment=machine.environment(),
        head=Head(
            command=record.command(command),
            targets=record.command(sorted(targets)),
            config=record.whole(config),
            files=[record.file(path) for path in dict.fromkeys(paths)],
            variables=variables(os.environ),
            snakemake=version("snakemake"),
            plan=dict(plan),
            **code(folder),
        ),
    )


def restored(config: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded configuration as one can be read again: what was cut has its default."""
    return {
        key: restored(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if not (isinstance(value, str) and record.CUT in value)
    }


def ended(status: int, past: Sequence[Event]) -> Event:
    """The event of the head that began last in ``past`` and ends now."""
    [*_, begun] = (event for event in past if event.event == "run")
    now = events.now()
    failed = [line for line in events.failures(events.of_last_run(past)) if line[0] != " "]
    cause = "interrupted, or stopped by Snakemake, whose log is in .snakemake/log"
    if failed:
        cause = failed[0] + (f" (and {len(failed) - 1} more)" if failed[1:] else "")
    return Event(
        "ended",
        now,
        run=begun.run,
        exit=status,
        seconds=max((now - begun.time).total_seconds(), 0.0),
        cause=cause if status else "",
    )


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of a list that change what is computed, without secrets and places."""
    return {
        name: record.text(environment[name])
        for name in sorted(environment)
        if HARMLESS.fullmatch(name) and not PRIVATE.search(name)
    }


def profiles(options: argparse.Namespace) -> list[Path]:
    """Files of the profiles that a command of Snakemake names, and of partitions beside them."""
    from snakemake.cli import get_profile_dir

    named = [name for name in (*(options.profile or ()), options.workflow_profile) if name]
    places = filter(None, (get_profile_dir(str(name)) for name in named if name != "none"))
    return [
        path.resolve()
        for folder, profile in places
        for path in (profile, folder / "partitions.yaml")
        if path.is_file()
    ]


def code(folder: Path) -> dict[str, Any]:
    """Commit of the workflow, its files that have changed since, and the diff.

    Nothing where git is missing, fails or does not know the workflow.
    """
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "HEAD")
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        known_to_git = _git(folder, "ls-files", "Snakefile")
        diff = _git(folder, "diff", *options, "--", *WORKFLOW)
        status = _git(folder, "status", "--porcelain", "-z", "--no-renames", "--", *WORKFLOW)
    except (OSError, subprocess.SubprocessError):
        return {}
    if not known_to_git:
        return {}
    changed = status.decode(errors="replace").split("\0")
    known: dict[str, Any] = {
        "commit": commit.decode().strip(),
        "changed": [record.text(line[3:]) for line in changed if line],
    }
    if diff:
        known |= {"diff_bytes": len(diff), "diff_sha256": hashlib.sha256(diff).hexdigest()}
    if len(diff) <= LONGEST:
        known["diff"] = record.text(diff.decode(errors="replace"))
    return known


def _git(folder: Path, *words: str) -> bytes:
    """What git says; nothing of it is written."""
    return subprocess.run(
        ["git", "-C", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        timeout=10,
        check=True,
    ).stdout


def spaced(ask: Callable[[Any, float], None]) -> Callable[[Any, float], None]:
    """``ask(scheduler, seconds)`` for another look at what is ready, unless one is to come.

    Snakemake asks for one in a second at every look: those that the ends of jobs add go on as long
    as jobs are ready, and on one machine they take its cores from the jobs.
    """
    due = 0.0

    def once(scheduler: Any, seconds: float) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            ask(scheduler, seconds)

    return once
