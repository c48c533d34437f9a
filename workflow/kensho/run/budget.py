"""What a run costs: what its jobs used, the limit, and what a spent budget leaves out.

Events hold what was used, not what that cost: money follows from the prices in force when it is
read, so that a corrected price corrects the past too.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from kensho.run import events
from kensho.run.events import Event, Held
from kensho.validation import Section

if TYPE_CHECKING:  # every job imports this module, and claims are slow to import
    from kensho.claims.model import Claim

Stage = Literal["whole", "priority", "closed"]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None

# From this share of the limit on, the run is the priority claims. The tenth that is left pays for
# them, and for the jobs that are running when the line is crossed.
SHARE = 0.9
# Folders of workflow/scripts whose jobs start whatever is spent: they make verdicts and pages of
# what was paid for, at a small part of its cost. What they cost is counted, and may pass the limit.
ALWAYS = ("stats", "report", "external", "preflight", "budget", "provenance")
# Most seconds that an attempt without a time limit is charged if it never ended.
UNLIMITED_S = 3600.0
# What the head of a run decided, as its jobs inherit it.
VARIABLE = "KENSHO_BUDGET"
LEFT_OUT = "left out: "
LEDGER = Path("logs/ledger.tsv")  # of versions that had no events


class Prices(Section):
    rocm: Price = Field(None, description="of one AMD accelerator for one hour, its host included")
    cuda: Price = Field(None, description="of one NVIDIA accelerator for one hour, its host too")
    core: Price = Field(None, description="of one core for one hour, in jobs without accelerator")

    def per_hour(self, held: Held) -> float:
        """US dollars: with accelerators their price alone, otherwise that of the cores."""
        if held.devices:
            return held.devices * (self.model_dump().get(held.accelerator) or 0.0)
        return held.cores * (self.core or 0.0)

    def any(self) -> bool:
        """Whether anything has a price."""
        return any(self.model_dump().values())


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


# --- what was spent


def attempts(past: Iterable[Event], now: datetime | None = None) -> list[Event]:
    """Each attempt once, with the seconds that it took.

    An attempt without an end is still running or was killed. It is charged until the same job was
    started again, or until now, and never for more than its time limit.
    """
    now = now or events.now()
    past = [event for event in past if event.event in events.OF_JOBS]
    ends = {event.attempt: event for event in past if event.event != "started"}
    each = list(ends.values())
    for place, start in enumerate(past):
        if start.event == "started" and start.attempt not in ends:
            again = (
                later.time
                for later in past[place + 1 :]
                if later.event == "started" and later.job == start.job
            )
            took = (next(again, now) - start.time).total_seconds()
            most = start.limit_s or UNLIMITED_S
            each.append(replace(start, seconds=min(max(took, 0.0), most)))
    return each


def usd(attempt: Event, prices: Prices) -> float:
    """What an attempt cost."""
    return prices.per_hour(attempt.held) * attempt.took / 3600


def spent(past: Iterable[Event], prices: Prices, now: datetime | None = None) -> float:
    """US dollars of all attempts, finished, failed and open."""
    return sum(usd(attempt, prices) for attempt in attempts(past, now))


def uncounted(prices: Prices, ledger: Path = LEDGER) -> list[str]:
    """A line where money may be spent and an earlier version counted in a file of its own."""
    if not (prices.any() and ledger.exists()):
        return []
    return [
        f"{ledger}: holds what an earlier version spent, which this one does not count; lower "
        "budget.limit_usd by it, then move the file away"
    ]


# --- the limit


def stage(spent_usd: float, limit_usd: float) -> Stage:
    """What may still start: everything, what the priority claims need, or nothing with a price."""
    if spent_usd >= limit_usd:
        return "closed"
    return "priority" if spent_usd >= SHARE * limit_usd else "whole"


def left_out(
    claims: "Iterable[Claim]", at: Stage, observed: "Callable[[Claim], bool]"
) -> list[str]:
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


def inherited(environment: Mapping[str, str]) -> dict:
    """What the head decided (``stage``, ``left_out``, ``arms``); the whole run if it is unknown."""
    text = environment.get(VARIABLE)
    return json.loads(text) if text else {"stage": "whole", "left_out": [], "arms": []}


def admit(held: Held, budget: Budget, past: Iterable[Event], at: Stage) -> None:
    """Refuse a job that costs money when the money is spent. ``at``: the stage of the run's plan.

    A run that was planned as a whole stops at 90 %, since the plan holds jobs of every claim; the
    same command plans again, with the priority claims alone, and goes on to the limit.
    Raises ValueError with key and mend.
    """
    if not budget.prices.per_hour(held):
        return
    used = spent(past, budget.prices)
    share = f"budget.limit_usd: {used:.2f} of {budget.limit_usd:g} USD are spent"
    match stage(used, budget.limit_usd), at:
        case "closed", _:
            raise ValueError(
                f"{share}, nothing that costs money starts; raise it, or give the same command "
                "again for a report of what there is"
            )
        case "priority", "whole":
            raise ValueError(
                f"{share}; give the same command again, which goes on with the priority claims "
                "alone, or raise it"
            )


# --- what a run would cost


class Foreseen(NamedTuple):
    """What one job of a rule is foreseen to take, on average; with ``limit`` at most."""

    seconds: float
    devices: float
    usd: float
    limit: bool


class Estimate(NamedTuple):
    """Jobs of one rule; seconds, devices (means of its jobs) and cost of all, None if unknown.

    ``foreseen`` says so where none has finished here, or none of this scale.
    """

    rule: str
    jobs: int
    seconds: float | None
    devices: float | None
    usd: float | None
    foreseen: str = ""


def estimate(
    jobs: Mapping[str, int],
    past: Sequence[Event],
    prices: Prices,
    foreseen: Mapping[str, Foreseen],
    earlier: Mapping[str, Mapping[str, Foreseen]] | None = None,
) -> list[Estimate]:
    """What planned jobs (a number for each rule) cost if they take what earlier ones took.

    The dearest rules come first, those of which nothing is known last. ``earlier`` is what is
    foreseen for the runs of this folder as they were configured, by their ids. The mean over the
    finished jobs of a rule is scaled by what is ``foreseen`` now over what is for their own runs; a
    rule that has none is taken as foreseen, and corrected by what all jobs of its kind, with
    devices or without, took over what is foreseen for them.
    """
    finished: dict[str, list[Event]] = {}
    for event in past:
        if event.event == "finished":
            finished.setdefault(event.rule, []).append(event)

    def own(event: Event) -> Foreseen | None:
        one = (earlier or {}).get(event.run, {}).get(event.rule)
        return None if one is None or one.limit else one

    took, ahead = ({False: 0.0, True: 0.0} for _ in range(2))  # seconds, without and with devices
    for event in chain.from_iterable(finished.values()):
        if then := own(event):
            took[then.devices > 0] += event.took
            ahead[then.devices > 0] += then.seconds

    rows = []
    for rule, count in jobs.items():
        one = foreseen.get(rule)
        if past_jobs := finished.get(rule):
            scales = [
                one.seconds / then.seconds if one and not one.limit and (then := own(job)) else 1.0
                for job in past_jobs
            ]
            columns = [
                (each.took * scale, each.held.devices, usd(each, prices) * scale)
                for each, scale in zip(past_jobs, scales, strict=True)
            ]
            seconds, devices, cost = (sum(c) / len(columns) for c in zip(*columns, strict=True))
            how = "" if {*scales} == {1.0} else "scaled by what is foreseen"
            rows.append(Estimate(rule, count, seconds, devices, cost * count, how))
        elif one:
            how, error = "foreseen, at most" if one.limit else "foreseen", 1.0
            if not one.limit and ahead[one.devices > 0]:
                how = "foreseen, corrected by what others took"
                error = took[one.devices > 0] / ahead[one.devices > 0]
            cost = one.usd * error * count
            rows.append(Estimate(rule, count, one.seconds * error, one.devices, cost, how))
        else:
            rows.append(Estimate(rule, count, None, None, None))
    return sorted(rows, key=lambda row: (row.usd is None, -(row.usd or 0.0), row.rule))


def as_table(rows: Sequence[Estimate], left_usd: float) -> str:
    """An estimate as text, its sum, and whether what is left of the limit pays for it."""
    if not rows:
        return "nothing to run"
    width = max(len(row.rule) for row in rows)
    text = [f"{'rule':{width}} {'jobs':>6} {'s each':>9} {'devices':>8} {'USD':>9}"]
    for row in rows:
        cost = "  unknown: no job of this rule has finished here"
        if row.usd is not None:
            cost = f" {row.seconds:9.1f} {row.devices:8.1f} {row.usd:9.2f}  {row.foreseen}".rstrip()
        text.append(f"{row.rule:{width}} {row.jobs:6}{cost}")
    total = sum(row.usd or 0.0 for row in rows)
    unknown = sum(row.jobs for row in rows if row.usd is None)
    beside = f", without {unknown} job(s) of unknown cost" if unknown else ""
    text.append(f"{total:.2f} USD{beside}; {max(left_usd, 0.0):.2f} USD are left of the limit")
    if round(total, 2) > round(left_usd, 2):
        text.append("this exceeds what is left: raise budget.limit_usd or ask for less")
    return "\n".join(text)
