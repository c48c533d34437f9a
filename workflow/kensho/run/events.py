"""What happened here: one JSON line for each start and each end of a job, in `logs/jobs.jsonl`.

    python -m kensho.run.events    the execution log: time, event, job, seconds, cause

A head appends `run` when it begins and `ended` when it ends. Each attempt of a job appends
`started`, then `finished` or `failed`, which repeats its start and adds what is known by then. What
was killed has its start alone. `installed` says once what an environment holds. Lines are only ever
appended. Execution log, ledger, failures and the like are functions of these events. A line that a
kill or a full disk has torn is passed over.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from kensho.messages import escaped

LOG = Path("logs/jobs.jsonl")
Kind = Literal["run", "installed", "started", "finished", "failed", "ended"]
OF_JOBS: tuple[Kind, ...] = ("started", "finished", "failed")
RUN = "KENSHO_RUN"  # variable by which jobs inherit the id of their run
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Held:
    """What a job holds while it runs."""

    cores: Count
    devices: Count = 0
    accelerator: str = "none"


@dataclass(frozen=True)
class File:
    """A file, or a folder by the digest of its list of files; without ``bytes`` it was not there.

    An input that changed while the job ran has no sha256.
    """

    path: str
    bytes: Count | None = None
    mtime_ns: Count | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Machine:
    """What a job or a head runs on; None and nothing where it is not known."""

    cpu: str | None = None
    cores: Count | None = None  # logical
    memory_bytes: Count | None = None
    system: str = ""  # operating system, kernel, C library
    drivers: dict[str, str] = field(default_factory=dict)  # versions, by kernel module
    # Of ends alone, as torch says where the job has used a device, or imported it:
    devices: list[str] = field(default_factory=list)  # names of all that the job could see
    toolkit: str = ""  # that torch was built with, `CUDA 12.8` or `ROCm 7.0`


@dataclass(frozen=True)
class Head:
    """What a head runs and with what; secrets, folders and addresses are cut out of all of it."""

    command: list[str]
    targets: list[str]
    config: dict[str, Any]  # merged, with defaults, without `paths`
    files: list[File]  # of the configuration, claims, sources and profile
    variables: dict[str, str]  # of the environment, from a list of harmless ones
    snakemake: str  # version
    plan: dict[str, Count]  # jobs that were to run, by rule
    commit: str | None = None  # None where git does not know the workflow
    changed: list[str] = field(default_factory=list)  # of its files, since that commit
    diff: str = ""  # nothing where it is too long
    diff_bytes: Count = 0
    diff_sha256: str | None = None  # of the diff as git gives it


@dataclass(frozen=True)
class Event:
    """One line. Wildcards are escaped; hosts and environments are told apart by digests."""

    event: Kind
    time: AwareDatetime
    attempt: str = ""
    rule: str = ""
    wildcards: dict[str, str] = field(default_factory=dict)
    part: str | None = None  # `module:name` of the code that the rule resolves
    held: Held = Held(0)
    limit_s: Seconds | None = None  # the job's time limit
    scheduler: str = ""  # SLURM's id
    resources: dict[str, int | str] = field(default_factory=dict)
    run: str = ""  # id of the head's run; older lines have none
    host: str = ""
    machine: Machine | None = None
    environment: dict[str, int | str] = field(default_factory=dict)
    code: str | None = None  # digest
    params_sha256: str | None = None
    params: dict[str, Any] = field(default_factory=dict)  # as far as they may be shown
    log: str = ""
    inputs: list[File] = field(default_factory=list)  # without sha256 until the end
    # Of ends alone:
    outputs: list[File] = field(default_factory=list)
    seconds: Seconds | None = None
    device: str | None = None  # that torch used
    # Peaks since the job last began to measure memory itself, if it does:
    peak_bytes: Count | None = None  # resident, of its largest process
    device_peak_bytes: Count | None = None  # reserved by torch, on its fullest device
    imported: dict[str, str] = field(default_factory=dict)  # versions of the packages used
    fallbacks: list[str] = field(default_factory=list)
    device_probe: dict[str, float] = field(default_factory=dict)  # see kensho.models.probe
    exit: int | None = None
    cause: str = ""
    tail: list[str] = field(default_factory=list)  # last lines of the log, where the cause needs it
    retriable: bool = True  # whether the same job may pass when it is tried again
    head: Head | None = None  # of `run` alone
    packages: dict[str, str] = field(default_factory=dict)  # of `installed` alone: versions

    @property
    def took(self) -> float:
        """Seconds of an attempt. Raises ValueError where they are not known: never nought."""
        if self.seconds is None:
            raise ValueError(f"{LOG}: attempt {self.attempt} of {self.job} has no seconds")
        return self.seconds

    @property
    def job(self) -> str:
        return named(self.rule, self.wildcards.values())


_EVENT = TypeAdapter(Event)
_ENTRY: TypeAdapter[Event | File] = TypeAdapter(Event | File)


def named(rule: str, wildcards: Iterable[str]) -> str:
    """The name of a job: rule and values of its wildcards."""
    return " ".join([rule, *map(escaped, wildcards)])


def now() -> datetime:
    return datetime.now(UTC)


def as_json(entry: Event | File) -> bytes:
    """Compact JSON, without what has its default."""
    return _ENTRY.dump_json(entry, exclude_defaults=True)


def append(event: Event, path: Path | str = LOG) -> None:
    """Append a line by one write. Raises OSError where it cannot be written whole."""
    data = as_json(event) + b"\n"
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor).st_size
        if before and os.pread(descriptor, 1, before - 1) != b"\n":  # a torn line hides no other
            data = b"\n" + data
        if os.write(descriptor, data) < len(data):  # the disk is full
            os.ftruncate(descriptor, before)
            raise OSError(f"{path}: no room for a line; free some disk")
    finally:
        os.close(descriptor)  # which also gives up the lock


def content(path: Path | str = LOG) -> bytes:
    """The file as it is; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            _lock(file.fileno(), fcntl.LOCK_SH)
            return file.read()
    except FileNotFoundError:
        return b""


def read(path: Path | str = LOG, *kinds: Kind) -> list[Event]:
    """Events in their order, of some kinds or all.

    Raises ValueError naming the first line that is whole and yet no event.
    """
    words = [f'"event":"{kind}"'.encode() for kind in kinds]
    events = []
    for number, line in enumerate(content(path).split(b"\n"), start=1):
        if words and not any(word in line for word in words):
            continue
        try:
            event = _EVENT.validate_json(line, strict=True)
        except ValidationError as error:
            if _torn(line):
                continue
            raise ValueError(
                f"{path}, line {number}: not an event ({_where(error)}); delete that line"
            ) from None
        if not kinds or event.event in kinds:
            events.append(event)
    return events


def _torn(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _where(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))


def _lock(descriptor: int, kind: int) -> None:
    """Lock the file: on NFS two nodes that append at once overwrite each other without.

    Where there are no locks, or somebody keeps one for more than five seconds, go on without.
    """
    for _ in range(100):
        try:
            return fcntl.lockf(descriptor, kind | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            time.sleep(0.05)
        except OSError:
            return None


# --- views


def of_last_run(events: Sequence[Event]) -> list[Event]:
    """Events of the jobs of the head that began last; older ones do not say whose they are."""
    begins = [place for place, event in enumerate(events) if event.event == "run"]
    since = events[begins[-1] :] if begins else events
    own = {"", *(event.run for event in since[:1])}
    return [event for event in since if event.event in OF_JOBS and event.run in own]


def states(events: Iterable[Event]) -> dict[str, Kind]:
    """The last event of each job."""
    return {event.job: event.event for event in events if event.event in OF_JOBS}


def given_up(events: Iterable[Event]) -> set[str]:
    """Jobs whose failure no retry can mend."""
    return {event.job for event in events if event.event == "failed" and not event.retriable}


def failures(events: Sequence[Event]) -> list[str]:
    """What failed and what was killed, as lines for the end of a run; retries repeat nothing."""
    lines = []
    for event in events:
        if event.event == "failed":
            lines += [f"rule {event.job} failed: {event.cause}", f"  log: {event.log}"]
            lines += [f"  | {line}" for line in event.tail]
    for name, state in states(events).items():
        if state == "started":
            lines.append(
                f"job {name} was killed before it could say why (interrupted, memory, time limit "
                "or node) (its log is under logs/, SLURM's under logs/slurm)"
            )
    return list(dict.fromkeys(lines))


def execution_log(events: Iterable[Event]) -> Iterator[str]:
    """A line for each event of heads and jobs: time, event, job, seconds, cause."""
    for event in (each for each in events if each.event != "installed"):
        took = "" if event.seconds is None else f"{event.seconds:.1f}"
        stamp = event.time.astimezone(UTC).isoformat(timespec="seconds")
        yield "\t".join([stamp, event.event, event.job, took, event.cause])


def main(arguments: Sequence[str]) -> None:
    if arguments:
        sys.exit((__doc__ or "").strip())
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with suppress(BrokenPipeError):
        for line in execution_log(read()):
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
