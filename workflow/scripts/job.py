"""What every script shares: the log, the execution log, and failures in one line."""

import os
import sys
import time
import traceback
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from kensho import budget, fallback
from kensho.messages import escaped, plain
from kensho.running import at_work

EXECUTION_LOG = Path("logs/execution_log.txt")
FAILURES = Path("logs/failures.txt")
LEDGER = Path("logs/ledger.tsv")
GIVEN_UP = Path("logs/given_up.txt")  # jobs whose failure no retry can mend
TAIL = 5  # lines of a failed job's log that are repeated


@contextmanager
def job(snakemake):
    """Run a script's body: output goes to the rule's log and the terminal, failures to one line."""
    name = escaped(" ".join([snakemake.rule, *map(str, snakemake.wildcards)]))
    if name in lines(GIVEN_UP):  # a retry of what cannot pass
        sys.exit(1)
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.time()
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as log, at_work(name):
        sys.stderr = _Plain(log, sys.__stderr__)
        try:
            record("started", name)
            with _within_budget(snakemake, name):
                _require_modules()
                yield _fallbacks(snakemake.params)
        except Exception as error:
            cause = plain(str(error)).partition("\n")[0] or type(error).__name__
            said = [f"rule {name} failed: {cause}", f"  log: {path}"]
            print(said[0], file=sys.__stderr__)
            with suppress(OSError):  # where the disk is full, each of these says what it can
                traceback.print_exc(file=_Plain(log))
                log.close()
            if not _of_ours(error):
                said += [f"  | {line}" for line in lines(path)[-TAIL:]]
            with suppress(OSError):
                record("failed", name, time.time() - began)
            with suppress(OSError):
                _append(FAILURES, "\n".join(said))
            with suppress(OSError):
                if not _may_pass(error):
                    _append(GIVEN_UP, name)
            sys.exit(1)
        finally:
            sys.stderr = sys.__stderr__
    record("finished", name, time.time() - began)


@contextmanager
def _within_budget(snakemake, name: str):
    """What a job uses goes to the ledger; where the money is spent it does not start."""
    asked = snakemake.resources
    settings = budget.Budget.model_validate(snakemake.config["budget"])
    held = budget.Held(snakemake.threads, asked.get("gpu", 0), snakemake.config["accelerator"])
    if Path(snakemake.scriptdir).name not in budget.ALWAYS:
        stage = budget.planned(os.environ)["stage"]
        budget.admit(held, settings, budget.read(LEDGER), stage)
    limit, scheduler = 60 * asked.get("runtime", 0), os.environ.get("SLURM_JOB_ID", "")
    with budget.recorded(LEDGER, name, held, limit_s=limit, scheduler=scheduler):
        yield


def _of_ours(error: Exception) -> bool:
    """Whether the library refused something in its own words: where in it tells users nothing."""
    raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return isinstance(error, ValueError) and raised.is_relative_to(Path(budget.__file__).parent)


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


def _fallbacks(params) -> list[str]:
    """Nothing is measured on another device than the configured one, or one declared instead."""
    wanted = params.get("device")
    if wanted in (None, "none"):
        return []  # `none` hides accelerators, see rules/common.smk
    from kensho.models.hardware import detected

    return fallback.accelerator(wanted, detected(), params.get("fallback"))


def paths(files) -> dict[str, Path | list[Path]]:
    """Named inputs or outputs of a rule: a path, or a list of paths, by name."""
    return {
        name: Path(value) if isinstance(value, str) else [Path(path) for path in value]
        for name, value in files.items()
    }


def record(event: str, name: str, seconds: float | None = None) -> None:
    """One line of the execution log: time, event, what, seconds."""
    took = "" if seconds is None else f"{seconds:.1f}"
    _append(
        EXECUTION_LOG,
        f"{datetime.now(UTC).isoformat(timespec='seconds')}\t{event}\t{escaped(name)}\t{took}",
    )


def killed() -> list[str]:
    """Jobs of the last run that started and never said how they ended."""
    return [name for name, event in _last_events().items() if event == "started"]


def finished(name: str) -> bool:
    """Whether the last run has made a job's outputs, all of them."""
    return _last_events().get(escaped(name)) == "finished"


def _last_events() -> dict[str, str]:
    """What each job of the last run said last."""
    said: dict[str, str] = {}
    for line in lines(EXECUTION_LOG):
        _, event, name, *_ = [*line.split("\t"), "", ""]
        if event == "run":
            said = {}
        else:
            said[name] = event
    return said


def lines(path: Path) -> list[str]:
    """Lines of a text file that a kill may have torn; none where there is no such file."""
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text + "\n")


class _Plain:
    """A text stream that writes what a message may show to others, a log file and the terminal."""

    def __init__(self, *streams):
        self.streams = streams

    def write(self, text):
        for stream in self.streams:
            stream.write(plain(text))
        return len(text)

    def flush(self):
        for stream in self.streams:
            stream.flush()

    def isatty(self):
        return False

    def close(self):
        """Some libraries close the stream that they found; ours goes on."""
