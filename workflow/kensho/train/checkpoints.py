"""Checkpoints of a training: what a step changes, whole or not there."""

import errno
import io
import pickle
import shutil
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException

from kensho.files import read_json, replacing, sha256, write_json
from kensho.models.loading import device
from kensho.train import processes
from kensho.train.methods import Course

RNG = "rng-{rank}.pt"
DIGESTS = "digests.json"  # sha256 of the other files of a checkpoint, by name
DAMAGED = (CheckpointException, OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRITER = "inline_container"  # of torch, in what it says of a write that failed, without a number


def _cause(error: BaseException) -> BaseException:
    """Of several processes that of the first that failed; the disk's before that of torch."""
    failures = getattr(error, "failures", {})
    first = behind = next((one for one, _ in failures.values()), error)
    while isinstance(behind, RuntimeError) and behind.__context__:
        behind = behind.__context__
    return behind if isinstance(behind, OSError) else first


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _changing(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that a step changes, by name."""
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    moments = {
        f"{name} {key}": value
        for name, p in learning.items()
        for key, value in optimizer.state[p].items()
    }
    return {**{name: p.detach() for name, p in learning.items()}, **moments}


def save(
    model: nn.Module, optimizer: torch.optim.Optimizer, course: Course, folder: Path, step: int
) -> None:
    """Under another name until it is whole; earlier checkpoints go when it is.

    Raises ValueError where it cannot be written: what was there stays.
    """
    whole, partial = folder / f"checkpoint-{step}", folder / ".checkpoint.partial"
    state, held = {"cpu": torch.get_rng_state()}, io.BytesIO()
    if device() == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    torch.save(state, held)  # what fails to write a file itself tells no number
    try:
        if processes.first():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
        processes.wait()
        with replacing(partial / RNG.format(rank=processes.rank())) as path:
            path.write_bytes(held.getvalue())
        changing = _changing(model, optimizer) | course.state()
        dcp.save(changing, checkpoint_id=partial, no_dist=processes.size() == 1)
    except (OSError, RuntimeError, CheckpointException) as error:
        shutil.rmtree(partial, ignore_errors=True)
        cause = _cause(error)
        full = cause.errno in FULL if isinstance(cause, OSError) else WRITER in str(cause)
        mend = "free space there" if full else "mend that and run again"
        raise ValueError(
            f"{course.training.name}: the checkpoint of step {step} cannot be written to {folder} "
            f"({_line(cause)}); {mend}: earlier ones are kept"
        ) from None
    processes.wait()
    if processes.first():
        digests = {path.name: sha256(path) for path in sorted(partial.iterdir())}
        write_json(partial / DIGESTS, digests)
        earlier = list(folder.glob("checkpoint-*"))
        partial.rename(whole)
        for path in earlier:
            shutil.rmtree(path)


def _require_whole(checkpoint: Path) -> None:
    """Raises ValueError where a file is not as it was written; processes share the files."""
    digests = read_json(checkpoint / DIGESTS)
    for name in sorted(digests)[processes.rank() :: processes.size()]:
        if sha256(checkpoint / name) != digests[name]:
            raise ValueError(f"{name} is not what was written")


def restore(
    model: nn.Module, optimizer: torch.optim.Optimizer, course: Course, folder: Path, known: int
) -> int:
    """Take over the last checkpoint whose steps are all ``known``, in place.

    Returns its step, 0 where there is none. Raises ValueError where it is damaged.
    """
    there = {int(path.name.rsplit("-", 1)[1]): path for path in folder.glob("checkpoint-*")}
    usable = {step: path for step, path in there.items() if step <= known}
    processes.wait()  # until all have looked
    if processes.first():
        for lost in there.keys() - usable.keys():  # its steps are taken again, and its place
            shutil.rmtree(there[lost])
    if not usable:
        return 0
    step = max(usable)
    for group in optimizer.param_groups:  # at a rate of nought: makes the moments, moves nothing
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    kept = course.state()
    state = _changing(model, optimizer) | kept
    try:
        _require_whole(usable[step])
        rng = torch.load(usable[step] / RNG.format(rank=processes.rank()))
        dcp.load(state, checkpoint_id=usable[step], no_dist=processes.size() == 1)
    except DAMAGED as error:
        raise ValueError(
            f"{course.training.name}: {usable[step]} is damaged ({_line(_cause(error))}); delete "
            f"{folder} to start anew"
        ) from None
    course.restored({name: state[name] for name in kept})
    torch.set_rng_state(rng["cpu"])
    if "cuda" in rng:
        torch.cuda.set_rng_state(rng["cuda"])
    return step
