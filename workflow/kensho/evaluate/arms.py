"""Evaluating one arm: its seeds, and the conditions of what they give."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from kensho.evaluate.engines import Served
from kensho.fallback import lowered
from kensho.models import reference
from kensho.models.reference import Reference
from kensho.train import record


def replicates(
    model: Path | str, references: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[int, Reference]]:
    """Training seed and model of each replicate.

    ``references`` are the files of the trained models in the order of ``seeds``; without any, the
    model of the file ``model`` is the one replicate.
    """
    trained = [reference.read(path) for path in references] or [
        Reference.of_base(reference.base(model))
    ]
    return zip(seeds, trained, strict=True)


def conditions(
    model: Path | str,
    records: Sequence[Path | str],
    *,
    dtype: torch.dtype,
    threads: int,
    not_tested: Sequence[str],
    asked: Sequence[Mapping],
    served: Sequence[Served],
) -> dict:
    """Models, data and settings behind an arm's observations.

    ``model`` is the file of the base model, ``records`` those of the arm's trainings;
    ``asked`` says what of which table it was evaluated on (kensho.observations.ran.Data), and
    ``served`` by what engine, replicate by replicate.
    """
    base, trainings = reference.base(model), [record.read(path) for path in records]
    taken = [f"training: {line}" for training in trainings for line in training.fallbacks]
    by_stage = {one.number: one.data.model_dump() for one in trainings if one.data}
    made = {
        "ran": {"models": [base.ran()], "data": [*by_stage.values(), *asked]},
        "dtype": str(dtype).removeprefix("torch."),
        "threads": threads,
        "seeds": [training.seed for training in trainings],
        "models": {base.name: base.described()},
        "trainings": [training.model_dump() for training in trainings],
        "warmup": "none: answers do not depend on time",
        "fallbacks": [],
        "not_tested": list(not_tested),
        "adapters": "applied beside the weights of their base"
        if served[0].engine["name"] == "vllm"
        else "added to the weights of their base in float32, applied beside them otherwise",
        "deviations": [
            f"{base.name}, of {base.parameters / 1e6:.0f}M parameters, on short sentences"
        ],
    }
    taken += [one.fallback for one in served if one.fallback]
    made["own"] = {"engine": served[0].engine}
    if any(one.engine != served[0].engine for one in served):
        raise ValueError(
            "the replicates of an arm ran in different engines or settings of one: set engine: "
            "transformers"
        )
    return lowered(made, list(dict.fromkeys(taken)), "reference")
