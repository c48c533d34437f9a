"""B 3.1 and F-10: the largest batch, context and model that a limit of memory holds, by searching.

Every trial is a training step in a process of its own that gets so much memory and no more: either
it ends, and its peak is observed, or it is refused memory. Numbers are doubled until one is
refused, then bisected. Beside them stands what the planner foresees (:mod:`kensho.train.plan`),
searched in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import psutil
import torch

from kensho.bench import memory_trial
from kensho.bench.blocks import interleaved
from kensho.bench.memory_arms import PLANNED_WAYS, WAYS
from kensho.bench.run import Inputs, Observed, Run
from kensho.evaluate.journal import Journal, digest
from kensho.fallback import Killed, OutOfMemory
from kensho.files import sha256
from kensho.models.cards import Card, load
from kensho.models.loading import computes_on, device
from kensho.models.ran import of_card
from kensho.observations import Row, table
from kensho.train.methods import full
from kensho.train.plan import Step, plan

if TYPE_CHECKING:
    from kensho.bench.settings import MemorySearch as Settings

EXPERIMENT = "memory_search"
PRELOAD = ["kensho.bench.memory_trial", "transformers.models.llama.modeling_llama"]
UNITS = {
    **{"batch": "samples", "length": "tokens", "layers": "layers", "fits": "trials"},
    **{"parameters": "parameters", "bytes": "bytes"},
}
HOST_ALONE = (
    "no FP8 unit: the products of fp8 are torch's own, the memory is that of 8-bit tensors",
    "offload copies within the host, which saves nothing",
)
LARGEST = "largest"  # block of the answers


class Shape(NamedTuple):
    """What one step trains on: samples, tokens of each, and layers of the model."""

    batch: int
    length: int
    layers: int

    def __str__(self) -> str:
        return f"B{self.batch}-L{self.length}-N{self.layers}"


class Trial(NamedTuple):
    """What a process observed; without a peak it was refused memory, and ``cause`` says how."""

    shape: Shape
    parameters: int | None
    peak_bytes: int | None
    cause: str | None


def search(fits: Callable[[int], bool], start: int = 1) -> int:
    """The largest number that fits, 0 if none does; whatever is smaller than it is taken to fit.

    ``start`` is doubled until it does not fit; the gap is bisected.
    """
    low, high, tried = 0, None, start
    while high is None or high - low > 1:
        if fits(tried):
            low = tried
        else:
            high = tried
        tried = 2 * low if high is None else (low + high) // 2
    return low


def searched(settings: Settings) -> dict[str, Callable[[int], Shape]]:
    """Steps by what grows: samples, tokens of one sample, layers."""
    length, layers = settings.length, settings.layers
    return {
        "batch": lambda n: Shape(n, length, layers),
        "length": lambda n: Shape(1, n * length, layers),
        "layers": lambda n: Shape(1, length, n),
    }


class Trials(dict[Shape, Trial]):
    """Trials of one way; what is asked for is tried, once, or taken from the journal."""

    def __init__(self, card: Card, way: str, settings: Settings, run: Run, read: Any = None):
        super().__init__()
        self.card, self.way, self.settings, self.run, self.read = card, way, settings, run, read
        self.journal: Any = {} if run.journal is None else Journal(run.journal)

    def __missing__(self, shape: Shape) -> Trial:
        key = digest([*self.run.identity, self.read, computes_on(), self.way, shape])
        if key not in self.journal:
            self.journal[key] = self._tried(shape)
        self[shape] = Trial(shape, *self.journal[key])
        return self[shape]

    def _tried(self, shape: Shape) -> list:
        deep, step = _of_layers(self.card, shape.layers), _step(self.way, shape)
        limit, threads = self.settings.limit_bytes, self.run.threads
        trial = partial(memory_trial.run, deep, step, self.way, limit, threads)
        try:
            [result] = interleaved({self.way: trial}, 1, self.run, preload=PRELOAD)
        except Killed as error:  # the limit refuses memory, it kills nothing
            raise Killed(
                f"{error}, before its limit was reached; give the job more memory, or lower "
                f"bench.{EXPERIMENT}.limit_bytes"
            ) from None
        except OutOfMemory as error:
            return [None, None, str(error)]
        return [result["parameters"], result["peak_bytes"], None]

    @property
    def foreseen(self) -> bool:
        """Whether there is a plan of this way."""
        return self.way in PLANNED_WAYS

    def planned(self, shape: Shape) -> int:
        """The peak that the plan foresees, in bytes."""
        return plan(_of_layers(self.card, shape.layers), _step(self.way, shape))["peak"]

    def largest(self, of: Callable[[int], Shape], start: int) -> int:
        """The largest number whose trial ended."""
        return search(lambda n: self[of(n)].peak_bytes is not None, start)

    def largest_planned(self, of: Callable[[int], Shape], start: int) -> int:
        """The largest number whose plan is within the limit."""
        return search(lambda n: self.planned(of(n)) <= self.settings.limit_bytes, start)


def observe(
    card: Card, settings: Settings, run: Run, read: Any = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Observation table of the ways to train, and why trials were refused memory, by their name.

    A block is a trial's shape, or ``largest``. Of a trial ``fits`` (1 or 0), and where it does
    ``peak_bytes`` and ``parameters``; where the way is planned ``planned_peak_bytes``, of a refused
    trial ``planned_refused_bytes``. In block ``largest`` the ``limit_bytes`` and, by what grows,
    ``largest_*`` and ``planned_*``; ``largest_parameters`` are those of the most layers. ``read``
    tells a journal's trials from those of other inputs. Raises ValueError where the host has less
    free memory than the limit, or that holds no step at all, Killed where the machine's memory
    ended before the limit, RuntimeError where a trial ends otherwise than for lack of memory.
    """
    _affordable(settings.limit_bytes)
    trials = {way: Trials(card, way, settings, run, read) for way in settings.arms}
    rows = table(row for way, tried in trials.items() for row in _rows(way, tried))
    refused = {
        f"{way} {trial.shape}": trial.cause
        for way, tried in trials.items()
        for trial in tried.values()
        if trial.cause is not None
    }
    return rows, refused


def _rows(way: str, trials: Trials) -> Iterator[Row]:
    settings = trials.settings
    answers: dict[str, float] = {"limit_bytes": settings.limit_bytes}
    for grows, of in searched(settings).items():
        start = settings.layers if grows == "layers" else 1
        tokens = settings.length if grows == "length" else 1
        most = trials.largest(of, start)
        if not most:
            raise ValueError(
                f"bench.{EXPERIMENT}.limit_bytes: {settings.limit_bytes} bytes hold no {way} step "
                f"of {of(1)}; raise it"
            )
        answers[f"largest_{grows}"] = most * tokens
        if trials.foreseen:
            answers[f"planned_{grows}"] = trials.largest_planned(of, start) * tokens
        if grows == "layers":
            answers["largest_parameters"] = trials[of(most)].parameters or 0
    for trial in [*trials.values()]:
        fitted = trial.peak_bytes is not None
        planned = f"planned_{'peak' if fitted else 'refused'}_bytes"
        values = {
            "fits": int(fitted),
            "peak_bytes": trial.peak_bytes,
            "parameters": trial.parameters,
            planned: trials.planned(trial.shape) if trials.foreseen else None,
        }
        observed = {metric: value for metric, value in values.items() if value is not None}
        yield from (_row(way, str(trial.shape), *one) for one in observed.items())
    yield from (_row(way, LARGEST, *one) for one in answers.items())


def _row(way: str, block: str, metric: str, value: float) -> Row:
    return Row(EXPERIMENT, way, block, 0, metric, value, UNITS[metric.rpartition("_")[2]])


def _affordable(limit: int) -> None:
    where = "accelerator" if device() == "cuda" else "machine"
    free = torch.cuda.mem_get_info()[0] if device() == "cuda" else psutil.virtual_memory().available
    if free < limit:
        raise ValueError(
            f"bench.{EXPERIMENT}.limit_bytes: {limit} bytes for a trial, and this {where} has "
            f"{free} free; lower it"
        )


def _step(way: str, shape: Shape) -> Step:
    batch, length, _ = shape
    return Step(full.METHOD, "float32", batch, length, checkpointing=way == "checkpointing")


def _of_layers(card: Card, layers: int) -> Card:
    return card.model_copy(update={"config": {**card.config, "num_hidden_layers": layers}})


def conditions(card: Card, settings: Settings, run: Run, refused: dict[str, str]) -> dict:
    """What the trials ran under, and what they were refused with."""
    on = device()
    unplanned = [way for way in settings.arms if way not in PLANNED_WAYS]
    return {
        "ran": {"models": [of_card(card, whole=False)]},
        "models": {"card": card.name},
        "dtype": "float32; loss-scaling computes in float16, fp8 the layers' products in FP8",
        "threads": run.threads,
        "seeds": [run.seed],
        "own": {
            **vars(settings),
            "refused": refused,
            "optimizer": "AdamW, one tensor after the other, its moments from the start; all "
            "weights are trained",
            "limit": "torch's allocator on the accelerator"
            if on == "cuda"
            else "private writable memory of the process (RLIMIT_DATA), beyond what it had",
            "peak": "allocated on the accelerator"
            if on == "cuda"
            else "resident on the host, above what was resident before the model was built, with "
            "the code of libraries, which the limit does not count",
        },
        "warmup": "none: no time is observed; a trial is one step",
        "fallbacks": [
            f"arm {way} left out by the configuration" for way in WAYS if way not in settings.arms
        ],
        "absent": dict.fromkeys(
            [f"planned_peak_bytes of {way}" for way in unplanned], "the planner has no plan of it"
        ),
        "deviations": [
            "a larger model is more layers of the card's width, not a published model",
            "weights all alike and fixed token ids: memory depends on neither",
            "whatever is smaller than what fits is taken to fit, and the next larger not to",
            *(HOST_ALONE if on != "cuda" else ()),
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Every way of the settings that this machine can take."""
    card = load(inputs["cards"])[settings.card]
    rows, refused = observe(card, settings, run, sha256(inputs["cards"]))
    return [(rows, conditions(card, settings, run, refused))]
