"""Preflight: whether a run can go through here. All problems at once, each with its mend.

Each check looks, changes nothing, and returns findings. A problem would stop a run or make it
measure something else than configured; a note is worth knowing.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from kensho.data import hub
from kensho.data.hub import Locked
from kensho.data.sources import Source, all_unreachable, fetched
from kensho.files import sha256
from kensho.models import catalogue
from kensho.models import lock as locks
from kensho.models.catalogue import Model
from kensho.models.rocm import Variable
from kensho.paths import existing

# Bytes of results/ when a scale is through: embedded as measured (3.5 GB), the others allowances.
RESULTS_BYTES = {"embedded": 4 * 10**9, "standard": 10 * 10**9, "full": 2 * 10**12}
COMPILED_BYTES = 2 * 10**8  # what libraries compile and cache
HASHED_BYTES = 5 * 10**8  # larger cached files are checked by their size: seconds count here
# Name to install, and what is left out without it, by module.
OPTIONAL_PACKAGES = {
    "llama_cpp": ("llama-cpp-python", "the GGUF arms of inference and quantisation (C-3)"),
}


State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    check: str
    state: State
    seen: str
    mend: str = ""


def disk(needs: Mapping[Path, int]) -> list[Finding]:
    """Free space for the bytes that each folder, there or not, will still take.

    Folders of one file system are added up.
    """
    together: dict[int, list[Path]] = {}
    for folder in needs:
        together.setdefault(existing(folder).stat().st_dev, []).append(folder)
    return [_disk(folders, sum(needs[f] for f in folders)) for folders in together.values()]


def _disk(folders: list[Path], need: int) -> Finding:
    places = [existing(folder) for folder in folders]
    free = shutil.disk_usage(places[0]).free
    named = " and ".join(map(str, folders))
    closed = [place for place in places if not os.access(place, os.W_OK)]
    if closed:
        return Finding(
            "disk",
            "problem",
            f"{closed[0]} is not writable",
            "change its permissions, or set paths.cache (or KENSHO_CACHE) to another folder",
        )
    seen = f"{_gb(free)} free for {named}, about {_gb(need)} still to come"
    if free >= need:
        return Finding("disk", "ok", seen)
    return Finding("disk", "problem", seen, f"free {_gb(need - free)}, or move them elsewhere")


def still_to_come(folder: Path, in_all: int) -> int:
    """Bytes that a folder will still take if it holds ``in_all`` in the end."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return max(0, in_all - sum(path.stat().st_size for path in files))


def memory(need: int, limit: Path = Path("/sys/fs/cgroup/memory.max")) -> Finding:
    """Memory of this machine, or of its control group, against the largest job's bytes."""
    here = psutil.virtual_memory()
    total = here.total
    if limit.is_file() and (text := limit.read_text(encoding="utf-8").strip()) != "max":
        total = min(total, int(text))
    free = min(here.available, total)
    seen = f"{_gb(total)}, of which {_gb(free)} free; the largest job asks {_gb(need)}"
    if total < need:
        mend = "use a machine with more memory, or smaller settings for the largest job"
        return Finding("memory", "problem", seen, mend)
    if free < need:
        return Finding("memory", "note", seen, "close other programs before the run")
    return Finding("memory", "ok", seen)


def accelerator(
    configured: str,
    build: Mapping[str, str | None] | None,
    kfd: Path = Path("/dev/kfd"),
    fallback: Sequence[str] = (),
) -> list[Finding]:
    """The configured accelerator, its driver and a torch built for it (``rocm.torch_build()``).

    What is missing is a note where one of ``fallback`` is there: jobs will take that.
    """
    if configured == "none":
        there = ["cuda"] if output("nvidia-smi", "-L") else ["rocm"] if kfd.exists() else []
        seen = f"none configured; this machine has one for {there[0]}" if there else "none"
        mend = f"set accelerator: {there[0]} to use it" if there else ""
        return [Finding("accelerator", "note" if there else "ok", seen, mend)]
    devices, faults = _nvidia() if configured == "cuda" else _amd(kfd)
    faults += _torch(configured, build)
    if not faults and build:
        seen = f"{configured}: {devices}, torch {build['version']}"
        return [Finding("accelerator", "ok", seen)]
    there = [o for o in fallback if o == "none" or accelerator(o, build, kfd)[0].state == "ok"]
    state: State = "note" if there else "problem"
    instead = f"jobs fall back to {there[0]}, at a lower tier; else " if there else ""
    return [Finding("accelerator", state, seen, instead + mend) for seen, mend in faults]


def torch(
    configured: str, build: Mapping[str, str | None] | None, fallback: Sequence[str] = ()
) -> list[Finding]:
    """Whether torch is built for the accelerator that jobs find on another machine.

    If not, a note where ``fallback`` holds what it is built for.
    """
    faults = _torch(configured, build) if configured != "none" else []
    other = [option for option in fallback if option == "none" or not _torch(option, build)]
    state: State = "note" if other and build else "problem"
    return [Finding("accelerator", state, seen, mend) for seen, mend in faults]


def _nvidia() -> tuple[str, list[tuple[str, str]]]:
    if listed := output("nvidia-smi", "-L"):
        return listed.splitlines()[0], []
    return "", [("nvidia-smi shows no GPU", "install NVIDIA's driver, or set accelerator: none")]


def _amd(kfd: Path) -> tuple[str, list[tuple[str, str]]]:
    if not kfd.exists():
        return "", [(f"{kfd} is missing", "load the driver amdgpu, or set accelerator: none")]
    if not os.access(kfd, os.R_OK | os.W_OK):
        return "", [(f"{kfd} may not be opened", "join the groups render and video")]
    agents = output("rocminfo")
    if not agents:
        return "", [("rocminfo is missing or fails", "install rocminfo and put ROCm's bin on PATH")]
    names = [line.split(":")[1].strip() for line in agents.splitlines() if "Name:" in line]
    chips = [name for name in names if name.startswith("gfx")]
    if not chips:
        return "", [("rocminfo shows no GPU", "check the driver, and HIP_VISIBLE_DEVICES")]
    return f"{len(chips)} x {chips[0]}", []


def _torch(configured: str, build: Mapping[str, str | None] | None) -> list[tuple[str, str]]:
    if build is None:
        return [("torch is not installed", "install requirements.lock")]
    if build["cuda" if configured == "cuda" else "hip"] is None:
        version = str(build["version"]).split("+")[0]
        return [
            (
                f"torch {build['version']} is not built for {configured}",
                f"install torch {version} for it: make .venv/installed TORCH={configured}",
            )
        ]
    return []


def variables(cards: Mapping[str, Variable], environ: Mapping[str, str]) -> list[Finding]:
    """ROCm variables that are set, and those set to something else than the cards recommend."""
    values = {name: environ[name] for name in cards if name in environ}
    seen = ", ".join(f"{name}={value}" for name, value in values.items())
    findings = [Finding("rocm variables", "ok", seen or "none set")]
    for name, value in values.items():
        if value != cards[name].value:
            seen = f"{name}={value}; recommended: {cards[name].value or 'unset'}. {cards[name].why}"
            mend = f"unset {name}, or keep it: it is recorded with every observation"
            findings.append(Finding("rocm variables", "note", seen, mend))
    return findings


def licences(
    entries: Mapping[str, Source], accepted: Collection[str], needed: Collection[str]
) -> list[Finding]:
    """Licence classes of the registered sources against those that the configuration accepts."""
    refused: list[Finding] = []
    for name, source in entries.items():
        if source.licence_class not in accepted:
            state: State = "problem" if name in needed else "note"
            seen = f"{name} is left out: {source.licence} ({source.licence_class})"
            mend = f"add {source.licence_class} to licences if you accept it"
            refused.append(Finding("licences", state, seen, mend))
    used = sorted({s.licence_class for s in entries.values() if s.licence_class in accepted})
    return [Finding("licences", "ok", f"accepted and in use: {', '.join(used)}"), *refused]


def models(
    entries: Mapping[str, Model],
    lock: Mapping[str, Locked],
    accepted: Collection[str],
    needed: Collection[str],
) -> list[Finding]:
    """Whether the hub's models are accepted and locked, may be had, and are still what is locked.

    What stands in the way of a model that the run needs is a problem; the others share a note for
    each cause.
    """
    ready = {n: m for n, m in entries.items() if m.hub in lock}
    causes: dict[tuple[State, str, str], list[str]] = {}
    for name, model in entries.items():
        if cause := _obstacle(model, lock, accepted):
            state: State = "problem" if name in needed else "note"
            causes.setdefault((state, *cause), []).append(name)
    return [
        Finding("models", "ok", f"{len(ready)} of {len(entries)} locked"),
        *(
            Finding("models", state, f"{cause}: {', '.join(names)}", mend)
            for (state, cause, mend), names in causes.items()
        ),
        *_moved(ready.values(), lock),
    ]


def bytes_of_hub(
    entries: Mapping[str, Model],
    lock: Mapping[str, Locked],
    needed: Collection[str],
    cache: Path,
) -> int:
    """Bytes of the needed models that the hub's cache still lacks."""
    hubs = [entries[n].hub or "" for n in needed if n in entries and not entries[n].files]
    wanted = [lock[name] for name in hubs if name in lock]
    return sum(hub.still_to_come(hub.snapshot_of(one, cache), one) for one in wanted)


def _obstacle(
    model: Model, lock: Mapping[str, Locked], accepted: Collection[str]
) -> tuple[str, str] | None:
    """What keeps a model from being fetched, and the mend."""
    if model.files:  # it comes from a package: see sources
        return None
    if reasons := catalogue.obstacle(model, accepted) or locks.obstacle(model, lock):
        return reasons
    if lock[str(model.hub)].gated and not hub.has_token():
        return "gated, and there is no token", "accept its terms at the hub and set HF_TOKEN"
    return None


def _moved(entries: Iterable[Model], lock: Mapping[str, Locked]) -> list[Finding]:
    """Notes on repositories whose main is another commit now; none where the hub is away."""

    def ask(name: str) -> str | None:
        with suppress(ValueError, ConnectionError):
            return hub.moved(name, lock[name])
        return None

    asked = [model.hub for model in entries if model.hub and not model.revision]
    with ThreadPoolExecutor(max_workers=8) as pool:
        lines = pool.map(ask, [] if hub.offline() else asked)
        mend = f"{locks.MEND} if the new one is meant"
        return [Finding("models", "note", line, mend) for line in lines if line]


def sources(
    entries: Mapping[str, Source],
    needed: Collection[str],
    *,
    folder: Path,
    cache: Path,
    mirror: Path | None,
) -> list[Finding]:
    """Whether each source is fetched, in the cache with its hash, or can be reached now.

    What no place can provide is a problem if the run needs it; the others share one note.
    """

    def look(item):
        name, source = item
        if _fetched(folder / name / "record.json"):
            return "fetched", ""
        stored, broken = cache / source.sha256, ""
        if stored.is_file():
            if _whole(stored, source):
                return "cached", ""
            broken = f"{stored} is not what {name} should be; "
        # an empty cache: what lies there is known not to help
        away = all_unreachable({name: source}, cache=stored / "none", mirror=mirror)
        return ("out of reach", broken + away[name]) if away else ("to be fetched", "")

    with ThreadPoolExecutor(max_workers=32) as pool:  # they mostly wait for the network
        looked = dict(zip(entries, pool.map(look, entries.items()), strict=True))
    counted = Counter(state for state, _ in looked.values())
    seen = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
    findings = [Finding("sources", "ok", seen or "none")]
    lost = {name: cause.rpartition("; ") for name, (_, cause) in looked.items() if cause}
    findings += [Finding("sources", "problem", lost[n][0], lost[n][2]) for n in needed if n in lost]
    if others := [name for name in lost if name not in needed]:
        seen = f"out of reach, and left out: {', '.join(others)}"
        findings.append(Finding("sources", "note", seen, lost[others[0]][2]))
    return findings


def _fetched(record: Path) -> bool:
    try:
        return record.is_file() and fetched(record)[0] is not None
    except ValueError:
        return False


def _whole(stored: Path, source: Source) -> bool:
    size = stored.stat().st_size
    return size == source.bytes and (size > HASHED_BYTES or sha256(stored) == source.sha256)


def memory_plan(unfit: Iterable[str], unplanned: str) -> list[Finding]:
    """Jobs that no devices hold, and why there is no plan, if there is none."""
    findings = [Finding("memory plan", "problem", line) for line in unfit]
    if unplanned:
        seen = f"none, each job asks for one accelerator ({unplanned})"
        mend = "set cluster.gpu_model to a name of resources/hardware.yaml"
        findings.append(Finding("memory plan", "note", seen, mend))
    return findings


def packages(optional: Mapping[str, tuple[str, str]] = OPTIONAL_PACKAGES) -> list[Finding]:
    """Optional packages that are not installed, with what is left out for lack of them."""
    missing = [package for module, package in optional.items() if find_spec(module) is None]
    seen = f"{len(optional) - len(missing)} of {len(optional)} optional packages installed"
    return [Finding("packages", "ok", seen)] + [
        Finding("packages", "note", f"{name} is missing: left out: {cost}", f"pip install {name}")
        for name, cost in missing
    ]


def as_table(findings: Iterable[Finding]) -> str:
    """Findings as text: check, state, what was seen, and the mend on a line of its own."""
    rows = [("check", "state", "seen", "")]
    rows += [(f.check, f.state, f.seen, f.mend) for f in findings]
    widths = [max(len(row[column]) for row in rows) + 2 for column in (0, 1)]
    lines = []
    for check, state, seen, mend in rows:
        lines.append(f"{check:<{widths[0]}}{state:<{widths[1]}}{seen}")
        if mend:
            lines.append(" " * sum(widths) + f"-> {mend}")
    return "\n".join(lines)


def output(*command: str, timeout_s: float = 5) -> str | None:
    """What a program prints, or None if it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
