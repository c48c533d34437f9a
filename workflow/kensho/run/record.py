"""What an event says of a job: its files, its params as far as they may be shown, its place.

No user, no host by name, no folder of this machine and no address beyond its site.
"""

import hashlib
import json
import os
import platform
import re
import sys
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from kensho.files import sha256
from kensho.messages import escaped, plain
from kensho.run import events
from kensho.run.events import Event, File, Held

SECRET = re.compile("token|secret|password|credential|api.?key", re.I)
LONGEST = 2000  # characters of a value that is shown
LARGE = 16 * 2**20  # bytes from which on a hash is looked for in earlier events
ASKED_FOR = ("mem_mb", "runtime", "gpu", "gpu_model")  # resources; others may name an account


def started(snakemake: Any) -> Event:
    """The event of a job that starts now."""
    params, resources = dict(snakemake.params.items()), snakemake.resources
    runtime = resources.get("runtime", 0)
    held = Held(snakemake.threads, resources.get("gpu", 0), snakemake.config["accelerator"])
    recorded = bool(snakemake.output)  # Snakemake keeps params of what has outputs, too
    return Event(
        "started",
        events.now(),
        attempt=uuid.uuid4().hex[:12],
        rule=snakemake.rule,
        wildcards={name: escaped(str(value)) for name, value in snakemake.wildcards.items()},
        part=params.get("code_of"),
        held=held,
        limit_s=60.0 * runtime if runtime else None,
        scheduler=os.environ.get("SLURM_JOB_ID", ""),
        resources={name: resources.get(name) for name in ASKED_FOR if resources.get(name)},
        host=hashlib.sha256(platform.node().encode()).hexdigest()[:12],
        environment=environment(),
        code=params.get("code"),
        params_sha256=hashlib.sha256(_json(params).encode()).hexdigest() if recorded else None,
        params=shown(params) if recorded else {},
        log=escaped(str(snakemake.log[0])),
        inputs=[_file(path) for path in _paths(snakemake.input)],
    )


def ended(event: Event, snakemake: Any) -> Event:
    """The event with sha256 of its inputs, where they are as they were, and its outputs."""
    inputs = [
        _hashed(path, file) if _file(path) == file else file
        for path, file in zip(_paths(snakemake.input), event.inputs, strict=True)
    ]
    outputs = [_hashed(path, _file(path)) for path in _paths(snakemake.output)]
    return replace(event, inputs=inputs, outputs=outputs, device=device())


def _paths(files: Iterable) -> list[Path]:
    return list(dict.fromkeys(map(Path, files)))


def _file(path: Path) -> File:
    """Size and time of a file, or those of a folder: all bytes, the last time."""
    name = place(path)
    try:
        stats = [file.stat() for file in _members(path) or [path]]
    except OSError:
        return File(name)
    return File(name, sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats))


def place(path: Path) -> str:
    """A path below this folder; of one elsewhere its name alone."""
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return escaped(f"…/{path.name}" if path.is_absolute() else path.as_posix())


def _hashed(path: Path, file: File) -> File:
    if file.bytes is None:
        return file
    known = _known(file) if file.bytes >= LARGE else None
    with suppress(OSError):  # it is gone by now: known by its size alone
        return replace(file, sha256=known or _digest(path))
    return file


def _digest(path: Path) -> str:
    """Hex sha256 of a file, or of a folder's lines `sha256  name`, as sha256sum writes them."""
    if not path.is_dir():
        return sha256(path)
    lines = [f"{sha256(file)}  {file.relative_to(path)}\n" for file in _members(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _members(folder: Path) -> list[Path]:
    """Files of a folder but the hidden ones, some of which Snakemake adds."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return sorted(files) if folder.is_dir() else []


def _known(file: File) -> str | None:
    """The sha256 in the last event on a file of this path, size and time."""
    entry = events.as_json(file)[:-1] + b',"sha256":"'
    _, there, after = events.content().rpartition(entry)
    return after[:64].decode() if there else None


def shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params without secrets, addresses and places; a long value is shown by its digest."""
    return {name: _brief(_shown(name, value)) for name, value in params.items()}


def _shown(name: str, value: Any) -> Any:
    if SECRET.search(name):
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), below) for key, below in value.items()}
    if isinstance(value, list | tuple | set):
        return [_shown(name, below) for below in value]
    if isinstance(value, bool | int | float | None):
        return value
    text = plain(str(value))
    return place(Path(text)) if text.startswith("/") else text


def _brief(value: Any) -> Any:
    text = _json(value)
    if len(text) <= LONGEST:
        return value
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


@cache
def environment() -> dict[str, int | str]:
    """The Python that runs, and the digest of the packages that it finds with their versions."""
    folders = [folder for folder in map(Path, sys.path) if folder.is_dir()]
    packages = sorted({path.stem for folder in folders for path in folder.glob("*.dist-info")})
    return {
        "name": Path(sys.prefix).name,
        "python": platform.python_version(),
        "packages": len(packages),
        "sha256": hashlib.sha256("\n".join(packages).encode()).hexdigest(),
    }


def device() -> str | None:
    """The accelerator that this process computed on, if any."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    with suppress(RuntimeError):  # a device that an error has left unusable
        return torch.cuda.get_device_name()
    return None
