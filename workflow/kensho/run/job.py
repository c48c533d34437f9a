"""What every script shares: the log, the events of its job, and failures in one line."""

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from kensho import fallback
from kensho.messages import plain
from kensho.run import budget, events, record
from kensho.run.running import at_work

LIBRARY = Path(__file__).parents[1]
TAIL = 5  # lines of a failed job's log that are repeated


@contextmanager
def job(snakemake: Any) -> Iterator[list[str]]:
    """Run a script's body: output goes to the rule's log and the terminal, failures to one line.

    Yields the fallbacks that were taken before it.
    """
    start = record.started(snakemake)
    past = events.read(events.LOG, "run", "failed", "installed")
    if start.job in events.given_up(events.of_last_run(past)):  # a retry of what cannot pass
        sys.exit(1)
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as log, at_work(start.job):
        sys.stderr = _Plain(log, sys.__stderr__)
        try:
            events.append(start)
            if installed := record.installed(past):
                with suppress(OSError):
                    events.append(installed)
            _within_budget(snakemake, start.held)
            _require_modules()
            fallbacks = _fallbacks(snakemake.params)
            start = replace(start, fallbacks=[plain(line) for line in fallbacks])
            os.environ["KENSHO_DEVICES"] = str(snakemake.resources.get("gpu", 0))
            start = replace(start, device_probe=_probed(snakemake))
            yield fallbacks
            end = replace(start, event="finished", exit=0)
        except BaseException as error:
            end = _failed(start, error, path, log)
            if not isinstance(error, Exception):  # interrupted
                raise
            sys.exit(1)
        finally:
            seconds, stamp = time.monotonic() - began, events.now()
            sys.stderr = sys.__stderr__
            end = replace(end, time=stamp, seconds=round(seconds, 3))
            with suppress(OSError):
                _append(end, snakemake)


def _failed(start: events.Event, error: BaseException, path: Path, log: TextIO) -> events.Event:
    """The end of a job that failed; the log gets where, the terminal why."""
    cause = plain(str(error)).partition("\n")[0] or type(error).__name__
    end = replace(start, event="failed", exit=getattr(error, "returncode", 1), cause=cause)
    if not isinstance(error, Exception):
        return end
    print(f"rule {start.job} failed: {cause}", file=sys.__stderr__)
    with suppress(OSError):  # where the disk is full
        traceback.print_exc(file=_Plain(log))
        log.close()
    tail = [] if _of_ours(error) else tail_of(path)
    return replace(end, tail=tail, retriable=_may_pass(error))


def _append(end: events.Event, snakemake: Any) -> None:
    """Append an end; one that does not fit on the disk with all that is known of it goes without.

    An end that cannot be written does not fail the job: the attempt then counts as open.
    """
    try:
        events.append(record.ended(end, snakemake))
    except OSError:
        events.append(replace(end, inputs=[], outputs=[], params={}, tail=[]))


def _within_budget(snakemake: Any, held: events.Held) -> None:
    """Where the money is spent, a job that costs some does not start."""
    settings = budget.Budget.model_validate(snakemake.config["budget"])
    if Path(snakemake.scriptdir).name not in budget.ALWAYS and settings.prices.per_hour(held):
        budget.admit(held, settings, events.read(), budget.inherited(os.environ)["stage"])


def _of_ours(error: Exception) -> bool:
    """Whether the library refused something in its own words: where in it tells users nothing."""
    raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return isinstance(error, ValueError) and raised.is_relative_to(LIBRARY)


def _may_pass(error: Exception) -> bool:
    """Whether the same job can succeed when it is tried again, with more memory and time."""
    killed = getattr(error, "returncode", 0) < 0  # a child that a signal ended
    return killed or fallback.of_memory(error) or isinstance(error, ConnectionError | TimeoutError)


def _require_modules() -> None:
    """`module load` that fails does not end the shell that runs the job; this does."""
    loaded = os.environ.get("LOADEDMODULES", "").split(":")
    for module in os.environ.get("KENSHO_MODULES", "").split():
        if not any(name == module or name.startswith(f"{module}/") for name in loaded):
            raise ValueError(
                f"module {module} is not loaded: see `module avail` and mend cluster.modules, or, "
                "where bash does not know `module`, set BASH_ENV to the file that defines it"
            )


def _fallbacks(params: Any) -> list[str]:
    """Nothing is measured on another device than the configured one, or one declared instead."""
    configured = params.get("device")
    if configured in (None, "none"):
        return []  # `none` hides accelerators, see rules/common.smk
    from kensho.models.hardware import detected

    return fallback.accelerator(configured, detected(), params.get("fallback"))


def _probed(snakemake: Any) -> dict[str, float]:
    """How far the accelerators that the job uses, if any, are from the processor.

    Of a training in several processes each asks its own (:mod:`kensho.train.launch`).
    """
    if snakemake.params.get("device") in (None, "none"):
        return {}
    import torch

    from kensho.models import hardware, probe

    if hardware.detected() == "none":
        return {}
    several = snakemake.resources.get("gpu", 0)
    if fallback.REHEARSAL in os.environ:  # which may have fewer
        several = min(several, torch.cuda.device_count())
    if several > 1 and snakemake.rule == "train_stage":
        return {}
    hardware.require(several)
    measured = [probe.check(f"cuda:{place}") for place in range(max(1, several))]
    return {name: max(one[name] for one in measured) for name in measured[0]}


def paths(files: Any) -> dict[str, Any]:
    """Named inputs or outputs of a rule: a path, or a list of paths, by name."""
    return {
        name: Path(value) if isinstance(value, str) else [Path(path) for path in value]
        for name, value in files.items()
    }


def tail_of(path: Path) -> list[str]:
    """The last lines of a log, which a kill may have torn."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return text.splitlines()[-TAIL:]


class _Plain:
    """A text stream that writes what a message may show to others, a log file and the terminal."""

    def __init__(self, *streams: TextIO | None):
        self.streams = [stream for stream in streams if stream]

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(plain(text))
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()

    def isatty(self) -> bool:
        return False

    def close(self) -> None:
        """Some libraries close the stream that they found; ours goes on."""
