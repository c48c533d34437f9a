"""R-5 and memory optimisation: what a training step holds, planned, traced and measured.

Every arm trains two steps in a fresh process. Beside its peak stand the plan made from the
architecture card (kensho.train.plan) and the peak of all living tensors, so that the gap between
plan and peak splits into what the plan leaves out and what allocator and libraries add. Arms
``planned-*`` are computed only, at the dimensions of the models of the claim.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import torch

from kensho.bench.blocks import Work, interleaved
from kensho.bench.memory_arms import MAPPED, MEASURED, NAMED, PLANNED, SCOPE
from kensho.bench.run import Cell, Inputs, Observed, Run
from kensho.fallback import lowered, on_smaller
from kensho.models.cards import Card, load
from kensho.models.ran import of_card
from kensho.observations import Row, table
from kensho.train.plan import Step, plan, source_plan
from kensho.train.step import run as run_steps
from kensho.train.step import trace

if TYPE_CHECKING:
    from kensho.bench.settings import TrainingMemory as Settings

EXPERIMENT = "training_memory"
SOURCE_ACCELERATOR = 192 * 10**9  # bytes, of F-10
STATE = ("weights", "adapters", "gradients", "optimizer")
UNITS = {"warmup_seconds": "s", "step_seconds": "s"}
PRELOAD = ["kensho.train.step", "transformers.models.llama.modeling_llama", "peft"]
PLANNED_CELLS = [Cell(1, 512), Cell(8, 512)]  # as claims name them


class Models(NamedTuple):
    """Names of the cards that LoRA adapts and that are fully tuned."""

    lora: str
    full: str

    def of(self, step: Step) -> str:
        return self.full if step.method.whole else self.lora


def observe(
    cards: Mapping[str, Card], models: Models, settings: Settings, run: Run
) -> pd.DataFrame:
    """Observation table of the measured arms; block = ``B<batch>-L<length>``, replicate = process.

    Metrics of each run as :func:`kensho.train.step.run` gives them; per cell
    ``planned_<component>_bytes``. Raises ValueError if tensors differ from the plan by a byte,
    OutOfMemory if a cell does not fit.
    """
    rows: list[Row] = []
    for cell in (Cell(cell.batch, cell.length) for cell in settings.cells):
        steps = {arm: MEASURED[arm](**cell._asdict()) for arm in settings.arms}
        used = {arm: cards[models.of(step)] for arm, step in steps.items()}
        watched, plain = (
            {arm: _run(arm, used[arm], step, run, watched) for arm, step in steps.items()}
            for watched in (True, False)
        )
        # what is counted does not vary: once is enough
        results = interleaved(watched, 1, run, preload=PRELOAD)
        results += interleaved(plain, settings.blocks - 1, run, first=1, preload=PRELOAD)
        for result in results:
            arm, replicate = result.pop("arm"), result.pop("block")
            result.pop("position")
            compare(arm, result, used[arm], steps[arm])
            rows += _rows(arm, str(cell), _named(result), replicate)
        for arm, step in steps.items():
            rows += _rows(arm, str(cell), planned_bytes(used[arm], step))
    return table(rows)


def _run(arm: str, card: Card, step: Step, run: Run, watched: bool) -> Work:
    return partial(run_steps, card, step, run.threads, mapped=arm == MAPPED, watched=watched)


def observe_on_ladder(
    cards: Mapping[str, Card], settings: Settings, run: Run
) -> tuple[pd.DataFrame, Models, list[str]]:
    """:func:`observe`, the cards used, and the fallbacks taken.

    Where a step runs out of memory, all arms start again on the next card of the ladder: arms on
    different models could not be compared. Raises OutOfMemory if the last does not fit either.
    """
    adapted, full = settings.adapted, settings.full
    rungs = {adapted if adapted == full else f"{adapted} and {full}": Models(adapted, full)}
    if not run.retries_left:  # a retry with more memory comes before a smaller model
        rungs |= {name: Models(name, name) for name in settings.ladder}
    return on_smaller(lambda models: observe(cards, models, settings, run), rungs)


def observe_planned(cards: Mapping[str, Card]) -> pd.DataFrame:
    """Observation table of the arms that are computed only, and of the shares of F-10."""
    rows: list[Row] = []
    for arm, step_of in PLANNED.items():
        for cell in PLANNED_CELLS:
            step = step_of(**cell._asdict())
            card = cards[NAMED.get(arm, SCOPE[step.method.name])]
            rows += _rows(arm, str(cell), planned_bytes(card, step))
        if step.method.weights != "nf4":  # layers are alike: two show what any number keeps
            thin = card.model_copy(update={"config": {**card.config, "num_hidden_layers": 2}})
            compare(arm, trace(thin, step), thin, step)
    shares = {f"{k}_bytes": v for k, v in source_plan(SOURCE_ACCELERATOR).items()}
    shares |= {"accelerator_bytes": SOURCE_ACCELERATOR, "gigabyte": 10**9}
    return table([*rows, *_rows("source-shares", "192-GB", shares)])


def planned_bytes(card: Card, step: Step) -> dict[str, int]:
    """The plan of one step as metrics; ``planned_state_bytes`` is all but activations and loss."""
    sizes = plan(card, step)
    return {f"planned_{name}_bytes": value for name, value in sizes.items()} | {
        "planned_saved_bytes": sizes["activations"] + sizes["loss"],
        "planned_state_bytes": sum(sizes[name] for name in STATE),
    }


def compare(arm: str, result: Mapping, card: Card, step: Step) -> None:
    """Refuse tensors that differ from the plan.

    What autograd keeps must agree too, but for an accelerator, whose attention kernel keeps more
    than the plan knows: there the difference is left to be read from the metrics.
    """
    sizes, cell = plan(card, step), Cell(step.batch, step.length)
    sizes["saved_bytes"] = sizes["activations"] + sizes["loss"]
    for name in STATE if torch.cuda.is_available() else (*STATE, "saved_bytes"):
        if name in result and result[name] != sizes[name]:
            raise ValueError(
                f"{arm}, {cell}: {name} hold {result[name]} bytes, planned {sizes[name]}"
            )


def _named(result: Mapping) -> dict:
    return {f"{name}_bytes" if name in STATE else name: v for name, v in result.items()}


def _rows(arm: str, block: str, values: Mapping, replicate: int = 0) -> Iterator[Row]:
    for metric, value in values.items():
        yield Row(EXPERIMENT, arm, block, replicate, metric, value, UNITS.get(metric, "bytes"))


def conditions(cards: Mapping[str, Card], models: Models, settings: Settings, run: Run) -> dict:
    """What the measured arms ran under."""
    return {
        "ran": {"models": [of_card(cards[name]) for name in dict.fromkeys(models)]},
        "models": models._asdict(),
        "dtype": "as the arm says: float32 unless bf16; adapters float32, as PEFT keeps them",
        "own": {
            "optimizer": "AdamW, one tensor after the other; its moments exist before the first "
            "step",
            "peak": (
                "allocated on the accelerator"
                if torch.cuda.is_available()
                else "resident on the host, above what was resident before the model was built"
            ),
            "huge_pages": os.environ.get("THP_MEM_ALLOC_ENABLE", "0"),
        },
        **run.timing(settings.blocks),
        "warmup": "warmup_seconds is the first of two steps, which the first process of an arm "
        "watches; the peak covers both",
        "fallbacks": [
            f"arm {arm} left out by the configuration"
            for arm in MEASURED
            if arm not in settings.arms
        ],
        "deviations": [
            f"arm {MAPPED} maps every tensor on its own, so that freed memory leaves the process "
            "at once; in the others the C library keeps what it may use again",
            "weights all alike and fixed token ids: memory depends on neither",
            "the source's data sizes (1k to 50k samples) change the number of steps, not the "
            "memory of one: no epoch is run, its time is step_seconds times its steps",
        ],
    }


def conditions_planned() -> dict:
    """Nothing ran: dimensions of the claim's models, and a trace on tensors without data."""
    return {
        "ran": {"models": [], "computed": "the dimensions of the claim's models"},
        "models": {**SCOPE, **NAMED},
        "dtype": "as the arm says",
        "warmup": "none: nothing is timed",
        "fallbacks": [],
        "deviations": [
            "computed from published dimensions; not measured on any hardware",
            "arms that end in checkpointing recompute every layer; no mixed precision by autocast",
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """What is planned for the claim's models, and what is measured on those of the settings."""
    cards = load(inputs["cards"])
    measured, models, taken = observe_on_ladder(cards, settings, run)
    return [
        (observe_planned(cards), conditions_planned()),
        (measured, lowered(conditions(cards, models, settings, run), taken, "reduced")),
    ]
