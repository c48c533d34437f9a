"""The checks by name, and how their arguments are read from what a table or a record says.

A text stands for a figure as it was printed, a number for a count or a limit that is exact.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from kensho.audit import (
    confusion,
    granularity,
    physics,
    places,
    significance,
    spread,
    totals,
    win_rates,
)
from kensho.audit.printed import Figure, Finding, Word, cut_off, exact, per_cent, printed, whole
from kensho.validation import suggestion

OF_ROWS: dict[str, Callable[..., Finding]] = {
    "reachable": granularity.reachable,
    "standard_error": granularity.standard_error,
    "group_error": granularity.group_error,
    "judge_scores": spread.judge_scores,
    "confusion": confusion.confusion,
    "p_value": significance.p_value,
    "p_of_interval": significance.p_of_interval,
    "symmetric": significance.symmetric,
    "d_of_t": significance.d_of_t,
    "derived": totals.derived,
    "gain": totals.gain,
    "mean_of_parts": totals.mean_of_parts,
    "complement": win_rates.complement,
    "weights_in_memory": physics.weights_in_memory,
    "file_size": physics.file_size,
    "bandwidth": physics.bandwidth,
    "peak": physics.peak,
    "cost": physics.cost,
    "within": places.within,
    "same": places.same,
    "dated": places.dated,
}
OF_COLUMNS: dict[str, Callable[..., Finding | list[Finding]]] = {
    "items_recovered": granularity.items_recovered,
    "ranks": totals.ranks,
    "bold_is_best": totals.bold_is_best,
    "round_robin": win_rates.round_robin,
    "cycles": win_rates.cycles,
}
CHECKS: dict[str, Callable[..., Finding | list[Finding]]] = {**OF_ROWS, **OF_COLUMNS}
# Checks of shares, whose figures `scale` (100 where they are in per cent) brings to 0 to 1.
OF_SHARES = {"reachable", "standard_error", "group_error", "confusion", "complement",
             "items_recovered", "round_robin", "cycles"}  # fmt: skip

# Checks of sums, shares and gains, of which papers also print what was cut off.
OF_TOTALS = {"reachable", "derived", "gain", "mean_of_parts", "complement", "same", "cost"}

# Checks that hold whichever of their figures a row has, and one that needs the cells of all rows.
OF_SOME, OF_EVERY_ROW = {"confusion"}, {"round_robin"}


# Of each kind of figure, those that cards give, by name: see `kensho.audit.cards`.
Cards = Mapping[str, Mapping[str, Figure]]


@lru_cache
def arguments(check: str) -> dict[str, tuple[Any, bool]]:
    """Type (Figure, int, str, a list of one, or a Figure annotated with the kind of card that has
    it) and whether it is needed, of each argument.

    Raises ValueError for a check that is not known.
    """
    if check not in CHECKS:
        raise ValueError(f"no check '{check}', {suggestion(check, CHECKS)}; change it")
    function = CHECKS[check]
    hints = get_type_hints(function, include_extras=True)
    needed = {name: parameter.default is parameter.empty
              for name, parameter in inspect.signature(function).parameters.items()}  # fmt: skip
    return {name: (_plain(hints[name]), needed[name]) for name in needed}


def _plain(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return _plain(next(one for one in get_args(hint) if one is not type(None)))
    return hint


def of_card(hint: Any) -> bool:
    """Whether the name of a card can stand for an argument."""
    return get_origin(hint) is Annotated


def checked_names(check: str, raw: Mapping[str, Any]) -> None:
    """Raise ValueError for a check, or an argument of one, that is not known or missing."""
    known = arguments(check)
    for name in raw:
        if name not in known:
            raise ValueError(f"{check} has no '{name}', {suggestion(name, known)}; change it")
    for name, (_, needed) in known.items():
        if needed and name not in raw:
            raise ValueError(f"{check} needs '{name}'; add it")


def value(
    hint: Any,
    raw: Any,
    scale: int | None = None,
    decimals: int = 0,
    cards: Cards | None = None,
) -> Any:
    """What a check takes, from a text or a number.

    Args: scale is what a share of 1 is printed as, None where the check is not of shares.

    Raises ValueError for what is none of it, and for a per cent sign on a scale of 1.
    """
    if get_origin(hint) is list:
        if not isinstance(raw, list):
            raise ValueError(f"'{raw}' is no list")
        return [value(get_args(hint)[0], one, scale, decimals, cards) for one in raw]
    if of_card(hint):
        kind, known = get_args(hint)[1], (cards or {}).get(get_args(hint)[1], {})
        if raw in known:
            return known[raw]
        try:
            return value(Figure, raw, scale, decimals)
        except ValueError as error:
            raise ValueError(f"{error}, and no card of {kind}, {suggestion(raw, known)}") from None
    if hint is Figure:
        if not isinstance(raw, str):
            return exact(raw, scale or 1)
        if scale == 1 and per_cent(raw):
            raise ValueError(f"'{raw.strip()}' is in per cent, and `scale` 1; put scale: 100")
        return printed(raw, scale or 1, decimals)
    if hint is int:
        return whole(str(raw))
    if get_origin(hint) is Literal and raw not in get_args(hint):
        raise ValueError(f"'{raw}' is none of {', '.join(get_args(hint))}")
    return str(raw)


def finding(
    check: str, values: Mapping[str, Any], scale: int | None = None
) -> Finding | list[Finding]:
    """What a check says of its arguments, and of a figure that cannot be whether another way to
    print it would explain it. Raises ValueError as the check does."""
    answer = CHECKS[check](**values)
    if isinstance(answer, list) or answer.word != Word.IMPOSSIBLE:
        return answer
    told = ""
    if check in OF_TOTALS:
        wider = OF_ROWS[check](**{name: _cut_off(one) for name, one in values.items()})
        told = " Cut off instead of rounded they would fit." * (wider.word == Word.CONSISTENT)
    figures = [
        one
        for raw in values.values()
        for one in (raw if isinstance(raw, list) else [raw])
        if isinstance(one, Figure)
    ]
    if scale == 1 and any(one.step and 1 < one.value <= 100 for one in figures):
        told += " Per cent take scale: 100."
    return answer._replace(sentence=answer.sentence + told)


def _cut_off(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_cut_off(one) for one in raw]
    return cut_off(raw) if isinstance(raw, Figure) else raw


def run(check: str, raw: Mapping[str, Any], scale: int = 1, cards: Cards | None = None) -> Finding:
    """The finding of one check of a row on figures as printed. Raises ValueError as above."""
    checked_names(check, raw)
    if check not in OF_ROWS:
        raise ValueError(f"{check} is a check of columns; take one of rows")
    known, values = arguments(check), {}
    for name, one in raw.items():
        try:
            values[name] = value(
                known[name][0], one, scale if check in OF_SHARES else None, cards=cards
            )
        except ValueError as error:
            raise ValueError(f"{check}.{name}: {error}; change it") from None
    try:
        answer = finding(check, values)
    except ValueError as error:
        raise ValueError(f"{check}.{error}; change it") from None
    assert isinstance(answer, Finding)
    return answer
