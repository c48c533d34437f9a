"""Hardware cards: what vendors specify of their accelerators, and which device is which."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kensho.models import cards

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Peaks(_Record):
    """Dense matrix peaks in TFLOP/s; null where the hardware has no such matrix operation."""

    float32: Positive | None
    tfloat32: Positive | None
    float16: Positive | None
    bfloat16: Positive | None
    float8: Positive | None


class Links(_Record):
    """Links of a module to its peers; bytes per second of one link, both directions together."""

    kind: str
    count: Count
    bytes_per_s: Count


class Hardware(_Record, cards.Named):
    """One accelerator module; its figures are shared evenly by the devices that software sees."""

    name: str
    devices: Annotated[list[str], Field(min_length=1)]
    devices_per_module: Count
    compute_units: Count = Field(description="of one device")
    matrix_cores_per_unit: Count | None = Field(description="null where the source has none")
    memory_bytes: Count
    bandwidth_bytes_per_s: Count
    last_level_cache_bytes: Count | None = Field(description="null where no claim reads it")
    last_level_cache_bytes_per_s: Count | None = Field(description="at peak; null as above")
    matrix_tflops: Peaks
    links: Links
    source: Annotated[str, Field(min_length=1)]
    remark: str

    def peak_tflops(self, dtype: str) -> float | None:
        """Dense matrix peak of one device in TFLOP/s, or None where it has none."""
        peak = getattr(self.matrix_tflops, dtype, None)
        return None if peak is None else peak / self.devices_per_module


def load(path: Path) -> dict[str, Hardware]:
    """Read the cards of a YAML list, by name. Raises ValueError with one line for each problem."""
    return cards.load_kind(path, Hardware)


def find(known: Iterable[Hardware], device: str, compute_units: int) -> Hardware | None:
    """The card of a device, by the name and the number of compute units that it reports.

    None for unknown devices and for partitions of known ones, whose peaks no card gives.
    """
    for card in known:
        if card.compute_units == compute_units and any(
            fnmatchcase(device, pattern) for pattern in card.devices
        ):
            return card
    return None


def require(devices: int, nodes: int = 1) -> None:
    """Raises ValueError where a job was given more than torch sees."""
    import torch

    if devices > (seen := torch.cuda.device_count()) * nodes:
        raise ValueError(
            f"the job has {devices} accelerators on {nodes} node(s), torch sees {seen} on this "
            "one; mend HIP_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES, or set "
            "cluster.devices_per_node to what a node has"
        )


def detected() -> str:
    """``rocm``, ``cuda`` or ``none``: what torch sees on this machine."""
    import torch  # where it is needed only: loading it takes seconds

    if not torch.cuda.is_available():
        return "none"
    return "rocm" if torch.version.hip else "cuda"
