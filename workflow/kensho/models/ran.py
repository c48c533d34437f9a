"""What conditions say of a model that ran: fields of :class:`kensho.observations.ran.Model`."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from kensho.files import sha256
from kensho.models.cards import Card
from kensho.models.reference import WEIGHTS


def of_record(record: Mapping[str, Any]) -> dict:
    """A model that was converted from a package's file, so that its weights are not its own."""
    return {
        "name": record["source"]["name"],
        "weights": "other",
        "files": {WEIGHTS: record["safetensors_sha256"]},
        "parameters": record["parameters"],
    }


def of_folder(folder: Path) -> dict:
    """A model of a folder that says nothing of where its weights come from."""
    with open(folder / WEIGHTS, "rb") as file:  # the format of safetensors: size, header, tensors
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__", None)
    return {
        "name": folder.name,
        "weights": "other",
        "files": {WEIGHTS: sha256(folder / WEIGHTS)},
        "parameters": sum(prod(tensor["shape"]) for tensor in header.values()),
    }


def of_card(card: Card, *, whole: bool = True) -> dict:
    """A model of random weights, with the card's dimensions or (not ``whole``) smaller ones."""
    return {"name": card.name, "hub": card.hub, "weights": "random", "as_card": whole}
