"""The machine and the Python that a job or a head runs on, and what it used of them.

Read from /proc, /sys and from what is loaded: nothing is imported or started for it.
"""

import hashlib
import os
import platform
import re
import resource
import sys
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from kensho.run.events import Machine

SALT = Path(".snakemake/kensho.salt")
DRIVERS = ("nvidia", "amdgpu")  # kernel modules


@cache
def host() -> str:
    """A digest that tells nodes apart; without the salt, which stays here, it names none.

    Nothing where the salt can be neither read nor written.
    """
    with suppress(OSError):
        SALT.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(SALT, "x", encoding="utf-8") as file:
            file.write(uuid.uuid4().hex)
        salt = SALT.read_text(encoding="utf-8")
        return hashlib.sha256(f"{salt} {platform.node()}".encode()).hexdigest()[:12]
    return ""


@cache
def machine() -> Machine:
    """What is known before torch is loaded."""
    return Machine(
        cpu=_line("/proc/cpuinfo", "model name") or platform.processor() or None,
        cores=os.cpu_count(),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        system=platform.platform(),
        drivers=drivers(),
    )


def drivers(modules: Path = Path("/sys/module")) -> dict[str, str]:
    """Versions of the loaded drivers of accelerators, by kernel module."""
    versions = {}
    for name in DRIVERS:
        if (modules / name).is_dir():
            file = modules / name / "version"
            versions[name] = (
                file.read_text(encoding="utf-8").strip() if file.exists() else "the kernel's own"
            )
    return versions


def _line(path: str, name: str) -> str | None:
    """The first value of this name in a file of `name : value` lines."""
    with suppress(OSError):
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        if line := re.search(rf"^{name}\s*:\s*(.+)$", text, re.M):
            return line[1].strip()
    return None


# --- Python


@cache
def _installed() -> dict[str, tuple[str, Path]]:
    """Version and record of each package that this Python finds, by name."""
    packages = {}
    for folder in map(Path, reversed(sys.path)):  # the first one that has it is the one imported
        for record in sorted(folder.glob("*.dist-info")):
            name, _, version = record.stem.rpartition("-")
            packages[name] = version, record
    return packages


def packages() -> dict[str, str]:
    """Versions of what is installed."""
    return {name: version for name, (version, _) in _installed().items()}


@cache
def environment() -> dict[str, int | str]:
    """The Python that runs, and the digest of the packages that it finds with their versions."""
    listed = [f"{name}-{version}" for name, version in packages().items()]
    return {
        "name": Path(sys.prefix).name,
        "python": platform.python_version(),
        "packages": len(listed),
        "sha256": hashlib.sha256("\n".join(sorted(listed)).encode()).hexdigest(),
    }


def imported() -> dict[str, str]:
    """Versions of the packages whose modules this process has loaded."""
    loaded = {name.partition(".")[0].lower() for name in sys.modules} - {*sys.stdlib_module_names}
    return {
        name: version
        for name, (version, record) in _installed().items()
        if name.lower() in loaded or not loaded.isdisjoint(_modules(record))
    }


def _modules(record: Path) -> set[str]:
    """Top-level modules of a package; nothing where it does not tell."""
    for name in ("top_level.txt", "RECORD"):
        with suppress(OSError):
            lines = (record / name).read_text(encoding="utf-8", errors="replace").splitlines()
            return {re.split(r"[/.,]", line)[0].lower() for line in lines}
    return set()


# --- what was used


def peak_bytes() -> int | None:
    """Resident memory of the largest of this process and those that it has waited for.

    Its own is not taken from getrusage, whose peak a process inherits from the one that starts it.
    """
    own = _line("/proc/self/status", "VmHWM")
    if own is None:
        return None
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return 1024 * max(int(own.split()[0]), children)


def torch() -> dict[str, Any]:
    """``toolkit``, and where a device was used ``devices``, ``device``, ``device_peak_bytes``.

    Nothing where the job has not imported torch.
    """
    used: dict[str, Any] = {}
    module: Any = sys.modules.get("torch")
    # an import that failed half-way; a device that an error has left unusable
    with suppress(AttributeError, RuntimeError):
        hip, cuda = module.version.hip, module.version.cuda
        used["toolkit"] = f"ROCm {hip}" if hip else f"CUDA {cuda}" if cuda else "none"
        if module.cuda.is_initialized():
            numbers = range(module.cuda.device_count())
            used["devices"] = [module.cuda.get_device_name(number) for number in numbers]
            used["device"] = module.cuda.get_device_name()
            used["device_peak_bytes"] = max(map(module.cuda.max_memory_reserved, numbers))
    return used
