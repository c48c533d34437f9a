"""Peak memory of this process, or of the accelerator where there is one."""

import re
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def resident_bytes(field: str = "VmRSS") -> int:
    """A memory line of /proc/self/status in bytes (VmRSS: now, VmHWM: peak)."""
    line = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text(encoding="utf-8"))
    if line is None:
        raise ValueError(f"{STATUS}: no line {field}; the memory of a process cannot be seen here")
    return int(line[1]) * 1024


def reset_peak() -> bool:
    """Start a new peak here; False where the kernel does not allow it."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        return True
    except OSError:
        return False


def peak_bytes() -> int:
    """Peak since :func:`reset_peak`: allocated on the accelerator, else resident on the host."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resident_bytes("VmHWM")
