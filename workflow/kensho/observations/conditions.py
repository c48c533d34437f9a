"""The conditions under which observations were made, and those of this process."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from kensho.fallback import REHEARSAL, Tier
from kensho.observations.ran import Ran
from kensho.observations.ran import Record as Record
from kensho.observations.tier import ceiling
from kensho.validation import validated

# Variables of claim F-11 (resources/rocm_variables.yaml); recorded where they are set.
ROCM_VARIABLES = (
    "HIP_FORCE_DEV_KERNARG",
    "TORCH_BLAS_PREFER_HIPBLASLT",
    "HSA_FORCE_FINE_GRAIN_PCIE",
    "HSA_ENABLE_SDMA",
    "HIP_VISIBLE_DEVICES",
    "ROCM_FORCE_DEV_KERNARG",
    "PYTORCH_HIP_ALLOC_CONF",
    "HIP_FORCE_NON_COHERENT",
    "HIPBLASLT_TENSILE_LIBPATH",
    "HIP_LAUNCH_BLOCKING",
    "MIOPEN_DEBUG_DISABLE_FIND_DB",
)
ENGINE_VARIABLES = ("VLLM_ROCM_", "AITER_")  # their beginnings: kernels that vLLM takes or leaves
PACKAGES = ["torch", "transformers", "peft", "lm-eval", "numpy", "pandas"]
EXPECTED = ("ran", "dtype", "warmup", "hardware", "software")  # of all but published results


class Hardware(Record):
    cpu: str
    cores: int
    memory_bytes: int
    accelerators: list[str]


class Conditions(Record):
    """What stands beside an arm's observations.

    A value that differs between the trainings observed is a list. ``own`` holds what a single
    experiment adds; nothing but pages for readers depends on it.
    """

    experiment: str
    arm: str
    tier: Tier | None = Field(None, description="the highest that a claim can get from `ran`")
    ran: Ran | None = Field(None, description="null in files of older versions and where published")
    fallbacks: list[str] = Field(description="taken, each with its reason; they lower the tier")
    deviations: list[str] = Field(description="from what the claim speaks of")
    observations_sha256: str | None = None
    registered: dict[str, dict[str, Any]] = Field({}, description="claims as they stood, by id")
    hardware: Hardware | list[Hardware] | None = None
    software: dict[str, str] | list[dict[str, str]] | None = None
    rocm_variables: dict[str, str] = Field({})
    device: str | dict[str, Any] | None = None
    dtype: str | list[str] | None = Field(None, description="of what was computed")
    weights: str | list[str] | None = Field(None, description="dtype in which they were held")
    threads: int | list[int] | None = None
    batch: int | dict[str, int | str] | None = None
    blocks: int | None = None
    items: int | dict[str, Any] | None = None
    seeds: list[int] = Field([])
    warmup: str | None = None
    models: dict[str, Any] = Field({}, description="name, or record with sha256")
    datasets: dict[str, dict[str, Any]] = Field({}, description="records with sha256")
    trainings: list[dict[str, Any]] = Field([], description="records of kensho.train.record")
    adapters: str | None = None
    thinking: dict[str, int] = Field({})
    bleu: dict[str, str] = Field({})
    not_tested: list[str] = Field([], description="why a task of the settings is missing")
    absent: dict[str, str] = Field({}, description="metrics that could not be had, and why")
    not_measured: list[str] = Field([], description="blocks that are computed")
    note: str | None = None
    asked_sha256: str | None = Field(None, description="of what claims ask of brought tables")
    tables: list[dict[str, Any]] = Field([], description="that were brought, with sha256")
    names_alone: bool = Field(False, description="nothing but names pairs the arms' items")
    judges: list[str] = Field([])
    own: dict[str, Any] = Field({})


def complete(conditions: Mapping, where: str) -> dict:
    """Conditions to be written, with their tier, which only published results state.

    Raises ValueError as :func:`kensho.observations.write` does.
    """
    held = validated(Conditions, dict(conditions), where)
    if held.tier != "published":
        missing = [name for name in EXPECTED if getattr(held, name) is None]
        lines = [f"{where}: {name}: required key is missing" for name in missing]
        if held.tier:
            lines.append(f"{where}: tier: it is derived from `ran`; leave it out")
        lines += [
            f"{where}: models.{name}.path: a folder of this machine is no condition; leave it out"
            for name, model in held.models.items()
            if isinstance(model, dict) and "path" in model
        ]
        if held.ran is None or lines:
            raise ValueError("\n".join(lines))
        ran = held.ran
        if os.environ.get(REHEARSAL):
            rehearsed = {**ran.at_most, "a rehearsal: twins, and a few rows": "rehearsal"}
            ran = Ran.model_validate({**ran.model_dump(exclude_unset=True), "at_most": rehearsed})
        held = held.model_copy(update={"ran": ran, "tier": ceiling(ran)})
    return held.model_dump(exclude_unset=True)


def stored(conditions: Mapping, where: str) -> dict:
    """Conditions as they were written, by whichever version: what it did not know is ``own``."""
    known = {name: value for name, value in conditions.items() if name in Conditions.model_fields}
    own = {name: value for name, value in conditions.items() if name not in known}
    if own:
        known["own"] = own | known.get("own", {})
    return validated(Conditions, known, where).model_dump(exclude_unset=True)


def environment() -> dict:
    """Hardware and software of this process, for the conditions file."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    accelerators = []
    if "torch" in sys.modules:
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        accelerators = [torch.cuda.get_device_name(i) for i in range(count)]
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    chosen = (n for n in os.environ if n in ROCM_VARIABLES or n.startswith(ENGINE_VARIABLES))
    variables = {name: os.environ[name] for name in sorted(chosen)}
    return ({"rocm_variables": variables} if variables else {}) | {
        "hardware": {
            "cpu": cpu,
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "accelerators": accelerators,
        },
        "software": {"python": platform.python_version(), "os": platform.platform(), **installed},
    }
