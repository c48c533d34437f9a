"""What was registered of a claim when its experiment started, and what has changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kensho.claims import registry
from kensho.claims.model import Claim, Tier

# Remarks and what the source's own figures say of each other enter no verdict; the scope does, by
# the tier that follows from it.
JUDGED = (
    *("statement", "quantity", "unit", "claimed", "scope", "required_tier", "test"),
    "family_size",
)


def registered(folder: Path, experiment: str) -> dict[str, dict]:
    """Canonical record by claim id of every claim in the folder that tests this experiment.

    Each also says how large its family was (`family_size`), over which errors are shared.

    Raises ClaimError as :func:`registry.load` does.
    """
    tested = registry.tested(registry.load(folder))
    return {
        c.id: c.model_dump(mode="json")
        | {"family_size": registry.family_size(tested, c.required_test.family)}
        for c in tested
        if c.required_test.experiment == experiment
    }


def oldest(earlier: Sequence[Mapping], now: Mapping) -> dict[str, dict]:
    """Registration of an observation that rests on earlier jobs: each claim as it first stood.

    A claim that an earlier job did not know yet is left out: it came after the data.
    """
    return {
        name: next((e[name] for e in earlier if e[name] != record), record)
        for name, record in now.items()
        if all(name in e for e in earlier)
    }


def status(
    claim: Claim, conditions: Mapping[str, Mapping], family_size: int | None = None
) -> dict[str, Any]:
    """How the judged claim stands to the registrations stored with its observations.

    Args:
        conditions: conditions of each arm that the claim reads; `registered` holds the records.

    Returns `status` ("as registered", "changed after the data" or "registered after the data")
    and `diff`, a line for each changed key. One arm that differs is enough. Published data were
    there before any registration, so they are never "as registered". A family that shrank narrows
    the interval and changes the claim; one that grew widens it: its size then is `family_then`,
    which is None elsewhere. An exact ratio takes no part in its family.
    """
    if claim.test and not claim.test.stochastic:
        family_size = None
    now = claim.model_dump(mode="json") | {"family_size": family_size}
    judged = dict(leaves(_judged(now)))
    stored = [(c.get("registered") or {}).get(claim.id) for c in conditions.values()]
    diff, smaller = list[str](), list[int]()
    for record in filter(None, stored):
        size = family_size
        if family_size is not None and (then_size := record.get("family_size")) is not None:
            if then_size < family_size:
                smaller.append(then_size)
            size = max(then_size, family_size)
        record = {key: value for key, value in record.items() if key != "family_size"}
        then = dict(leaves(_judged({**_completed(record), "family_size": size})))
        diff += [
            f"{key}: {_shown(then, key)} -> {_shown(judged, key)}"
            for key in {**then, **judged}
            if _shown(then, key) != _shown(judged, key)
        ]
    late = None in stored or any(c.get("tier") == Tier.PUBLISHED for c in conditions.values())
    word = "changed" if diff else "registered" if late else None
    return {
        "status": f"{word} after the data" if word else "as registered",
        "diff": list(dict.fromkeys(diff)),
        "family_then": min(smaller, default=None),
    }


def _judged(record: Mapping) -> dict:
    return {key: record.get(key) for key in JUDGED}


def _completed(record: Mapping) -> Mapping:
    """A record of an older version with the defaults of keys that it did not have yet."""
    try:
        return Claim.model_validate(record).model_dump(mode="json")
    except ValidationError:
        return record


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Dotted path and value of every leaf; a list of plain values is one leaf."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, below in enumerate(value):
            yield from leaves(below, f"{path}[{number}]")
    else:
        yield path, value


def _shown(leaves: Mapping, key: str) -> str:
    return json.dumps(leaves[key], ensure_ascii=False) if key in leaves else "absent"
