"""Weights learn step by step: in one process, or in several that share the weights (FSDP2).

A step takes the same rows whatever the number of processes, and its loss is the mean over all
tokens that are learned in it. Logits are made where a token is learned and nowhere else: with a
vocabulary of 262,000 they cost more than the model. Nor is anything computed for padding, or twice
for rows that begin alike, where the architecture allows it (:mod:`kensho.train.packing`).
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kensho.files import replacing
from kensho.models.loading import device
from kensho.models.token_nll import token_nll
from kensho.train import checkpoints, processes
from kensho.train.curves import Curves
from kensho.train.memory import peak_bytes, reset_peak
from kensho.train.methods import Course
from kensho.train.packing import apart, line, unfit
from kensho.train.precision import autocast, in_its_own_dtype
from kensho.train.run import Training
from kensho.train.samples import IGNORED
from kensho.train.schedule import Diverged, diverged, groups, rate

Sample = Mapping[str, Sequence[int]]  # input_ids and labels of one text
LARGEST_NORM = 1.0  # gradients are scaled down to it, as transformers' Trainer does


@dataclass(frozen=True)
class Objective:
    """What a step lowers: the sum over a batch of rows, of a ``pad`` token, over the step's units.

    ``total`` is called with the model, the rows and ``pad``; ``units`` counts those of rows, and
    ``unit`` is that of the loss of a step.
    """

    total: Callable[[Any, Sequence[Sample], int], Tensor]
    units: Callable[[Sequence[Sample]], int]
    unit: str = "nats per token"


def learned_tokens(rows: Sequence[Sample]) -> int:
    return sum(label != IGNORED for row in rows for label in row["labels"][1:])


NEXT_TOKEN = Objective(
    lambda model, rows, pad: summed_loss(model, **collated(rows, pad)), learned_tokens
)
IN_A_LINE = Objective(lambda model, rows, pad: packed_loss(model, rows), learned_tokens)


def train(
    model: nn.Module,
    samples: Sequence[Sample],
    pad: int,
    folder: Path,
    training: Training,
    baseline: int = 0,
    held_out: Sequence[Sample] = (),
    objective: Objective = NEXT_TOKEN,
    course: Course | None = None,
) -> list[dict[str, Any]]:
    """Train on ``samples`` in their order; goes on from the last checkpoint in ``folder``.

    AdamW at the rate of :func:`kensho.train.schedule.rate`. Returns a row per step: step, loss
    (in the unit of the objective; with the penalty of ``course``), penalty (0 where
    ``course`` has none), learning_rate (of parameters to which it gives no other), learned
    (tokens), tokens (of all rows), seconds, peak_bytes (above ``baseline``, of the fullest process)
    and validation: the loss of ``held_out`` after the first step, at checkpoints and after the last
    step, else None, as where nothing of it is scored; its seconds are not the step's.
    Raises Diverged where a loss or a gradient is not finite or the loss stays high, ValueError
    where a step has nothing to learn, its rows cannot be shared evenly, or a checkpoint cannot be
    written or read.
    """
    model.train()
    processes.require_shared(model)
    course = course or training.method.course(model, training)
    learning = groups(course.factors(), training.weight_decay)
    optimizer = torch.optim.AdamW(learning, lr=0.0, fused=True)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    seen = Seen(folder / "steps.jsonl", training)
    begun = checkpoints.restore(model, optimizer, course, folder, seen.known())
    seen.keep(begun)
    width = training.batch_size * training.accumulation
    share = processes.share(width)
    packing = objective is NEXT_TOKEN and training.packing and not unfit(model)
    if packing:
        objective = IN_A_LINE

    def total_of(batch: Sequence[Sample]) -> Tensor:
        with autocast(training):
            return objective.total(model, batch, pad)

    held_out = _cut(held_out, training)
    held_out = held_out if objective.units(held_out) else []
    reset_peak()
    # What checkpointing computes again, in the backward pass, needs both as well.
    with in_its_own_dtype(model, training), apart(model) if packing else nullcontext():
        for step in range(begun, training.steps):
            began = time.perf_counter()
            rows = _cut(samples[step * width : (step + 1) * width], training)
            learned, units = learned_tokens(rows), objective.units(rows)
            if not learned:
                raise ValueError(
                    f"{training.name}: step {step + 1} has no token to learn; raise max_length"
                )
            total = 0.0
            for batch in _batches(rows[share], training.batch_size):
                loss = total_of(batch) / units
                # processes take the mean of their gradients, where a sum is meant
                (loss * processes.size()).backward()
                total += loss.item()
            total, beside = processes.summed(total), 0.0
            if (penalty := course.penalty()) is not None:
                penalty.backward()
                beside = penalty.item()
            norm = processes.number(nn.utils.clip_grad_norm_(parameters, LARGEST_NORM))
            for what, value in (("loss", total + beside), ("norm of the gradient", norm)):
                if not math.isfinite(value):
                    fault = f"{training.name}: the {what} of step {step + 1} is {value}"
                    if step == 0:
                        raise ValueError(
                            f"{fault} before any weight has changed; change train.dtype or the base"
                        )
                    raise Diverged(f"{fault}; lower learning_rate")
            # of the samples alone: a penalty that is much larger would hide them
            losses = [row["loss"] - row["penalty"] for row in seen.rows] + [total]
            if diverged(losses):
                raise Diverged(
                    f"{training.name}: diverged, the loss of step {step + 1} is {total:.3g} and "
                    f"was {losses[0]:.3g} at first; lower learning_rate"
                )
            at = training.learning_rate * rate(
                step, training.steps, training.scheduler, training.warm_up
            )
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * at
            optimizer.step()
            course.stepped(step + 1)
            optimizer.zero_grad(set_to_none=True)
            seconds, done = time.perf_counter() - began, step + 1
            kept = done % training.checkpoint_every == 0 or done == training.steps
            seen.note(
                step=done,
                loss=total + beside,
                penalty=beside,
                learning_rate=at,
                learned=learned,
                tokens=sum(len(row[k]) for row in rows for k in row if k.endswith("input_ids")),
                seconds=seconds,
                peak=peak_bytes() - baseline,
                validation=_scored(model, held_out, objective, total_of, training.batch_size)
                if held_out and (kept or done == 1)
                else None,
            )
            if kept:
                checkpoints.save(model, optimizer, course, folder, done)
    seen.curves.end()
    return seen.rows


def _cut(samples: Sequence[Sample], training: Training) -> list[Sample]:
    return [{k: v[: training.max_length] for k, v in sample.items()} for sample in samples]


def _batches(rows: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """The longest first, so that those of like length are together and memory peaks at once."""
    order = sorted(rows, key=lambda row: -len(row["input_ids"]))
    return (order[first : first + size] for first in range(0, len(order), size))


@torch.no_grad()
def _scored(
    model: nn.Module,
    rows: Sequence[Sample],
    objective: Objective,
    total_of: Callable[[Sequence[Sample]], Tensor],
    size: int,
) -> float:
    """Mean loss of a unit, the same in every process."""
    model.eval()
    total = sum(total_of(batch).item() for batch in _batches(rows, size))
    model.train()
    return total / objective.units(rows)


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


def summed_loss(model: Any, input_ids: Tensor, labels: Tensor, **inputs: Tensor) -> Tensor:
    """Sum of the cross-entropies of all tokens that are learned, logits in float32.

    ``inputs`` are the model's others: its attention mask, and positions where it needs them.
    """
    learned = labels[:, 1:] != IGNORED
    at = nn.functional.pad(learned, (0, 1))  # a token is foretold at the one before it
    with head_at(model, at):
        logits = model(input_ids=input_ids, use_cache=False, **inputs).logits
    return token_nll(logits, labels[:, 1:][learned]).sum()


def packed_loss(model: Any, rows: Sequence[Sample]) -> Tensor:
    """:func:`summed_loss` of rows of any length, as one line of tokens."""
    packed = line([row["input_ids"] for row in rows], device())
    longest = packed.nodes.shape[1]
    labels = [[*row["labels"][1:], *[IGNORED] * (longest - len(row["labels"]))] for row in rows]
    wanted = torch.tensor(labels, device=device(), dtype=torch.long).view(len(rows), longest - 1)
    learned = wanted != IGNORED
    at = packed.nodes[:, :-1][learned]
    with apart(model), head_at(model, (torch.zeros_like(at), at)):
        logits = model(
            input_ids=packed.ids[None],
            position_ids=packed.positions[None],
            use_cache=False,
            packed=packed,
        ).logits
    return token_nll(logits, wanted[learned]).sum()


@contextmanager
def head_at(model: Any, places: Tensor | tuple[Tensor, ...]):
    """The output layer sees these places alone: logits have shape (places, vocabulary)."""
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda module, args: (args[0][places], *args[1:]))
    try:
        yield
    finally:
        hook.remove()


WARMUP_STEPS = 2  # of each process, left out of tokens per second: they allocate and tune
NOTED = {  # of a step, in its line
    *("step", "loss", "penalty", "learning_rate", "learned", "tokens", "seconds", "validation"),
    *("peak_bytes", "warm_up"),
}


class Seen:
    """One line per step as it happens, so that a resumed run keeps what it had seen."""

    def __init__(self, path: Path, training: Training):
        self.path, self.name, self.steps = path, training.name, training.steps
        self.rows: list[dict[str, Any]] = []
        self.done = 0  # steps of this process
        first = processes.first()  # which writes for all
        self.curves = Curves(
            training.curves if first else None, training.trackers if first else (), training.name
        )

    def known(self) -> int:
        """Steps of an interrupted run before the first line that is missing or damaged."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        self.rows = []
        for place, noted in enumerate(lines, 1):
            try:
                row = json.loads(noted)
            except ValueError:
                break
            if not isinstance(row, dict) or row.keys() != NOTED or row["step"] != place:
                break
            self.rows.append(row)
        return len(self.rows)

    def keep(self, step: int) -> None:
        """Take over the steps up to a checkpoint, drop later ones."""
        self.rows = self.rows[:step]
        processes.wait()  # until all have read it
        if processes.first():
            kept = "".join(json.dumps(row) + "\n" for row in self.rows)
            with replacing(self.path) as path:
                path.write_text(kept, encoding="utf-8")
            self.curves.begin(self.rows)

    def note(self, *, step: int, peak: int, **observed: float | None) -> None:
        row: dict[str, Any] = {"step": step, **observed}
        row["peak_bytes"] = int(processes.largest(peak))
        self.done += 1
        row["warm_up"] = self.done <= WARMUP_STEPS
        self.rows.append(row)
        if not processes.first():
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.curves.add(row)
        left = (self.steps - step) * np.mean([r["seconds"] for r in self.rows])
        print(
            f"{self.name}: step {step}/{self.steps}, loss {row['loss']:.3f}, "
            f"{row['tokens'] / row['seconds']:.0f} tokens/s, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )
