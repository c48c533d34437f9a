"""One figure in several places: on its scale, beside itself, after what it was measured with."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from kensho.audit.printed import Figure, Finding, judged, one_unit, unknown


def within(figure: Figure, lowest: Figure, highest: Figure) -> Finding:
    """Whether a figure lies on its scale: 0 to 1, 0 to 100, 1 to 10."""
    return judged(
        figure.within(lowest.value, highest.value) is not None,
        f"{figure} on a scale from {lowest} to {highest}.",
    )


def same(figure: Figure, elsewhere: Figure) -> Finding:
    """Whether two printings of one figure, each with its decimals, can be of one value."""
    one_unit("elsewhere", [figure, elsewhere])
    cut = figure.within(elsewhere.low, elsewhere.high)
    told = f"{figure} here and {elsewhere} there"
    if cut and cut.low == cut.high and figure.step:
        told += f", both only if it is exactly {float(cut.low):g}"
    return judged(cut is not None, f"{told}.")


def dated(reported: str, published: str) -> Finding:
    """Whether a score was reported after its benchmark was published.

    Args: dates as 2025-04-25, or the month (2025-04) or the year alone.
    """
    told = f"The score is of {reported.strip()}, the benchmark of {published.strip()}."
    days = [_days(text.strip()) for text in (reported, published)]
    if None in days:
        return unknown(told, "both dates as 2025-04-25")
    (first, last), (earliest, latest) = (ends for ends in days if ends)
    if first < latest and last >= earliest:
        return unknown(told, "both dates, to the day")
    return judged(first >= latest, told)


def _days(text: str) -> tuple[date, date] | None:
    """First and last day of a date, a month or a year; None for what is none."""
    parts = text.replace("/", "-").split("-")
    try:
        if len(parts) == 1 and len(text) == 4:
            return date(int(text), 1, 1), date(int(text), 12, 31)
        if len(parts) == 2:
            year, month = map(int, parts)
            return date(year, month, 1), date(year, month, monthrange(year, month)[1])
        day = date(*map(int, parts))
    except (TypeError, ValueError):
        return None
    return day, day
