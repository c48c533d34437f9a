"""The tier of evidence, derived from what ran and from what a claim speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kensho.fallback import TIERS, Tier
from kensho.observations.ran import Model, Ran

if TYPE_CHECKING:
    from kensho.claims.model import Scope

ANY = "any"  # model or hardware
OTHER = {
    "own": "weights that no lock holds",
    "other": "other weights than its own",
    "random": "random weights",
}
Finding = tuple[Tier, str]  # and its reason


class Arm(NamedTuple):
    """What ran, and the names of its accelerators."""

    ran: Ran
    accelerators: Sequence[str]

    @classmethod
    def of(cls, conditions: Mapping[str, Any]) -> Arm:
        """From stored conditions; a machine without accelerators counts as one that is none."""
        machines = conditions.get("hardware") or []
        names = [
            name
            for machine in (machines if isinstance(machines, list) else [machines])
            for name in machine["accelerators"] or ["no accelerator"]
        ]
        return cls(Ran.model_validate(conditions["ran"]), names)


def derive(scope: Scope, arms: Sequence[Arm]) -> Finding:
    """Tier of what the arms of a claim observed, and why it is no higher.

    At scope only if every model that the claim names ran, and no other, each with its own weights
    on the hardware that it names, or if the quantity depends on neither. ``any`` names all models,
    an empty list none.
    """
    limits = [limit for arm in arms for limit in _limits(scope, arm)]
    causes = [arm.ran.follows_from for arm in arms]
    if all(causes):
        alone = " and ".join(dict.fromkeys(filter(None, causes)))
        return _weakest(limits, f"it follows from {alone} alone")
    hubs = {model.hub for arm in arms for model in arm.ran.models}
    limits += [("reduced", f"{n} did not run") for n in scope.models if n not in {ANY, *hubs}]
    return _weakest(limits, "what the claim speaks of ran")


def ceiling(ran: Ran) -> Tier:
    """The highest tier that any claim can get from what ran."""
    return _weakest(_own_limits(ran), "")[0]


def _weakest(limits: Iterable[Finding], without: str) -> Finding:
    return max([("at-scope", without), *limits], key=lambda limit: TIERS.index(limit[0]))


def _limits(scope: Scope, arm: Arm) -> Iterator[Finding]:
    dependent = not arm.ran.follows_from
    named = f"speaks of {' and '.join(scope.models)}" if scope.models else "names no model"
    if dependent and ANY not in scope.models:
        for model in arm.ran.models:
            if model.hub not in scope.models:
                yield "reduced", f"{model.name} ran; the claim {named}"
    yield from _own_limits(arm.ran)
    if dependent and not _is(scope.hardware, arm.accelerators):
        devices = " and ".join(dict.fromkeys(arm.accelerators)) or "unknown hardware"
        yield "reference", f"{devices} ran; the claim speaks of {scope.hardware}"


def _own_limits(ran: Ran) -> Iterator[Finding]:
    for fallback, tier in ran.at_most.items():
        yield tier, fallback
    if ran.computed:
        yield "analytic", f"computed from {ran.computed}"
    for stand_in in ran.stand_ins:
        yield "reduced", stand_in
    for data in ran.data:
        if data.of is not None and data.items < data.of:
            yield "reduced", f"{data.items:,} of the {data.of:,} items of {data.name}"
    for model in ran.models:
        if model.weights == "twin":
            yield "reduced", f"{model.name} is a twin"
        elif not ran.follows_from:
            yield from _of_model(model)


def _of_model(model: Model) -> Iterator[Finding]:
    if model.hub is None:
        yield "reduced", f"{model.name} is of no repository that a claim could name"
    elif not model.as_card:
        yield "reduced", f"{model.name} is not known to have the dimensions of {model.hub}"
    elif model.weights != "own" or not (model.revision and model.files and model.parameters):
        yield "reference", f"{model.name} ran with {OTHER[model.weights]}"


def _is(hardware: str, accelerators: Sequence[str]) -> bool:
    """Whether the names of all accelerators hold every word of a claim's hardware.

    ROCm stands in no name: torch reaches AMD's devices through nothing else.
    """
    words = set(hardware.removesuffix(" with ROCm").split())
    return hardware == ANY or (
        bool(accelerators) and all(words <= set(name.split()) for name in accelerators)
    )
