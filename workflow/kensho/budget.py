"""What a run costs: the ledger of its jobs, the limit, and what a spent budget leaves out.

The ledger is a TSV file to which every attempt of a job appends a line when it starts and another
when it ends. It holds what was used, not what that cost: money follows from the prices in force
when it is read, so that a corrected price corrects the past too.
"""

import fcntl
import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from kensho.claims.model import Claim
from kensho.validation import Section

Stage = Literal["whole", "priority", "closed"]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None

# From this share of the limit on, the run is the priority claims. The tenth that is left pays for
# them, and for the jobs that are running when the line is crossed.
SHARE = 0.9
# Folders of workflow/scripts whose jobs start whatever is spent: they make verdicts and pages of
# what was paid for, at a small part of its cost. What they cost is counted, and may pass the limit.
ALWAYS = ("stats", "report", "external", "preflight", "budget")
# Most seconds that an attempt without a time limit is charged if it never ended.
UNLIMITED_S = 3600.0
# What the head of a run decided, as its jobs inherit it.
VARIABLE = "KENSHO_BUDGET"
LEFT_OUT = "left out: "
EVENTS = ("started", "finished", "failed")


class Prices(Section):
    rocm: Price = Field(None, description="of one AMD accelerator for one hour, its host included")
    cuda: Price = Field(None, description="of one NVIDIA accelerator for one hour, its host too")
    core: Price = Field(None, description="of one core for one hour, in jobs without accelerator")


class Budget(Section):
    limit_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        80.0,
        description="no job that costs money starts once this is spent; from 90 % on the run is "
        "the priority claims",
    )
    prices: Prices = Field(
        Prices(),
        description="US dollars, from your cluster's price list or your provider's; what has no "
        "price is not counted",
    )


class Held(NamedTuple):
    """What a job holds while it runs."""

    cores: int
    devices: int = 0
    accelerator: str = "none"

    def usd_per_hour(self, prices: Prices) -> float:
        """With accelerators their price alone, otherwise that of the cores."""
        if self.devices:
            return self.devices * (prices.model_dump().get(self.accelerator) or 0.0)
        return self.cores * (prices.core or 0.0)


class Line(NamedTuple):
    """A line of the ledger. The seconds of a start are the job's time limit."""

    time: datetime
    event: str
    attempt: str
    job: str
    scheduler: str
    held: Held
    seconds: float

    @property
    def rule(self) -> str:
        return self.job.split(" ")[0]


# --- the ledger


def append(ledger: Path | str, line: Line) -> None:
    """Append one line by one write. Raises OSError where it cannot be written whole."""
    stamp = line.time.isoformat(timespec="milliseconds")
    fields = [stamp, line.event, line.attempt, line.job, line.scheduler, *line.held]
    text = "\t".join(" ".join(str(field).split()) for field in [*fields, f"{line.seconds:.1f}"])
    data = f"{text}\n".encode()
    Path(ledger).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor).st_size
        if os.write(descriptor, data) < len(data):  # the disk is full
            os.ftruncate(descriptor, before)
            raise OSError(f"{ledger}: no room for a line; free some disk")
    finally:
        os.close(descriptor)  # which also gives up the lock


def read(ledger: Path | str) -> list[Line]:
    """All lines; none where there is no ledger. Raises ValueError naming the first faulty line."""
    try:
        with open(ledger, "rb") as file:
            _lock(file.fileno(), fcntl.LOCK_SH)
            *lines, rest = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    lines += [rest + b" (torn)"] if rest else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(_parsed(line.decode()))
        except ValueError:
            raise ValueError(
                f"{ledger}, line {number}: not a line of the ledger; delete that line"
            ) from None
    return found


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


def _parsed(text: str) -> Line:
    stamp, event, attempt, job, scheduler, cores, devices, accelerator, seconds = text.split("\t")
    line = Line(
        datetime.fromisoformat(stamp),
        event,
        attempt,
        job,
        scheduler,
        Held(int(cores), int(devices), accelerator),
        float(seconds),
    )
    sound = line.time.tzinfo and event in EVENTS and min(line.held.cores, line.held.devices) >= 0
    if not (sound and 0 <= line.seconds < math.inf):
        raise ValueError
    return line


def attempts(lines: Sequence[Line], now: datetime | None = None) -> list[Line]:
    """Each attempt once, with the seconds that it took.

    An attempt without an end is still running or was killed. It is charged until the same job was
    started again, or until now, and never for more than its time limit.
    """
    now = now or datetime.now(UTC)
    ends = {line.attempt: line for line in lines if line.event != "started"}
    found = list(ends.values())
    for place, start in enumerate(lines):
        if start.event == "started" and start.attempt not in ends:
            again = (
                later.time
                for later in lines[place + 1 :]
                if later.event == "started" and later.job == start.job
            )
            took = (next(again, now) - start.time).total_seconds()
            found.append(start._replace(seconds=min(max(took, 0.0), start.seconds)))
    return found


def usd(attempt: Line, prices: Prices) -> float:
    """What an attempt cost."""
    return attempt.held.usd_per_hour(prices) * attempt.seconds / 3600


def spent(lines: Sequence[Line], prices: Prices, now: datetime | None = None) -> float:
    """US dollars of all attempts, finished, failed and open."""
    return sum(usd(attempt, prices) for attempt in attempts(lines, now))


# --- the limit


def stage(spent_usd: float, limit_usd: float) -> Stage:
    """What may still start: everything, what the priority claims need, or nothing with a price."""
    if spent_usd >= limit_usd:
        return "closed"
    return "priority" if spent_usd >= SHARE * limit_usd else "whole"


def left_out(claims: Iterable[Claim], at: Stage, observed: Callable[[Claim], bool]) -> list[str]:
    """Ids of the claims that a budget at this stage leaves out.

    What was observed is paid for and is judged. Of the rest the priority claims (R-1, R-5 and R-7,
    marked in the registry) outlive the others: the headline numbers of the paper, and cheap.
    """
    if at == "whole":
        return []
    return [
        claim.id
        for claim in claims
        if not observed(claim) and not (at == "priority" and claim.priority)
    ]


def reason(at: Stage, limit_usd: float) -> str:
    """Why a claim is left out. No sum: the reason must not change with every job that ends."""
    share = "" if at == "closed" else f"{SHARE:.0%} of ".replace("%", " %")
    return f"{LEFT_OUT}{share}budget.limit_usd ({limit_usd:g} USD) is spent; raise it and run again"


def planned(environment: Mapping[str, str]) -> dict:
    """What the head decided (``stage``, ``left_out``, ``arms``); the whole run if it is unknown."""
    text = environment.get(VARIABLE)
    return json.loads(text) if text else {"stage": "whole", "left_out": [], "arms": []}


def admit(held: Held, budget: Budget, lines: Sequence[Line], at: Stage) -> None:
    """Refuse a job that costs money when the money is spent. ``at``: the stage of the run's plan.

    A run that was planned as a whole stops at 90 %, since the plan holds jobs of every claim; the
    same command plans again, with the priority claims alone, and goes on to the limit.
    Raises ValueError with key and mend.
    """
    if not held.usd_per_hour(budget.prices):
        return
    used = spent(lines, budget.prices)
    said = f"budget.limit_usd: {used:.2f} of {budget.limit_usd:g} USD are spent"
    match stage(used, budget.limit_usd), at:
        case "closed", _:
            raise ValueError(
                f"{said}, nothing that costs money starts; raise it, or give the same command "
                "again for a report of what there is"
            )
        case "priority", "whole":
            raise ValueError(
                f"{said}; give the same command again, which goes on with the priority claims "
                "alone, or raise it"
            )


@contextmanager
def recorded(
    ledger: Path | str, job: str, held: Held, *, limit_s: float | None, scheduler: str = ""
):
    """Keep a job's attempt in the ledger. Raises OSError if its start cannot be written.

    An end that cannot be written does not fail the job: the attempt then counts as open.
    """
    began, attempt = time.monotonic(), uuid.uuid4().hex[:12]

    def line(event: str, seconds: float) -> Line:
        return Line(datetime.now(UTC), event, attempt, job, scheduler or "-", held, seconds)

    append(ledger, line("started", limit_s or UNLIMITED_S))
    event = "failed"
    try:
        yield
        event = "finished"
    finally:
        with suppress(OSError):
            append(ledger, line(event, time.monotonic() - began))


# --- what a run would cost


class Estimate(NamedTuple):
    """Jobs of one rule; seconds, devices (means of finished jobs) and cost, None without a past."""

    rule: str
    jobs: int
    seconds: float | None
    devices: float | None
    usd: float | None


def estimate(jobs: Mapping[str, int], lines: Sequence[Line], prices: Prices) -> list[Estimate]:
    """What planned jobs (a number for each rule) cost if they take what earlier ones took.

    The dearest rules come first, those without a past last. The mean is over all finished jobs of
    a rule in this folder, so a change of scale shows only once jobs of that scale have finished.
    """
    rows = []
    for rule, count in jobs.items():
        past = [line for line in lines if line.event == "finished" and line.rule == rule]
        mean = [None] * 3
        if past:
            columns = [(p.seconds, p.held.devices, usd(p, prices)) for p in past]
            mean = [sum(column) / len(past) for column in zip(*columns, strict=True)]
        cost = None if mean[2] is None else mean[2] * count
        rows.append(Estimate(rule, count, mean[0], mean[1], cost))
    return sorted(rows, key=lambda row: (row.usd is None, -(row.usd or 0.0), row.rule))


def as_table(rows: Sequence[Estimate], left_usd: float) -> str:
    """An estimate as text, its sum, and whether what is left of the limit pays for it."""
    if not rows:
        return "nothing to run"
    width = max(len(row.rule) for row in rows)
    text = [f"{'rule':{width}} {'jobs':>6} {'s each':>9} {'devices':>8} {'USD':>9}"]
    for row in rows:
        past = "  unknown: no finished job of this rule in the ledger"
        if row.usd is not None:
            past = f" {row.seconds:9.1f} {row.devices:8.1f} {row.usd:9.2f}"
        text.append(f"{row.rule:{width}} {row.jobs:6}{past}")
    total = sum(row.usd or 0.0 for row in rows)
    unknown = sum(row.jobs for row in rows if row.usd is None)
    beside = f", without {unknown} job(s) of unknown cost" if unknown else ""
    text.append(f"{total:.2f} USD{beside}; {max(left_usd, 0.0):.2f} USD are left of the limit")
    if round(total, 2) > round(left_usd, 2):
        text.append("this exceeds what is left: raise budget.limit_usd or ask for less")
    return "\n".join(text)
