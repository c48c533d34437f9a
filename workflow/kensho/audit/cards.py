"""Figures that the cards of resources/ give, by kind and name, for the checks of `physics`."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from kensho.audit.catalogue import Cards
from kensho.audit.printed import Figure
from kensho.models import cards, hardware


def figures(
    architectures: Mapping[str, cards.Card], accelerators: Mapping[str, hardware.Hardware]
) -> Cards:
    """Figures by kind and name of the card, all exact.

    `parameters` in thousand millions, of cards that print a total; `active parameters` those of
    which a pass uses all (no experts); `bandwidth` in GB/s and, by device and type of number,
    `peak` in Tflop/s.
    """
    dense = {
        name: _exact(name, card.parameters, 10**9)
        for name, card in architectures.items()
        if card.parameters is not None
    }
    return {
        "parameters": dense,
        "active parameters": {
            name: figure
            for name, figure in dense.items()
            if not any("experts" in key for key in architectures[name].config)
        },
        "bandwidth": {
            name: _exact(name, card.bandwidth_bytes_per_s, 10**9)
            for name, card in accelerators.items()
        },
        "peak": {
            f"{name} {dtype}": _exact(f"{name} {dtype}", rate, 1)
            for name, card in accelerators.items()
            for dtype, rate in card.matrix_tflops.model_dump().items()
            if rate is not None
        },
    }


def load(architectures: Path, accelerators: Path) -> Cards:
    """The same from files. Raises ValueError as `kensho.models.cards.load_kind`."""
    return figures(cards.load(architectures), hardware.load(accelerators))


def _exact(name: str, value: float, unit: int) -> Figure:
    exact = Fraction(str(value)) / unit
    return Figure(exact, exact, f"{float(exact):.10g} ({name})", exact, Fraction(0))
