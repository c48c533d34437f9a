"""A stage in several processes, started by torchrun; on several nodes by SLURM's srun."""

import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from kensho.observations.conditions import REHEARSAL
from kensho.part import resolve

CALL, RESULT, CAUSE = "call.pickle", "result.pickle", "cause.txt"


def count(asked: int) -> int:
    """Processes of a job that was given so many accelerators, one for each.

    Without any, a rehearsal takes two in place of several. Raises ValueError where torch sees
    fewer than were given.
    """
    if not torch.cuda.is_available():
        return min(asked, 2) if os.environ.get(REHEARSAL) and asked > 1 else 1
    seen = torch.cuda.device_count() * int(os.environ.get("SLURM_JOB_NUM_NODES", 1))
    if asked > seen:
        raise ValueError(
            f"the job has {asked} accelerators, torch sees {seen}; mend HIP_VISIBLE_DEVICES or "
            "CUDA_VISIBLE_DEVICES"
        )
    return max(1, asked)


def run(code: str, call: tuple, checkpoints: Path, processes: int) -> Any:
    """What the function ``module:name`` returns for ``call``; the first process returns it.

    Raises ValueError with the cause that one of several processes names, and CalledProcessError
    where they were killed: the same call then goes on from the last checkpoint.
    """
    if processes == 1:
        return resolve(code)(*call)
    folder = checkpoints.with_name(f".{checkpoints.name}.partial")  # seen from every node
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / CALL).write_bytes(pickle.dumps((code, call)))
    command = [*launcher(processes, os.environ), "-m", "kensho.train.launch", str(folder)]
    try:
        done = subprocess.run(command, check=False)
        if (folder / CAUSE).is_file():
            raise ValueError((folder / CAUSE).read_text(encoding="utf-8"))
        if done.returncode:
            raise subprocess.CalledProcessError(-signal.SIGKILL, command[:1])  # it may yet pass
        return pickle.loads((folder / RESULT).read_bytes())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def launcher(processes: int, environ: Mapping[str, str]) -> list[str]:
    """The command that starts ``processes`` in all, those of a node by one torchrun.

    Raises ValueError where they cannot be shared evenly by the nodes of the job.
    """
    nodes = int(environ.get("SLURM_JOB_NUM_NODES", 1))
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    if nodes == 1:
        return [*torchrun, "--standalone", "--nproc-per-node", str(processes)]
    if processes % nodes:
        raise ValueError(f"{processes} processes cannot be shared by {nodes} nodes; mend nodes")
    # The name of the first node stands for the head's: SLURM_LAUNCH_NODE_IPADDR is a login node's.
    listed = ["scontrol", "show", "hostnames", environ["SLURM_JOB_NODELIST"]]
    first = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()[0]
    job = environ["SLURM_JOB_ID"]
    port = 20_000 + int(hashlib.sha256(job.encode()).hexdigest(), 16) % 20_000
    return [
        *("srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", *torchrun),
        *(f"--nnodes={nodes}", f"--nproc-per-node={processes // nodes}", f"--rdzv-id={job}"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={first}:{port}"),
    ]


def main(folder: Path) -> None:
    """One process: joins the others, calls the function and leaves what the first one returns."""
    local = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        torch.cuda.set_device(local)
    else:
        shared = int(os.environ["LOCAL_WORLD_SIZE"])
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // shared))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    code, call = pickle.loads((folder / CALL).read_bytes())
    try:
        result = resolve(code)(*call)
    except ValueError as error:
        (folder / CAUSE).write_text(str(error), encoding="utf-8")
        raise
    if dist.get_rank() == 0:
        (folder / RESULT).write_bytes(pickle.dumps(result))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
