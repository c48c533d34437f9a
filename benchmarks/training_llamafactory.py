"""LLaMA-Factory's training of a settings file, for benchmarks/training.py in a python of its own.

The file is the argument, as of `llamafactory-cli train`; the last line printed has the seconds of
each step, the peak of memory, and the rows as :func:`counted` has them. Without it, versions.
"""

import json
import os
import sys
import time
from importlib.metadata import version

import torch
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from transformers import TrainerCallback


class Clock(TrainerCallback):
    """Seconds of a Trainer's steps, its rows, and its peak above what was resident before."""

    def __init__(self):
        self.before = 0 if torch.cuda.is_available() else resident_bytes()
        self.begun: list[float] = []
        self.ended: list[float] = []

    def on_train_begin(self, *_, train_dataloader, **__):
        self.rows = train_dataloader.dataset
        reset_peak()

    def on_step_begin(self, *_, **__):
        self.begun.append(time.perf_counter())

    def on_step_end(self, *_, **__):
        self.ended.append(time.perf_counter())

    def on_train_end(self, *_, **__):
        self.peak = peak_bytes() - self.before

    def seconds(self) -> list[float]:
        return [end - begin for begin, end in zip(self.begun, self.ended, strict=True)]


def counted(rows) -> list[tuple[int, int]]:
    """Tokens of each row, and how many of them are learned."""
    return [(len(row["input_ids"]), sum(label != -100 for label in row["labels"])) for row in rows]


def main() -> None:
    if not sys.argv[1:]:
        named = ("llamafactory", "torch", "transformers", "peft")
        print(", ".join(f"{name} {version(name)}" for name in named))
        return
    from llamafactory.train.tuner import run_exp

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    clock = Clock()
    run_exp(callbacks=[clock])  # it reads the file of the command line
    print(json.dumps([clock.seconds(), clock.peak, counted(clock.rows)]))


if __name__ == "__main__":
    main()
