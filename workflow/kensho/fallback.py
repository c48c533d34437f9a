"""Fallbacks: what an experiment does where its first choice cannot be had.

Each is declared in the configuration, named in the conditions and lowers the evidence tier; where
none is declared, the job fails. Bytes that follow from dimensions have a closed form to fall back
on. Times have nothing: what was not timed is not tested. Of engines: :mod:`kensho.models.engine`.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar, get_args

# Strongest first, as claims.model.Tier; importing that, experiments would rerun with every change.
Tier = Literal["at-scope", "reference", "published", "reduced", "analytic", "rehearsal"]
TIERS = get_args(Tier)
SPOKEN = {"rocm": "ROCm", "cuda": "CUDA"}
# What torch, the C library and the libraries of accelerators say when they get no memory.
REFUSED = ("out of memory", "Cannot allocate memory", "bad_alloc", "ALLOC_FAILED")

Rung = TypeVar("Rung")
Result = TypeVar("Result")


REHEARSAL = "KENSHO_REHEARSAL"  # variable of the jobs of one


class OutOfMemory(MemoryError):
    """A run was refused memory, or killed for the lack of it."""


class Killed(OutOfMemory):
    """A run was killed, as happens where the machine has no more memory, whoever holds it."""


class _TimeIsOver(BaseException):  # no Exception: code that catches those must not swallow it
    pass


def lowered(conditions: Mapping, taken: Sequence[str], tier: Tier) -> dict:
    """Conditions with the fallbacks that were taken, which leave no more than ``tier``."""
    if not taken:
        return dict(conditions)
    ran = conditions["ran"]
    at_most = {**dict.fromkeys(taken, tier), **ran.get("at_most", {})}
    fallbacks = [*conditions["fallbacks"], *taken]
    return {**conditions, "ran": {**ran, "at_most": at_most}, "fallbacks": fallbacks}


def accelerator(configured: str, seen: str, chain: Sequence[str] | None) -> list[str]:
    """The fallback from the ``configured`` accelerator to the ``seen`` one: none or one.

    ``chain`` holds those that the configuration allows instead (None: the experiment is about the
    configured one). Raises ValueError if it does not hold what is seen.
    """
    if seen == configured:
        return []
    if seen in (chain or ()):
        return [f"accelerator: {configured} -> {seen} (torch sees no {SPOKEN[configured]} device)"]
    other = f", or add {seen} to accelerator_fallback"
    raise ValueError(
        f"the configuration says accelerator: {configured}, torch sees {seen}; mend the driver or "
        f"the torch build, change accelerator{'' if chain is None else other}"
    )


def of_memory(error: Exception) -> bool:
    """Whether an error says that memory was refused, on the host or on an accelerator."""
    text = str(error)
    return isinstance(error, MemoryError) or any(phrase in text for phrase in REFUSED)


def on_smaller(
    attempt: Callable[[Rung], Result], rungs: Mapping[str, Rung]
) -> tuple[Result, Rung, list[str]]:
    """Result, rung and fallbacks taken of the first rung, by name, that does not run out of memory.

    Raises OutOfMemory, as the last rung did.
    """
    names = list(rungs)
    taken: list[str] = []
    for name, following in zip(names, [*names[1:], None], strict=True):
        try:
            return attempt(rungs[name]), rungs[name], taken
        except OutOfMemory as error:
            if following is None:
                raise
            taken.append(f"out of memory: {name} -> {following} ({error})")
    raise ValueError("no model to try; name one")


def within(seconds: float | None, work: Callable[[], None]) -> None:
    """Do the work, and leave it where it stands, without an error, once ``seconds`` are over.

    None: never. For the main thread, to which Python delivers the alarm between two instructions.
    """
    if seconds is None:
        return work()

    def ring(*_):
        raise _TimeIsOver

    before = signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _TimeIsOver:
        pass
    finally:
        signal.signal(signal.SIGALRM, before)
