"""A model as a file: the weights it begins with and the adapters over them.

``model.json`` is what rules pass on; the weights stay where they were made.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from kensho.files import read_json, sha256, write_json
from kensho.validation import Section

WEIGHTS = "model.safetensors"
ADAPTER = "adapter_model.safetensors"


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
    sha256: str
    adapters: list[Adapter] = Field([])
    weights: str = "as computed"
    compute: str | None = None

    @classmethod
    def of(cls, folder: Path | str) -> Reference:
        """The model of a folder, as it is."""
        return cls(base=str(folder), sha256=sha256(Path(folder) / WEIGHTS))

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


def write(path: Path | str, reference: Reference) -> None:
    write_json(path, reference.model_dump())
