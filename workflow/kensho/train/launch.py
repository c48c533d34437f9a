"""A stage in several processes, started by torchrun; on several nodes by SLURM's srun."""

import ctypes
import hashlib
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from kensho.fallback import REHEARSAL
from kensho.models import hardware, probe
from kensho.part import resolve

CALL, RESULT, CAUSE = "call.pickle", "result.pickle", "cause-{rank}.pickle"
GONE = ("Connection closed by peer", "Connection reset by peer", "NCCL", "gloo/transport")
PATIENCE = timedelta(days=1)  # with what the first process does alone; of one that died all know
PR_SET_PDEATHSIG = 1  # of prctl(2)
SUMMARY = 200  # lines, of which torchrun's summary is the last part
# What torchrun and srun say of a process or a node that was ended from outside.
KILLED = re.compile(r"exitcode\s*:\s*-\d|^srun: error: .*(Killed|Terminated|Node failure)")
ERROR = re.compile(r"(\b(?!ChildFailed)\w*(?:Error|Exception): .+)")


class Processes(NamedTuple):
    """So many in all, on so many nodes; ``threads`` are the cores of a node's share."""

    number: int
    nodes: int = 1
    threads: int = 1


def allocated(resources: Any, threads: int) -> Processes:
    """A process for each accelerator that a job was given.

    In a rehearsal, which may have fewer or none, two stand for any number. Raises ValueError where
    torch sees fewer than were given.
    """
    asked, nodes = resources.get("gpu", 0), resources.get("nodes", 1)
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if os.environ.get(REHEARSAL):
        return Processes(max(1, min(asked, seen or 2, 2)), 1, threads)
    if seen:
        hardware.require(asked, nodes)
    return Processes(max(1, asked) if seen else 1, nodes if seen else 1, threads)


def run(code: str, call: tuple, checkpoints: Path, processes: Processes) -> Any:
    """What the function ``module:name`` returns for ``call``; the first process returns it.

    Raises ValueError or RuntimeError with the cause that one of several processes names, or that
    keeps them from starting, and CalledProcessError where they were killed: the same call then goes
    on from the last checkpoint.
    """
    if processes.number == 1:
        return resolve(code)(*call)
    checkpoints.parent.mkdir(parents=True, exist_ok=True)
    # Beside the checkpoints, which every node sees.
    folder = Path(tempfile.mkdtemp(prefix=f".{checkpoints.name}.", dir=checkpoints.parent))
    try:
        (folder / CALL).write_bytes(pickle.dumps((code, call)))
        command = [*launcher(processes), "-m", "kensho.train.launch", str(folder)]
        with subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            preexec_fn=_die_with_us,
        ) as child:
            last: deque[str] = deque(maxlen=SUMMARY)
            for line in child.stderr or ():
                sys.stderr.write(line)
                last.append(line)
        causes = sorted(folder.glob(CAUSE.format(rank="*")), key=lambda path: path.stat().st_mtime)
        if causes:  # those of the others follow from the first
            kind, cause = pickle.loads(causes[0].read_bytes())
            raise (ValueError if kind == "ValueError" else RuntimeError)(cause)
        if child.returncode < 0 or (child.returncode and any(map(KILLED.search, last))):
            raise subprocess.CalledProcessError(-signal.SIGKILL, command[:1])  # it may yet pass
        if child.returncode:
            raise RuntimeError(f"{processes.number} processes did not start: {_cause(last)}")
        return pickle.loads((folder / RESULT).read_bytes())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cause(lines: Iterable[str]) -> str:
    """What went wrong, by the last lines of a launcher: an error, else the last one."""
    told = [line.strip() for line in lines if line.strip()] or ["no word of why"]
    return next((match[1] for line in told if (match := ERROR.search(line))), told[-1])


def _die_with_us() -> None:
    """Linux: a launcher ends with the job that started it, and ends its processes."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def launcher(processes: Processes) -> list[str]:
    """The command that starts the processes, those of a node by one torchrun.

    Raises ValueError where they cannot be shared evenly by the nodes of the job, or where it is no
    job of SLURM.
    """
    number, nodes, threads = processes
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    if nodes == 1:
        return [*torchrun, "--standalone", "--nproc-per-node", str(number)]
    if number % nodes:
        raise ValueError(f"{number} processes cannot be shared by {nodes} nodes; mend nodes")
    # Of SLURM's variables a job that calls srun itself has this one alone.
    if (job := os.environ.get("SLURM_JOB_ID")) is None:
        raise ValueError(
            f"a training on {nodes} nodes is started by SLURM's srun, and this is no job of SLURM; "
            "set cluster.nodes to 1, or use a profile for SLURM"
        )
    listed = _said("squeue", "--noheader", "--jobs", job, "--format=%N")
    first = _said("scontrol", "show", "hostnames", listed).split()[0]
    port = 20_000 + int(hashlib.sha256(job.encode()).hexdigest(), 16) % 20_000
    return [
        *("srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"),
        *(f"--cpus-per-task={threads}", *torchrun),
        *(f"--nnodes={nodes}", f"--nproc-per-node={number // nodes}", f"--rdzv-id={job}"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={first}:{port}"),
    ]


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> None:
    """One process: joins the others, calls the function and leaves what the first one returns."""
    folder, rank = Path(arguments[0]), int(os.environ["RANK"])
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            probe.check("cuda")
        else:
            shared = int(os.environ["LOCAL_WORLD_SIZE"])
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // shared))
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
        code, call = pickle.loads((folder / CALL).read_bytes())
        result = resolve(code)(*call)
    except Exception as error:
        if any(mark in str(error) for mark in GONE):
            raise  # another process has gone; what it says counts, and nothing where it was killed
        partial = folder / f"{rank}.partial"
        partial.write_bytes(pickle.dumps((type(error).__name__, str(error))))
        partial.rename(folder / CAUSE.format(rank=rank))
        raise
    if rank == 0:
        (folder / RESULT).write_bytes(pickle.dumps(result))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1:])
