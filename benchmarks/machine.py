"""What a benchmark ran on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe() -> str:
    """CPU, usable cores and the versions that matter, in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpus = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    packages = ("pymc", "pytensor", "nutpie", "numba", "arviz", "numpy", "scipy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    cores = len(os.sched_getaffinity(0))
    cpu = cpus[0] if cpus else platform.processor()
    return f"{cpu}, {cores} cores, Python {platform.python_version()}, {versions}"
