"""R-5 and memory optimisation: what a training step holds, planned, traced and measured.

Every arm trains two steps in a fresh process. Beside its peak stand the plan made from the
architecture card (kensho.train.plan) and the peak of all living tensors, so that the gap between
plan and peak splits into what the plan leaves out and what allocator and libraries add. Arms
``planned-*`` are computed only, at the dimensions of the models of the claim.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import pandas as pd
import torch

from kensho.bench.blocks import interleaved
from kensho.bench.memory_arms import (
    MAPPED,
    MEASURED,
    PLANNED,
    PLANNED_CELLS,
    SCOPE,
)
from kensho.bench.run import Inputs, Observed, Run, Settings
from kensho.fallback import OutOfMemory, lowered, on_smaller
from kensho.models.cards import Card, load
from kensho.observations import table
from kensho.train.plan import Step, largest_batch, plan, source_plan
from kensho.train.step import run, trace

EXPERIMENT = "training_memory"
SOURCE_ACCELERATOR = 192 * 10**9  # bytes, of F-10
STATE = ("weights", "adapters", "gradients", "optimizer")
UNITS = {"warmup_seconds": "s", "step_seconds": "s"}
PRELOAD = ["kensho.train.step", "transformers.models.llama.modeling_llama", "peft"]

Cell = tuple[int, int]  # batch, length


def observe(
    cards: Mapping[str, Card],
    *,
    arms: list[str],
    adapted: str,
    full: str,
    cells: list[Cell],
    blocks: int,
    largest: list[str],
    largest_length: int,
    limit_bytes: int,
    seed: int,
    threads: int,
) -> pd.DataFrame:
    """Observation table of the measured arms; block = ``B<batch>-L<length>``, replicate = process.

    ``adapted`` and ``full`` name the cards of LoRA and of full fine-tuning. Metrics of each run as
    :func:`kensho.train.step.run` gives them; per cell ``planned_<component>_bytes``. Arms
    ``largest-<arm>`` hold, in block ``L<length>``, the ``limit_bytes``, the ``planned_batch`` and
    the ``measured_batch``, and beside the peak of each batch that was tried its plan. Raises
    ValueError if tensors differ from the plan by a byte, OutOfMemory if a cell does not fit.
    """
    jobs = {"seed": seed, "threads": threads, "preload": PRELOAD}
    rows = []
    for cell in cells:
        steps = {arm: _step(MEASURED[arm], cell) for arm in arms}
        chosen = {arm: cards[full if s.method.whole else adapted] for arm, s in steps.items()}
        watched, plain = (
            {
                arm: partial(run, chosen[arm], steps[arm], threads, mapped=arm == MAPPED, watched=w)
                for arm in arms
            }
            for w in (True, False)
        )
        # what is counted does not vary: once is enough
        results = interleaved(watched, blocks=1, **jobs)
        for result in interleaved(plain, blocks=blocks - 1, **jobs):
            results.append({**result, "block": result["block"] + 1})
        for result in results:
            arm, replicate = result.pop("arm"), result.pop("block")
            result.pop("position")
            compare(arm, cell, result, chosen[arm], steps[arm])
            rows += _rows(arm, _name(cell), _named(result), replicate)
        for arm in arms:
            rows += _rows(arm, _name(cell), planned_bytes(chosen[arm], steps[arm]))
    for arm in largest:
        step = _step(MEASURED[arm], (1, largest_length))
        card = cards[full if step.method.whole else adapted]
        rows += _largest(arm, card, step, limit_bytes, jobs)
    return table(rows)


def observe_on_ladder(
    cards: Mapping[str, Card], *, adapted: str, full: str, ladder: list[str], **given
) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """:func:`observe`, the cards used, and the fallbacks taken.

    Where a step runs out of memory, all arms start again on the next card of ``ladder``: arms on
    different models could not be compared. Raises OutOfMemory if the last does not fit either.
    """
    first = adapted if adapted == full else f"{adapted} and {full}"
    rungs = {first: {"adapted": adapted, "full": full}}
    rungs |= {name: {"adapted": name, "full": name} for name in ladder}
    return on_smaller(lambda used: observe(cards, **used, **given), rungs)


def observe_planned(cards: Mapping[str, Card]) -> pd.DataFrame:
    """Observation table of the arms that are computed only, and of the shares of F-10."""
    rows = []
    for arm, settings in PLANNED.items():
        for cell in PLANNED_CELLS:
            card, step = cards[SCOPE[settings["method"].name]], _step(settings, cell)
            rows += _rows(arm, _name(cell), planned_bytes(card, step))
        if step.method.weights != "nf4":  # layers are alike: two show what any number keeps
            thin = card.model_copy(update={"config": {**card.config, "num_hidden_layers": 2}})
            compare(arm, cell, trace(thin, step), thin, step)
    shares = {f"{k}_bytes": v for k, v in source_plan(SOURCE_ACCELERATOR).items()}
    return table([*rows, *_rows("source-shares", "192-GB", shares)])


def planned_bytes(card: Card, step: Step) -> dict[str, int]:
    """The plan of one step as metrics; ``planned_state_bytes`` is all but activations and loss."""
    planned = plan(card, step)
    found = {f"planned_{name}_bytes": value for name, value in planned.items()}
    kept = planned["activations"] + planned["loss"]
    return found | {
        "planned_saved_bytes": kept,
        "planned_state_bytes": sum(planned[name] for name in STATE),
    }


def compare(arm: str, cell: Cell, result: Mapping, card: Card, step: Step) -> None:
    """Refuse tensors that differ from the plan.

    What autograd keeps must agree too, but for an accelerator, whose attention kernel keeps more
    than the plan knows: there the difference is left to be read from the metrics.
    """
    planned = plan(card, step)
    planned["saved_bytes"] = planned["activations"] + planned["loss"]
    for name in STATE if torch.cuda.is_available() else (*STATE, "saved_bytes"):
        if name in result and result[name] != planned[name]:
            raise ValueError(
                f"{arm}, {_name(cell)}: {name} hold {result[name]} bytes, planned {planned[name]}"
            )


def search(fits: Callable[[int], bool], start: int) -> int:
    """The largest number that fits, 0 if 1 does not, tried from ``start`` outward."""
    low, high, batch = 0, None, max(1, start)
    while high is None or high - low > 1:
        if fits(batch):
            low = batch
        else:
            high = batch
        if high is None:
            batch = low + max(1, low // 4)
        else:
            batch = (low + high) // 2 if low else high - max(1, high // 4)
    return low


def _largest(arm: str, card: Card, step: Step, limit: int, jobs: dict) -> Iterator[dict]:
    """Planned and measured answer to how many samples fit, each try in a fresh process."""
    peaks: dict[int, int] = {}

    def fits(batch: int) -> bool:
        trial = partial(run, card, replace(step, batch=batch), jobs["threads"], watched=False)
        try:
            peaks[batch] = interleaved({arm: trial}, blocks=1, **jobs)[0]["peak_bytes"]
        except OutOfMemory:
            return False
        return peaks[batch] <= limit

    planned = largest_batch(card, step, limit)
    found = search(fits, planned)
    for batch, peak in peaks.items():
        expected = plan(card, replace(step, batch=batch))["peak"]
        beside = {"peak_bytes": peak, "planned_peak_bytes": expected}
        yield from _rows(f"largest-{arm}", _name((batch, step.length)), beside)
    answers = {"limit_bytes": limit, "planned_batch": planned, "measured_batch": found}
    yield from _rows(f"largest-{arm}", f"L{step.length}", answers)


def _named(result: Mapping) -> dict:
    return {f"{name}_bytes" if name in STATE else name: v for name, v in result.items()}


def _rows(arm: str, block: str, values: Mapping, replicate: int = 0) -> Iterator[dict]:
    for metric, value in values.items():
        unit = UNITS.get(metric, "samples" if metric.endswith("_batch") else "bytes")
        yield {
            **{"experiment": EXPERIMENT, "arm": arm, "block": block, "replicate": replicate},
            **{"metric": metric, "value": value, "unit": unit},
        }


def _step(settings: Mapping, cell: Cell) -> Step:
    return Step(**settings, batch=cell[0], length=cell[1])


def _name(cell: Cell) -> str:
    return f"B{cell[0]}-L{cell[1]}"


def conditions(
    *, arms: list[str], adapted: str, full: str, blocks: int, threads: int, seed: int
) -> dict:
    """What the measured arms ran under."""
    at_scope_models = adapted == SCOPE["lora"] and full == SCOPE["full"]
    return {
        "tier": "reference" if at_scope_models else "reduced",
        "models": {"lora": adapted, "full": full},
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
        "blocks": blocks,
        "threads": threads,
        "seeds": [seed],
        "warmup": "warmup_seconds is the first of two steps, which the first process of an arm "
        "watches; the peak covers both",
        "fallbacks": [
            f"arm {arm} left out by the configuration" for arm in MEASURED if arm not in arms
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
        "tier": "analytic",
        "models": SCOPE,
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
    measured = dict(settings)
    order = {"seed": run.seed, "threads": run.threads}
    cells = [(cell["batch"], cell["length"]) for cell in measured.pop("cells")]
    if run.retries_left:
        measured["ladder"] = []  # a retry with more memory comes before a smaller model
    cards = load(inputs["cards"])
    observed, used, taken = observe_on_ladder(cards, cells=cells, **measured, **order)
    kept = {key: measured[key] for key in ("arms", "blocks")}
    return [
        (observe_planned(cards), conditions_planned()),
        (observed, lowered(conditions(**kept, **used, **order), taken, "reduced")),
    ]
