"""Who is at work in a folder: one head, and the jobs that it or an earlier head started.

A lock of the kernel (flock) ends with the process that holds it, however it dies: nothing stale is
ever left to clear. File systems of clusters that refuse flock leave the queue as the only witness.
"""

import os
import socket
from contextlib import contextmanager
from pathlib import Path

from kensho.files import lock

HEAD = Path(".snakemake/kensho.lock")
JOBS = Path(".snakemake/kensho.jobs")


def hold(path: Path = HEAD):
    """Take the folder for this process; the file returned holds it until the process ends.

    Raises ValueError naming the holder where another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - its end is the end of the lock
    if not lock(file):
        file.seek(0)
        raise ValueError(
            f"another run is active in this folder ({file.read().strip()}); wait for it, or stop it"
        )
    file.truncate(0)
    file.write(_me())
    file.flush()
    return file


@contextmanager
def at_work(name: str, folder: Path = JOBS):
    """While the block runs, the job is known in the folder as being at work."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{socket.gethostname()}.{os.getpid()}"
    slurm = os.environ.get("SLURM_JOB_ID")
    with open(path, "w", encoding="utf-8") as file:
        lock(file)
        file.write(f"{name}, {_me()}" + (f", SLURM job {slurm}" if slurm else ""))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def still_at_work(folder: Path = JOBS) -> list[str]:
    """Jobs at work there; what killed ones left is removed."""
    jobs = []
    for path in sorted(folder.glob("*")):
        try:
            with open(path, "r+", encoding="utf-8") as file:
                if lock(file):
                    path.unlink(missing_ok=True)
                else:
                    jobs.append(file.read())
        except FileNotFoundError:  # it has just ended
            continue
    return jobs


def refusal(waiting: list[tuple[str, str, str]], folder: Path = JOBS) -> str | None:
    """Why a new run must not start here yet: jobs of an earlier one would be made twice.

    waiting: those in the queue, see :func:`kensho.run.slurm.queued`.
    """
    if waiting:
        listed = ", ".join(f"{number} {state.lower()}" for number, _, state in waiting)
        names = ",".join(sorted({name for _, name, _ in waiting}))
        return (
            f"jobs of an earlier run still work in this folder (SLURM: {listed}); wait for them, "
            f"or stop them with: scancel --name {names}"
        )
    if running := still_at_work(folder):
        return (
            f"jobs of an earlier run still work in this folder ({'; '.join(running)}); wait for "
            "them, or kill them"
        )
    return None


def sweep(folder: Path) -> None:
    """Remove what killed jobs had half written (see :func:`kensho.files.replacing`)."""
    for path in folder.rglob(".*.*"):
        if path.suffix[1:].isdigit() and path.is_file():
            path.unlink()


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
