"""Evaluating one arm: its seeds one after the other, items and totals as observations."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from kensho.jlce import harness
from kensho.models.loading import load
from kensho.observations import environment

TRAINING_METRICS = {
    "trainable_parameters": "parameters",
    "peak_memory_bytes": "bytes",
    "tokens_per_second": "tokens/s",
}


def models(
    base: Path, trained: Mapping[int, Path | None], *, method: str, dtype: torch.dtype
) -> Iterator[tuple]:
    """Training seed, model and tokenizer of each replicate, one after the other.

    ``trained`` holds an adapter (method ``lora``), a whole model (``full``) or None for the base
    model itself.
    """
    for seed, folder in trained.items():
        whole = folder if method == "full" else base
        yield seed, *load(whole, dtype, folder if method == "lora" else None)


def rows(
    arm: str, samples: Mapping[int, Mapping[str, list]], records: list[Path]
) -> tuple[list[dict], list[dict]]:
    """Observation rows per item (experiment evaluation) and per seed (experiment adaptation).

    ``records`` are those of the arm's trainings; their memory, speed and parameter counts join
    the rows of their seed.
    """
    per_item, per_seed = [], []
    for seed, logs in samples.items():
        found = harness.items(logs)
        per_item += (
            found.drop(columns="task")
            .assign(experiment="evaluation", arm=arm, replicate=seed)
            .to_dict("records")
        )
        per_seed += [_row(arm, seed, *total) for total in harness.totals(logs)]
    for record in map(_read, records):
        per_seed += [
            _row(arm, record["seed"], metric, record[metric], unit)
            for metric, unit in TRAINING_METRICS.items()
        ]
    return per_item, per_seed


def _row(arm: str, seed: int, metric: str, value: float, unit: str) -> dict:
    return {
        "experiment": "adaptation",
        "arm": arm,
        "block": f"seed-{seed}",
        "replicate": 0,
        "metric": metric,
        "value": value,
        "unit": unit,
    }


def conditions(
    base: str, records: list[Path], *, dtype: torch.dtype, threads: int, not_tested: list[str]
) -> dict:
    """Models, data and settings behind an arm's observations; a small model on any machine."""
    model, trainings = _read(Path(f"{base}.json")), [_read(record) for record in records]
    taken = [f"training: {line}" for record in trainings for line in record.get("fallbacks") or []]
    return {
        "tier": "reduced",
        "dtype": str(dtype).removeprefix("torch."),
        "threads": threads,
        "seeds": [record["seed"] for record in trainings],
        "models": {model["source"]["name"]: model},
        "trainings": trainings,
        "warmup": "the first two training steps are left out of tokens per second",
        "fallbacks": list(dict.fromkeys(taken)),
        "not_tested": not_tested,
        "adapters": "added to the weights of their base in float32, applied beside them otherwise",
        "deviations": [
            f"a model of {model['parameters'] / 1e6:.0f}M parameters and short sentences stand in "
            "for the claim's"
        ],
        **environment(),
    }


def _read(path: Path) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))
