"""What SLURM says: the jobs that work in a folder, and whether a profile fits the cluster."""

import getpass
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import yaml

from kensho.run.events import Event
from kensho.run.preflight import Finding, output

POLLS = 3  # checks in a row after which a job that is gone is taken for failed
GONE = ("PREEMPTED", "NODE_FAIL")  # states of jobs that SLURM may run again, or not
REMEMBERED = 240  # seconds: the plugin's checks grow to 180 s apart
# A row of the queue: id, state, name as the plugin gives it to its jobs, folder. The last two may
# hold anything, tabs too; what has another form is no job of Snakemake.
ROW = re.compile(r"(\S+)\t(\w+)\t((?:.*_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\t(.*)")


def queued(folder: Path, mine: str | None, strict: bool = False) -> list[tuple[str, str, str]]:
    """Jobs of Snakemake that work in the folder, without job ``mine``: id, name of the run, state.

    Raises ValueError where strict and squeue is there but does not answer: it is the only witness.
    """
    listed = _answer("squeue", "--me", "--noheader", "--format=%i\t%T\t%j\t%Z")
    if listed is None and strict and shutil.which("squeue"):
        raise ValueError(
            "squeue does not answer: whether jobs of an earlier run still work in this folder "
            "cannot be known; try again when `squeue --me` does"
        )
    rows = [ROW.fullmatch(line) for line in (listed or "").split("\n")]
    return [
        (row[1], row[3], row[2])
        for row in filter(None, rows)
        if row[1] != mine and Path(row[4]).resolve() == folder.resolve()
    ]


def ended(past: Iterable[Event]) -> dict[str, str]:
    """How SLURM's jobs ended, by id, as their own events say; FAILED for what has no end yet."""
    states: dict[str, dict[str, str]] = {}
    for event in past:
        if event.scheduler and event.event in ("started", "finished", "failed"):
            states.setdefault(event.scheduler, {})[event.attempt] = event.event
    return {
        number: "COMPLETED" if {*attempts.values()} == {"finished"} else "FAILED"
        for number, attempts in states.items()
    }


def settled(
    gone: dict[str, int], states: Mapping[str, str], ends: Mapping[str, str] = {}
) -> dict[str, str]:
    """States of jobs by id, and for those that POLLS checks in a row found gone how they ended.

    Snakemake's plugin would wait for these for ever. ``gone`` counts the checks of each job, from
    call to call; ``ends`` are those that jobs noted themselves, FAILED where there is none. A job
    that SLURM forgot before any check saw its end is known by them alone.
    """
    for number in {*gone, *states, *ends}:
        lost = states.get(number, GONE[0]) in GONE
        gone[number] = gone.get(number, 0) + 1 if lost else 0
    return {**states, **{n: ends.get(n, "FAILED") for n, c in gone.items() if c >= POLLS}}


def remembered(ask: Callable[[], int | None]) -> Callable[[], int | None]:
    """What was answered last, for a question that a busy controller leaves open now and then.

    Of the seconds that it remembers ended jobs, without which Snakemake's plugin would ask sacct,
    and wait for ever for jobs that ended meanwhile where there is no accounting.
    """
    known: list[int] = []

    def answer() -> int | None:
        if (told := ask()) is not None:
            known[:] = [told]
        return known[0] if known else None

    return answer


def preflight(
    partitions: Path | None,
    account: str | None,
    *,
    accelerator: str,
    gpu_model: str | None,
    megabytes: int,
) -> list[Finding]:
    """Whether the cluster has what the jobs count on, and remembers those that have finished.

    Args:
        partitions: file of the plugin with the partitions that jobs may go to.
        account: that jobs are charged to, if one is named.
        accelerator, gpu_model: as configured.
        megabytes: memory of the largest job.
    """
    listed = _answer("sinfo", "--noheader", "--format=%R|%m|%G")
    if listed is None:
        mend = "start Snakemake on a login node of the cluster, or use --profile local"
        return [Finding("slurm", "problem", "sinfo is missing or does not answer", mend)]
    rows = [line.split("|") for line in listed.splitlines()]
    findings = []
    if partitions is None:
        seen = "no slurm-partition-config in the profile: SLURM's default partition is used"
        findings.append(Finding("slurm", "note", seen))
    else:
        try:
            named = yaml.safe_load(partitions.read_text(encoding="utf-8"))["partitions"]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            seen = f"{partitions} has no list of partitions ({str(error).splitlines()[0]})"
            mend = "see profiles/slurm-mi300x/partitions.yaml for one"
            return [Finding("slurm", "problem", seen, mend)]
        findings += _partitions(partitions, list(named), sorted({name for name, _, _ in rows}))
        rows = [row for row in rows if row[0] in named]
    return [
        *findings,
        *_nodes(rows, accelerator, gpu_model, megabytes),
        *_account(account),
        *_remembered(),
    ]


def _partitions(listed: Path, named: list[str], there: list[str]) -> list[Finding]:
    if absent := sorted(set(named) - set(there)):
        seen = f"{listed} names {', '.join(absent)}; the cluster has {', '.join(there)}"
        return [Finding("slurm", "problem", seen, f"edit the names and limits in {listed}")]
    return [Finding("slurm", "ok", f"partitions {', '.join(named)}")]


def _nodes(rows: list[list[str]], accelerator, gpu_model, megabytes) -> list[Finding]:
    """Memory and accelerators of the partitions' nodes; a row: partition, MB, generic resources."""
    findings = []
    largest = max((int(memory.rstrip("+")) for _, memory, _ in rows), default=0)
    if rows and largest < megabytes:
        seen = f"nodes have at most {largest} MB; the largest job asks {megabytes}"
        mend = "name a partition with more memory, or smaller settings for the largest job"
        findings.append(Finding("slurm", "problem", seen, mend))
    wanted = f"gpu:{gpu_model}" if gpu_model else "gpu"
    offered = sorted({kinds for _, _, kinds in rows if re.search(r"\bgpu\b", kinds)})
    if accelerator != "none" and not any(f"{wanted}:" in f"{kinds}:" for kinds in offered):
        seen = f"no partition offers {wanted} ({', '.join(offered) or 'no accelerator'})"
        mend = "mend cluster.gpu_model, name another partition, or set accelerator: none"
        findings.append(Finding("slurm", "problem", seen, mend))
    return findings


def _account(account: str | None) -> list[Finding]:
    accounts = _answer(
        *["sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={getpass.getuser()}"],
        "format=account",
    )
    mine = sorted(set((accounts or "").split()))
    if account is None:
        if len(mine) < 2:
            return [Finding("slurm", "ok", "no account named")]
        mend = "set slurm_account in the profile's default-resources"
        return [Finding("slurm", "note", f"no account named; yours: {', '.join(mine)}", mend)]
    if not mine:
        return [Finding("slurm", "note", f"account {account}: sacctmgr does not say whether it is")]
    if account not in mine:
        seen = f"slurm_account {account} is not among yours: {', '.join(mine)}"
        return [Finding("slurm", "problem", seen, "mend the profile's default-resources")]
    return [Finding("slurm", "ok", f"account {account}")]


def _remembered() -> list[Finding]:
    age = re.search(r"MinJobAge\s*=\s*(\d+)", _answer("scontrol", "show", "config") or "")
    if age and int(age[1]) < REMEMBERED:
        seen = f"SLURM forgets a finished job after {age[1]} s, squeue is asked up to 180 s later"
        mend = "ask for SLURM's default MinJobAge of 300, or set slurm-status-command: sacct"
        return [Finding("slurm", "problem", seen, mend)]
    return []


def _answer(*command: str) -> str | None:
    return output(*command, timeout_s=20)
