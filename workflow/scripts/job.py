"""What every script shares: the log, the execution log, and failures in one line."""

import sys
import time
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

EXECUTION_LOG = Path("logs/execution_log.txt")
FAILURES = Path("logs/failures.txt")


@contextmanager
def job(snakemake):
    """Run a script's body: output goes to the rule's log and the terminal, failures to one line."""
    name = " ".join([snakemake.rule, *map(str, snakemake.wildcards)])
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.time()
    with open(path, "w", encoding="utf-8") as log:
        sys.stderr = _Both(log, sys.__stderr__)
        _record("started", name, None)
        try:
            _require(snakemake.params.get("device"))
            yield
        except Exception as error:
            traceback.print_exc(file=log)
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            log.flush()
            _record("failed", name, time.time() - began)
            with open(FAILURES, "a", encoding="utf-8") as file:
                file.write(f"rule {name} failed: {cause}\n  log: {path}\n")
            print(f"rule {name} failed: {cause}", file=sys.__stderr__)
            sys.exit(1)
        finally:
            sys.stderr = sys.__stderr__
    _record("finished", name, time.time() - began)


def _require(accelerator: str | None) -> None:
    """Nothing is measured on another device than the configured one."""
    if accelerator in (None, "none"):
        return  # `none` hides accelerators, see rules/common.smk
    from kensho.models.hardware import detected

    if (found := detected()) != accelerator:
        raise ValueError(
            f"the configuration says accelerator: {accelerator}, torch sees {found}; mend the "
            "driver or the torch build, or change accelerator"
        )


def _record(event: str, name: str, seconds: float | None) -> None:
    EXECUTION_LOG.parent.mkdir(parents=True, exist_ok=True)
    took = "" if seconds is None else f"{seconds:.1f}"
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with open(EXECUTION_LOG, "a", encoding="utf-8") as file:
        file.write(f"{stamp}\t{event}\t{name}\t{took}\n")


class _Both:
    """A text stream that writes to a log file and to the terminal."""

    def __init__(self, *streams):
        self.streams = streams

    def write(self, text):
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self):
        for stream in self.streams:
            stream.flush()

    def isatty(self):
        return False
