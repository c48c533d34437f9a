"""One figure in several places: on its scale, beside itself, after what it was measured with."""

from __future__ import annotations

from datetime import date

from kensho.audit.printed import Figure, Finding, judged, unknown


def within(figure: Figure, lowest: Figure, highest: Figure) -> Finding:
    """Whether a figure lies on its scale: 0 to 1, 0 to 100, 1 to 10."""
    return judged(
        figure.within(lowest.value, highest.value) is not None,
        f"{figure} on a scale from {lowest} to {highest}.",
    )


def same(figure: Figure, elsewhere: Figure) -> Finding:
    """Whether two printings of one figure, each with its decimals, can be of one value."""
    cut = figure.within(elsewhere.low, elsewhere.high)
    told = f"{figure} here and {elsewhere} there"
    if cut and cut.low == cut.high and figure.step:
        told += f", both only if it is exactly {float(cut.low):g}"
    return judged(cut is not None, f"{told}.")


def dated(reported: str, published: str) -> Finding:
    """Whether a score was reported after its benchmark was published; dates as 2025-04-25."""
    try:
        days = [date.fromisoformat(text.strip()) for text in (reported, published)]
    except ValueError:
        return unknown(f"Reported {reported}, published {published}.", "both dates, to the day")
    return judged(days[0] >= days[1], f"The score is of {reported}, the benchmark of {published}.")
