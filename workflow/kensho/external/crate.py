"""One experiment's observations in crates of several machines, which are the arms of a claim.

Crates are compared only where they verify and hold one experiment, of the same code and settings,
on the same models and data; that its items are the same is checked as for all brought tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from kensho import crates, observations
from kensho.claims.base import ExternalTable
from kensho.claims.registration import leaves
from kensho.external.rows import Row, known, owner, shown
from kensho.external.wanted import Experiment
from kensho.files import read_json
from kensho.provenance import verify_crate

SHOWN = ("hardware", "software", "device", "dtype", "threads", "rocm_variables")  # of each machine


class Machine(NamedTuple):
    """What a crate says of the experiment's last finished job and of the arm's conditions."""

    table: ExternalTable
    attempt: str
    asked: Mapping[str, Any]  # what must be the same on all machines
    conditions: Mapping[str, Any]


def rows(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Observations of the table's arm, as stored. Raises ValueError as :func:`machines` does."""
    with crates.opened(Path(table.path), *_files(table)) as folder:
        frame, _ = observations.read(_observed(table, folder))
    if table.metric not in (None, *frame["metric"]):
        raise ValueError(
            f"{table.path}: no metric '{table.metric}', {known(str(table.metric), frame['metric'])}"
        )
    for place, one in enumerate(frame.itertuples(), start=2):
        if table.metric in (None, one.metric):
            yield Row(
                owner(table), one.metric, one.block, one.value, place, one.unit, one.replicate
            )


def machines(tables: Sequence[ExternalTable]) -> dict[str, dict]:
    """Conditions by arm of the tables that are crates: each machine's, and what all share.

    Raises ValueError, one line that names the crate, where one does not verify or lacks the
    observations, where code, settings, seed, models or data are not those of the first, or where
    two are of one run.
    """
    brought = [_machine(table) for table in tables if table.format == "crate"]
    for other in brought[1:]:
        _comparable(brought[0], other)
    for number, one in enumerate(brought):
        for other in brought[:number]:
            if one.attempt == other.attempt or _digest(one) == _digest(other):
                raise ValueError(
                    f"{one.table.path}: of the same run as {other.table.path}: one machine counted "
                    "twice; bring that of another"
                )
    return {
        owner(one.table): {
            **{key: value for key, value in one.conditions.items() if key in SHOWN},
            "own": {"crate": one.table.model_dump(exclude_defaults=True), "asked": one.asked},
            "deviations": [
                f"{owner(one.table)}: {line}"
                for kind in ("fallbacks", "deviations")
                for line in one.conditions.get(kind) or []
            ],
        }
        for one in brought
    }


def _files(table: ExternalTable) -> tuple[str, ...]:
    return (f"results/benchmark_data/{table.experiment}/*", verify_crate.LOG)


def _machine(table: ExternalTable) -> Machine:
    try:
        faults = verify_crate.lines(verify_crate.checked(Path(table.path)))
    except verify_crate.Unreadable as error:
        raise ValueError(f"{shown(error, 300)}; bring an exported crate") from None
    if faults:
        raise ValueError(
            f"{table.path}: does not verify: {shown(faults[0], 200)} ({len(faults)} fault(s)); "
            "bring it as it was exported"
        )
    with crates.opened(Path(table.path), *_files(table)) as folder:
        conditions = read_json(_observed(table, folder).with_suffix(".conditions.json"))
        jobs = [
            event
            for event in _events(folder / verify_crate.LOG)
            if event.get("event") == "finished" and event.get("rule") == table.experiment
        ]
    if not jobs or not jobs[-1].get("code"):
        raise ValueError(
            f"{table.path}: no finished job of '{table.experiment}' with the digest of its code; "
            "bring a crate of the run that observed it"
        )
    params, ran = jobs[-1].get("params") or {}, conditions.get("ran") or {}
    asked = {
        "code": jobs[-1]["code"],
        "settings": params.get("settings"),
        "seed": params.get("seed"),
        "items": conditions.get("items"),
        "models": ran.get("models"),
        "data": ran.get("data"),
    }
    return Machine(table, jobs[-1].get("attempt", ""), asked, conditions)


def _observed(table: ExternalTable, folder: Path) -> Path:
    place = folder / f"results/benchmark_data/{table.experiment}"
    path = place / f"{table.of}.csv"
    if not path.is_file():
        held = [one.stem for one in place.glob("*.csv")]
        raise ValueError(
            f"{table.path}: no arm '{table.of}' of the experiment '{table.experiment}', "
            f"{known(str(table.of), held)}"
        )
    return path


def _events(path: Path) -> Iterator[Mapping[str, Any]]:
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        with suppress(ValueError):  # torn by a kill or a full disk
            yield json.loads(line)


def _digest(machine: Machine) -> str:
    return machine.conditions["observations_sha256"]


def _comparable(first: Machine, other: Machine) -> None:
    one, two = (dict(leaves(dict(machine.asked))) for machine in (first, other))
    for key in sorted({*one, *two}):
        here, there = one.get(key), two.get(key)
        if here != there:
            raise ValueError(
                f"{other.table.path}: {key} of '{other.table.experiment}' is {shown(there)}, in "
                f"{first.table.path} {shown(here)}: not the same experiment; run it with the same"
            )
