"""Weights learn step by step: in one process, or in several that share the weights (FSDP2).

A step takes the same rows whatever the number of processes, and its loss is the mean over all
tokens that are learned in it. Logits are made where a token is learned and nowhere else: with a
vocabulary of 262,000 they cost more than the model.
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kensho.files import replacing
from kensho.models.loading import device
from kensho.train import processes
from kensho.train.memory import peak_bytes, reset_peak
from kensho.train.methods import Course
from kensho.train.run import Training
from kensho.train.samples import IGNORED

Sample = Mapping[str, Sequence[int]]  # input_ids and labels of one text
LARGEST_NORM = 1.0  # gradients are scaled down to it, as transformers' Trainer does
RNG = "rng-{rank}.pt"


def train(
    model: nn.Module,
    samples: Sequence[Sample],
    pad: int,
    folder: Path,
    training: Training,
    baseline: int = 0,
    course: Course | None = None,
) -> list[dict[str, Any]]:
    """Train on ``samples`` in their order; goes on from the last checkpoint in ``folder``.

    AdamW without decay; the learning rate grows over the first tenth of the steps and then falls
    to nought, both linearly. Returns a row per step: step, loss (what a method adds to it included:
    ``course``), tokens (of all rows), seconds, peak_bytes (above ``baseline``, of the fullest
    process). Raises ValueError where a loss is not
    finite, a step has nothing to learn, or its rows cannot be shared evenly.
    """
    model.train()
    processes.require_shared(model)
    course = course or Course(model, training)
    optimizer = torch.optim.AdamW(course.groups(), lr=0.0, weight_decay=0.0, fused=True)
    seen = Seen(folder / "steps.jsonl", training)
    begun = _restore(model, optimizer, course, folder, seen.known())
    seen.keep(begun)
    share = processes.share(training.batch_size * training.accumulation)
    cut = training.max_length
    reset_peak()
    for step in range(begun, training.steps):
        began = time.perf_counter()
        width = training.batch_size * training.accumulation
        rows = [{k: v[:cut] for k, v in s.items()} for s in samples[step * width :][:width]]
        learned = sum(label != IGNORED for row in rows for label in row["labels"][1:])
        if not learned:
            raise ValueError(
                f"{training.name}: step {step + 1} has no token to learn; raise max_length"
            )
        total = 0.0
        own = rows[share]
        for first in range(0, len(own), training.batch_size):
            batch = collated(own[first : first + training.batch_size], pad)
            with _autocast(training):
                loss = summed_loss(model, **batch) / learned
            # processes take the mean of their gradients, where a sum is meant
            (loss * processes.size()).backward()
            total += loss.item()
        total = processes.summed(total)
        if (penalty := course.penalty()) is not None:
            penalty.backward()
            total += penalty.item()
        if not math.isfinite(total):
            raise ValueError(
                f"{training.name}: the loss of step {step + 1} is {total}; lower learning_rate"
            )
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _rate(step, training.steps)
        learning = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(learning, LARGEST_NORM)
        optimizer.step()
        course.stepped(step + 1)
        optimizer.zero_grad(set_to_none=True)
        seen.note(
            step=step + 1,
            loss=total,
            tokens=sum(len(row["input_ids"]) for row in rows),
            seconds=time.perf_counter() - began,
            peak=peak_bytes() - baseline,
        )
        if (step + 1) % training.checkpoint_every == 0 or step + 1 == training.steps:
            _save(model, optimizer, course, folder, step + 1)
    return seen.rows


def collated(rows: Sequence[Sample], pad: int) -> dict[str, Tensor]:
    """Shape (rows, longest): input_ids, labels and attention_mask, filled on the right."""
    longest = max(len(row["input_ids"]) for row in rows)

    def filled(key: str, fill: int) -> Tensor:
        lists = [[*row[key], *[fill] * (longest - len(row[key]))] for row in rows]
        return torch.tensor(lists, device=device())

    lengths = torch.tensor([len(row["input_ids"]) for row in rows], device=device())
    mask = torch.arange(longest, device=device()) < lengths[:, None]
    return {
        **{"input_ids": filled("input_ids", pad), "labels": filled("labels", IGNORED)},
        "attention_mask": mask.long(),
    }


def summed_loss(model: Any, input_ids: Tensor, labels: Tensor, attention_mask: Tensor) -> Tensor:
    """Sum of the cross-entropies of all tokens that are learned, logits in float32."""
    learned = labels[:, 1:] != IGNORED
    at = nn.functional.pad(learned, (0, 1))  # a token is foretold at the one before it
    with _head_at(model, at):
        logits = model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
    return cross_entropy(logits.float(), labels[:, 1:][learned], reduction="sum")


@contextmanager
def _head_at(model: Any, places: Tensor):
    """The output layer sees these places alone: logits have shape (places, vocabulary)."""
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda module, args: (args[0][places], *args[1:]))
    try:
        yield
    finally:
        hook.remove()


def mixed(training: Training) -> bool:
    """Whether whole weights are kept in float32 and computed in 16 bit."""
    return training.method.whole and training.dtype is not torch.float32


def _autocast(training: Training):
    """In several processes weights are gathered in 16 bit, without a copy that autocast keeps."""
    if mixed(training) and processes.size() == 1:
        return torch.autocast(device(), training.dtype)
    return nullcontext()


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate at a step, counted from 0."""
    warm = max(1, steps // 10)
    return step / warm if step < warm else (steps - step) / max(1, steps - warm)


class Seen:
    """One line per step as it happens, so that a resumed run keeps what it had seen."""

    def __init__(self, path: Path, training: Training):
        self.path, self.name, self.steps = path, training.name, training.steps
        self.rows: list[dict[str, Any]] = []

    def known(self) -> int:
        """Steps of an interrupted run of which no line is missing."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        self.rows = [row for place, row in enumerate(rows, 1) if row["step"] == place]
        return len(self.rows)

    def keep(self, step: int) -> None:
        """Take over the steps up to a checkpoint, drop later ones."""
        self.rows = self.rows[:step]
        processes.wait()  # until all have read it
        if processes.first():
            kept = "".join(json.dumps(row) + "\n" for row in self.rows)
            with replacing(self.path) as path:
                path.write_text(kept, encoding="utf-8")

    def note(self, *, step: int, loss: float, tokens: int, seconds: float, peak: int) -> None:
        row = {"step": step, "loss": loss, "tokens": tokens, "seconds": seconds}
        row["peak_bytes"] = int(processes.largest(peak))
        self.rows.append(row)
        if not processes.first():
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        left = (self.steps - step) * np.mean([r["seconds"] for r in self.rows])
        print(
            f"{self.name}: step {step}/{self.steps}, loss {loss:.3f}, "
            f"{tokens / seconds:.0f} tokens/s, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def _changing(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that a step changes, by name."""
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    moments = {
        f"{name} {key}": value
        for name, p in learning.items()
        for key, value in optimizer.state[p].items()
    }
    return {**{name: p.detach() for name, p in learning.items()}, **moments}


def _save(
    model: nn.Module, optimizer: torch.optim.Optimizer, course: Course, folder: Path, step: int
) -> None:
    """Under another name until it is whole; earlier checkpoints go when it is."""
    whole, partial = folder / f"checkpoint-{step}", folder / ".checkpoint.partial"
    if processes.first():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    processes.wait()
    state = {"cpu": torch.get_rng_state()}
    if device() == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    with replacing(partial / RNG.format(rank=processes.rank())) as path:
        torch.save(state, path)
    changing = _changing(model, optimizer) | course.state()
    dcp.save(changing, checkpoint_id=partial, no_dist=processes.size() == 1)
    processes.wait()
    if processes.first():
        earlier = list(folder.glob("checkpoint-*"))
        partial.rename(whole)
        for path in earlier:
            shutil.rmtree(path)


def _restore(
    model: nn.Module, optimizer: torch.optim.Optimizer, course: Course, folder: Path, known: int
) -> int:
    """Take over the last checkpoint whose steps are all ``known``, in place.

    Returns its step, 0 where there is none.
    """
    there = {int(path.name.rsplit("-", 1)[1]): path for path in folder.glob("checkpoint-*")}
    found = {step: path for step, path in there.items() if step <= known}
    processes.wait()
    if not found:
        return 0
    step = max(found)
    for group in optimizer.param_groups:  # at a rate of nought: makes the moments, moves nothing
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    kept = course.state()
    state = _changing(model, optimizer) | kept
    dcp.load(state, checkpoint_id=found[step], no_dist=processes.size() == 1)
    course.restored({name: state[name] for name in kept})
    rng = torch.load(found[step] / RNG.format(rank=processes.rank()))
    torch.set_rng_state(rng["cpu"])
    if "cuda" in rng:
        torch.cuda.set_rng_state(rng["cuda"])
    return step
