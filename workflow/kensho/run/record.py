"""What an event says of a job: its files, its params as far as they may be shown, its place.

No user, no host by name, no folder of this machine and no address beyond its site.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from kensho.files import sha256
from kensho.messages import escaped, plain
from kensho.run import events, machine
from kensho.run.events import Event, File, Held

# Names of what is nobody's business: `hf_token`, `apiKey`; not `tokens`, `token_counts`.
SECRET = re.compile(
    r"(?i:token\d*(?![\w-])|secret|passw|passphrase|credential|account"
    "|(?:api|access|auth|private).?key)"
)
_ASSIGNED = re.compile(  # to the end of the line, unless it is a number
    rf"""^(.*?(?:{SECRET.pattern})[\w-]{{,40}}["']?[ ]{{,9}}[:=])(?!\s*[-+.\d]+,?$).+$""", re.M
)
_KEY = re.compile(
    r"\b(?:hf_|sk-|gh[a-z]_|github_pat_|glpat-|xox[a-z]-)[\w-]{8,}|[\w.+-]{1,64}@[\w-]{1,64}\.\w+"
)
_PLACE = re.compile(  # a path from the root of the file system
    r"""(?:(?<![\w.~…/-])|(?<=file://))/(?!/|(?:dev|proc|sys)/)[^\s'"=:,;()\[\]{}<>|]+"""
)
CUT = "…"  # stands for what is not recorded
LONGEST = 2000  # characters of a value that is shown
LARGE = 16 * 2**20  # bytes from which on a hash is looked for in earlier events
# Resources that are recorded; others may name an account, a node or a person.
ASKED_FOR = (
    "mem_mb", "mem_mb_per_cpu", "disk_mb", "runtime", "gpu", "gpu_model", "nodes", "tasks",
    "tasks_per_node", "tasks_per_gpu", "cpus_per_task", "cpus_per_gpu",
)  # fmt: skip


def started(snakemake: Any) -> Event:
    """The event of a job that starts now."""
    params, resources = dict(snakemake.params.items()), snakemake.resources
    runtime = resources.get("runtime", 0)
    held = Held(snakemake.threads, resources.get("gpu", 0), snakemake.config["accelerator"])
    recorded = bool(snakemake.output)  # Snakemake keeps params of what has outputs, too
    return Event(
        "started",
        events.now(),
        run=os.environ.get(events.RUN, ""),
        attempt=uuid.uuid4().hex[:12],
        rule=snakemake.rule,
        wildcards={name: escaped(str(value)) for name, value in snakemake.wildcards.items()},
        part=params.get("code_of"),
        held=held,
        limit_s=60.0 * runtime if runtime else None,
        scheduler=os.environ.get("SLURM_JOB_ID", ""),
        resources={name: resources.get(name) for name in ASKED_FOR if resources.get(name)},
        host=machine.host(),
        machine=machine.machine(),
        environment=machine.environment(),
        code=params.get("code"),
        params_sha256=hashlib.sha256(_json(params).encode()).hexdigest() if recorded else None,
        params=shown(params) if recorded else {},
        log=escaped(str(snakemake.log[0])),
        inputs=[_file(path) for path in _paths(snakemake.input)],
    )


def ended(event: Event, snakemake: Any) -> Event:
    """The event with what was used, its outputs, and sha256 of inputs that are as they were."""
    inputs = [
        _hashed(path, file) if _file(path) == file else file
        for path, file in zip(_paths(snakemake.input), event.inputs, strict=True)
    ]
    outputs = [file(path) for path in _paths(snakemake.output)]
    used = machine.torch()
    seen = {name: used.pop(name) for name in ("toolkit", "devices") if name in used}
    return replace(
        event,
        machine=replace(machine.machine(), **seen),
        inputs=inputs,
        outputs=outputs,
        peak_bytes=machine.peak_bytes(),
        imported=machine.imported(),
        **used,
    )


def installed(past: Iterable[Event]) -> Event | None:
    """The event on this environment, where none of an earlier one of the kind is."""
    environment = machine.environment()
    if any(e.environment == environment for e in past if e.event == "installed"):
        return None
    return Event("installed", events.now(), environment=environment, packages=machine.packages())


def file(path: Path) -> File:
    """A file or folder as it is, with its sha256."""
    return _hashed(path, _file(path))


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
    """A path below this folder; of one elsewhere its name alone, and not even that of a home."""
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    if not path.is_absolute():
        return escaped(path.as_posix())
    return "…" if path.name in ("", _home().name) else escaped(f"…/{path.name}")


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # stays so where it is not known


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
    return {name: _brief(value) for name, value in whole(params).items()}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if SECRET.search(name):
        return "…"
    if isinstance(value, Mapping):
        return whole(value)
    if isinstance(value, list | tuple | set):
        return [_shown(name, below) for below in value]
    text = _KEY.sub("…", plain(str(value)))
    return place(Path(text)) if text.startswith("/") else _placed(text)


def whole(values: Mapping) -> dict[str, Any]:
    """The same without secrets, addresses and places, however long."""
    return {str(name): _shown(str(name), value) for name, value in values.items()}


def text(lines: str) -> str:
    """Text of any kind without values of secret names, keys, addresses and places."""
    return _placed(_KEY.sub("…", _ASSIGNED.sub(r"\1…", plain(lines))))


def command(words: Sequence[str]) -> list[str]:
    """A command line without them, the values of secret options too."""
    options = ["", *words]
    return [
        "…"
        if option.startswith("--") and SECRET.search(option) and "=" not in option
        else text(word)
        for option, word in zip(options, words, strict=False)
    ]


def _placed(line: str) -> str:
    """Text with paths of this machine as :func:`place` gives them; `/s` alone is a unit."""

    def shown(path: re.Match) -> str:
        alone = path[0].count("/") == 1 and path[0] != str(_home())
        return path[0] if alone else place(Path(path[0]))

    return _PLACE.sub(shown, line)


def _brief(value: Any) -> Any:
    text = _json(value)
    if len(text) <= LONGEST:
        return value
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
