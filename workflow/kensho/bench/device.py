"""F-9: what the accelerator says of itself, and what copies within it and to its peers reach.

Memory and compute units are asked for. The peaks of memory and links cannot be: copies stand in for
them, from below, so that they settle neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import torch
from torch.utils.benchmark import Timer

from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Inputs, Observed, Run
from kensho.models import hardware
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.settings import Device as Settings

EXPERIMENT = "device"
NOT_HERE = "F-9 is not tested here: it asks an accelerator, and torch sees none"
STAND_IN = "copies, which reach less than a peak, stand in for the peak of the data sheet"
SECONDS = 0.2  # timed in each process and for each kind of copy, at least
UNITS = {
    "copy_bytes_per_second": "bytes/s",  # within device 0, read plus written
    "peer_bytes_per_second": "bytes/s",  # of device 0 with .n, both directions at once
    "links_bytes_per_second": "bytes/s",  # sum over the peers
    "gigabyte": "bytes",
    "terabyte": "bytes",
}


class Device(NamedTuple):
    """What torch says of device 0."""

    name: str
    memory_bytes: int
    compute_units: int


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Arms ``device`` and ``copies``. Raises ValueError where there is no accelerator."""
    if hardware.detected() == "none":
        raise ValueError(NOT_HERE)
    work = {"copies": partial(copies, settings.copied_bytes)}
    # nothing is preloaded: a server that has counted the devices has no use of them in its forks
    results = interleaved(work, settings.blocks, run)
    properties = torch.cuda.get_device_properties(0)
    device = Device(properties.name, properties.total_memory, properties.multi_processor_count)
    known = hardware.load(inputs["hardware"]).values()
    card = hardware.find(known, device.name, device.compute_units)
    return [counted(device, card), timed(device, card, results, run.timing(settings.blocks))]


def counted(device: Device, card: hardware.Hardware | None) -> tuple[pd.DataFrame, dict]:
    """Arm ``device``; matrix cores only where a card says how many a compute unit has."""
    values = [
        ("memory_bytes", device.memory_bytes, "bytes"),
        ("gibibyte", 2**30, "bytes"),
        ("compute_units", device.compute_units, "units"),
        ("compute_unit", 1, "units"),
    ]
    absent = {}
    if card and card.matrix_cores_per_unit:
        cores = device.compute_units * card.matrix_cores_per_unit
        values += [("matrix_cores", cores, "cores"), ("matrix_core", 1, "cores")]
    else:
        absent["matrix_cores"] = (
            f"no card says how many matrix cores a compute unit of this {device.name} has"
        )
    return table(Row(EXPERIMENT, "device", "all", 0, *value) for value in values), {
        **_conditions(device, card, absent),
        "dtype": "none",
        "warmup": "none: counts do not depend on time",
        "deviations": [],
    }


def timed(
    device: Device, card: hardware.Hardware | None, results: Sequence[Mapping], timing: Mapping
) -> tuple[pd.DataFrame, dict]:
    """Arm ``copies``; the sum over peers only where each of the device's links leads to one."""
    peers = [name for name in results[0] if name.startswith("peer_")]
    links = card.links.count if card else None
    rows = [{**result, "gigabyte": 10**9, "terabyte": 10**12} for result in results]
    absent = {}
    if len(peers) == links:
        for row in rows:
            row["links_bytes_per_second"] = sum(row[name] for name in peers)
    else:
        absent["links_bytes_per_second"] = (
            f"device 0 ({device.name}) reaches {len(peers)} peers and its card gives it "
            f"{links or 'no'} links, which are summed only where each leads to one peer: in a job "
            "that has all devices of a node (on a cluster: --set-resources device:gpu=8 "
            "--forcerun device)"
        )
    conditions = _conditions(device, card, absent)
    conditions["ran"]["stand_ins"] = [STAND_IN]
    return observed(EXPERIMENT, rows, UNITS), {
        **conditions,
        **timing,
        "dtype": "uint8",
        "warmup": "one copy of each kind in each process, not timed",
        "deviations": ["torch's own copies: a kernel tuned for the device may be faster"],
    }


def _conditions(device: Device, card: hardware.Hardware | None, absent: dict[str, str]) -> dict:
    """What both arms say; a device without a card may be a part of one."""
    left_out = [] if card else [f"no card for {device.name} of {device.compute_units} units"]
    return {
        "ran": {"models": [], "at_most": dict.fromkeys(left_out, "reference")},
        "device": {**device._asdict(), "card": card.name if card else None},
        "fallbacks": left_out,
        "absent": absent,
    }


def copies(size: int) -> dict[str, float]:
    """One process: bytes per second within device 0, and with each peer that it reaches."""
    source, target = _pair(size, 0)
    rates = {"copy_bytes_per_second": _rate([(source, target)])}
    for peer in range(1, torch.cuda.device_count()):
        if torch.cuda.can_device_access_peer(0, peer):
            there, back = _pair(size, peer)
            rates[f"peer_bytes_per_second.{peer}"] = _rate([(source, back), (there, target)])
    return rates


def _pair(size: int, device: int) -> list[torch.Tensor]:
    place = f"cuda:{device}"
    return [torch.ones(size, dtype=torch.uint8, device=place) for _ in range(2)]


def _rate(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Bytes per second of copies from the first to the second of each pair, all at once.

    A copy within a device counts twice, as read and written; one between devices once, as on a
    link. Raises ValueError where a copy differs from its source.
    """
    streams = [[torch.cuda.Stream(tensor.device) for tensor in pair] for pair in pairs]
    devices = {tensor.device for pair in pairs for tensor in pair}

    def wait():
        for device in devices:
            torch.cuda.synchronize(device)

    def copy():
        for (source, target), (first, second) in zip(pairs, streams, strict=True):
            with torch.cuda.stream(first), torch.cuda.stream(second):
                target.copy_(source, non_blocking=True)
        wait()

    wait()  # for the tensors: streams of one's own do not
    copy()
    for source, target in pairs:
        if not torch.equal(source[::4096].cpu(), target[::4096].cpu()):
            raise ValueError(f"a copy from {source.device} to {target.device} is not as its source")
    seconds = Timer("copy()", globals={"copy": copy}).blocked_autorange(min_run_time=SECONDS).median
    moved = sum(source.nbytes * (1 + (source.device == target.device)) for source, target in pairs)
    return moved / seconds
