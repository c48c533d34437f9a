"""What the observations say about one reading of a claim: the starting points of both schools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, SupportsFloat

import numpy as np
import pandas as pd

from kensho.stats.intervals import Fit
from kensho.stats.scales import Scale

if TYPE_CHECKING:
    from kensho.stats.models import Model  # takes seconds to import

MANY = 200  # clusters or prompts beyond which their own effects are not sampled one by one
AIM_IN_ORDER = 0.97  # power of the t interval at which that of runs in order has 0.8


class Undefined(ValueError):
    """The observations are sound and give no such quantity, a ratio to zero for one."""


@dataclass(frozen=True)
class Evidence:
    """Closed forms and model data of one reading.

    Attributes:
        units: unit values on the claim's scale, index unit, in the order of the run.
        interval: (alpha) -> Fit on the working scale; None where the units do not vary and so say
            nothing; `constant` says then what does not vary.
        n, sd: number of units and their standard deviation on the working scale, for power.
        frequentist: p_value, tests and effect sizes, as far as the design has them.
        model, data, prior, estimand: of the Bayesian side; the last two None for the model's own.
            The model by its name, or itself where it was built for these rows.
        recover: (draws of the parameters, family's alpha) -> `kensho.stats.recovery.recover`: a
            check on data of the same shape that must hold before there is a verdict.
        in_order: whether units are runs one after the other, whose autocorrelation is a gate.
        aim: power of the interval at which the whole rule has 0.8: gates and joint posteriors ask
            for more than an interval (measured by the calibration).
        rival: (name, hyperparameters) of a prior that makes a competing model, to be compared by
            leave-one-out.
        specifications: alternative analyses, {label, estimate, low, high} on the claim's scale.
        shown: further tables of the design, for the report only; `of_posterior` makes more of them
            from the posterior's draws.
    """

    scale: Scale
    units: pd.Series
    interval: Callable[[float], Fit] | None
    n: int
    sd: float
    model: str | Model
    data: Mapping[str, np.ndarray]
    constant: str = "the units do not vary"
    frequentist: dict = field(default_factory=dict)
    prior: Mapping[str, float] | None = None
    estimand: Callable | None = None
    in_order: bool = False
    aim: float = 0.8
    rival: tuple[str, Mapping[str, float]] | None = None
    specifications: Callable[[float], list[dict]] = lambda alpha: []
    shown: dict = field(default_factory=dict)
    of_posterior: Callable[[Mapping[str, np.ndarray]], dict] = lambda draws: {}
    recover: Callable[[Mapping[str, np.ndarray], float], dict] | None = None


class Modelled(NamedTuple):
    """The Bayesian side of an evidence: `Evidence(**modelled._asdict(), ...)`."""

    model: str
    data: Mapping[str, np.ndarray] = {}
    prior: Mapping[str, float] | None = None


def of_one_share(share: float, units: int) -> Modelled:
    """Model and data of units that all have one and the same share: each counts as a judgement."""
    wins, losses = (max(0.0, sign * (2 * share - 1)) for sign in (1, -1))
    counts = units * np.array([wins, 1 - wins - losses, losses])
    return Modelled("dirichlet_wins", {"counts": counts.round().astype(int)})


def specification(
    label: str, estimate: SupportsFloat, low: SupportsFloat, high: SupportsFloat
) -> dict:
    """An alternative analysis, on the claim's scale."""
    return {"label": label, "estimate": float(estimate), "low": float(low), "high": float(high)}


def named(name: str, test: dict) -> dict:
    """A test for the report: name, statistic, dof, p_value (of an ANOVA the corrected one)."""
    keys = {"statistic": ("statistic", "t", "F"), "dof": ("dof", "dof_effect"),
            "p_value": ("p_gg", "p_value")}  # fmt: skip
    return {"name": name} | {
        key: next((test[k] for k in names if k in test), None) for key, names in keys.items()
    }
