"""Models as files that rules pass on; the weights stay where they were fetched or made.

``results/models/<name>.json`` is a :class:`Base`, a model as it begins; ``model.json`` of a stage
of training is a :class:`Reference`, a base with what was trained.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kensho.files import read_json, sha256, write_json
from kensho.validation import Section

WEIGHTS = "*.safetensors"
ADAPTER = "adapter_model.safetensors"


class Origin(Section):
    """Where a model is from, as records state it: not the folder of this machine that holds it.

    ``weights``, ``hub``, ``revision``, ``files``, ``parameters`` and ``as_card`` as in
    :class:`kensho.observations.ran.Model`.
    """

    name: str
    weights: Literal["own", "other", "twin"]
    hub: str | None = None
    revision: str | None = None
    files: dict[str, str]
    parameters: int
    as_card: bool = False
    chat: bool = Field(False, description="whether a prompt is a turn of its chat template")
    licence: str | None = None
    made: dict[str, Any] = Field({}, description="how, where the weights are not as published")

    def ran(self) -> dict[str, Any]:
        """What conditions say of it: a :class:`kensho.observations.ran.Model`."""
        return self.model_dump(exclude={"path", "chat", "licence", "made"})

    def described(self) -> dict[str, Any]:
        """All that records state of it."""
        return self.model_dump(exclude={"path"})


class Base(Origin):
    """A model that can be loaded from the folder ``path``."""

    path: str

    @property
    def folder(self) -> Path:
        return Path(self.path).expanduser()


def base(path: Path | str) -> Base:
    """A model from its file, or (by hand) from a folder, of whose origin nothing is known."""
    path = Path(path)
    if not path.is_dir():
        return Base.model_validate(read_json(path))
    return Base(
        name=path.name,
        path=str(path),
        weights="other",
        files=weights(path),
        parameters=parameters(path),
    )


class Adapter(Section):
    """A folder that PEFT wrote, and the method that made it."""

    path: str
    sha256: str
    method: str


class Reference(Section):
    """A model: folder and sha256 of its weights, how they are held, adapters in their order.

    ``compute`` is the dtype that it was trained to compute in, None for one that was not trained.
    """

    base: str
    files: dict[str, str]
    adapters: list[Adapter] = Field([])
    weights: str = "as computed"
    compute: str | None = None

    @classmethod
    def of(cls, folder: Path | str) -> Reference:
        """The model of a folder, as it is."""
        return cls(base=str(folder), files=weights(Path(folder)))

    @classmethod
    def of_base(cls, model: Base) -> Reference:
        return cls(base=str(model.folder), files=model.files)

    def trained(self, folder: Path, method: str | None, *, weights: str, compute: str) -> Reference:
        """What a training of this model saved: adapters of ``method``, or (None) a whole model."""
        if method is None:
            return Reference.of(folder).model_copy(update={"weights": weights, "compute": compute})
        made = Adapter(path=str(folder), sha256=sha256(folder / ADAPTER), method=method)
        held = {"adapters": [*self.adapters, made], "weights": weights, "compute": compute}
        return self.model_copy(update=held)


def read(path: Path | str) -> Reference:
    """A reference from its file."""
    return Reference.model_validate(read_json(path))


def write(path: Path | str, model: Base | Reference) -> None:
    write_json(path, model.model_dump())


def weights(folder: Path) -> dict[str, str]:
    """sha256 of a model's weights by file. Raises ValueError for a folder without any."""
    files = {path.name: sha256(path) for path in sorted(folder.glob(WEIGHTS))}
    if not files:
        raise ValueError(f"{folder}: no safetensors weights in it; delete it to make it again")
    return files


def parameters(folder: Path) -> int:
    """Elements of all tensors of a model's weights."""
    return sum(elements(folder).values())


def elements(folder: Path) -> dict[str, int]:
    """Elements of each tensor of a model's weights by name, from the headers of their files."""
    counts: dict[str, int] = {}
    for path in folder.glob(WEIGHTS):
        with open(path, "rb") as file:  # the format of safetensors: size, header, tensors
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = {name: one for name, one in header.items() if name != "__metadata__"}
        counts |= {name: prod(one["shape"]) for name, one in tensors.items()}
    return counts
