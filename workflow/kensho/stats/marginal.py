"""Contrast of the average predictions for two arms from clustered rows, in closed form.

Within each arm the mean score is linear in the fixed effects of the formula, whatever the family;
it is predicted for every observed row and averaged (g-computation). Without other fixed effects it
is the arm's mean, under any link. The rows' dependence is left to the jackknife over units, which
leaves out one at a time: the cluster-robust variance CV3 (Bell & McCaffrey 2002, Survey Methodology
28), which keeps its level where few or unequal clusters make the plain sandwich too short. Of
balanced pairs it is the paired t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from kensho.stats.intervals import Fit
from kensho.stats.scales import RATIO, Scale


@dataclass(frozen=True)
class Rows:
    """Where scores were observed: all arrays have one entry (a row of `columns`) for each score.

    treated: whether in the treatment arm; columns: (rows, p) fixed effects without the arm, the
    intercept first; unit: code of the unit of replication, from 0.
    """

    treated: np.ndarray
    columns: np.ndarray
    unit: np.ndarray

    @property
    def arms(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the treatment and of the control, as masks."""
        return self.treated, ~self.treated

    @property
    def units(self) -> int:
        return int(self.unit.max()) + 1

    @property
    def replication(self) -> int:
        """Units in the arm that has fewer of them; of paired units all of them."""
        return min(np.unique(self.unit[arm]).size for arm in self.arms)

    @property
    def dof(self) -> float:
        """One less than the effective number of units (Kish 1965), that of units of equal size.

        Where units of unequal size differ in their effect the large ones decide alone: with n - 1
        degrees of freedom ten clusters of 2 to 30 items err by .070, not .05. It is exact for the
        worst case, in which units differ so much that items do not count, and cautious elsewhere.
        """
        sizes = (np.bincount(self.unit[arm]) for arm in self.arms)
        return float(min(n.sum() ** 2 / (n**2).sum() for n in sizes)) - 1


def means(y: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Average predictions for treatment and control: of all rows, and without each unit.

    Args: y (N, rows) scores of N data sets of the same design.

    Returns: (2, N) and (2, N, units). Raises ValueError where without one unit an arm's fixed
        effects cannot be told apart.
    """
    average, every, without = rows.columns.mean(axis=0), [], []
    for arm in rows.arms:
        w, code = rows.columns[arm], rows.unit[arm]
        member = sparse.csr_array(
            (np.ones(code.size), (code, np.arange(code.size))), (rows.units, code.size)
        )
        square = (w[:, :, None] * w[:, None, :]).reshape(code.size, -1)
        by_unit = (member @ square).reshape(rows.units, w.shape[1], w.shape[1])
        left = by_unit.sum(axis=0) - by_unit
        if (np.linalg.matrix_rank(left, hermitian=True) < w.shape[1]).any():
            raise ValueError(
                "formula: without one of its units an arm has no rows left for some fixed effect; "
                "leave that effect out, or observe more units of every kind in both arms"
            )
        weight = np.linalg.solve(by_unit.sum(axis=0), average)
        weights = np.linalg.solve(left, np.broadcast_to(average, left.shape[:2])[..., None])[..., 0]
        sums = np.stack([member @ (w[:, [j]] * y[:, arm].T) for j in range(w.shape[1])])
        total = sums.sum(axis=1)  # (p, N), of which `sums` holds each unit's part (p, units, N)
        every.append(weight @ total)
        without.append(np.einsum("gp,pgn->ng", weights, total[:, None] - sums))
    return np.stack(every), np.stack(without)


def contributions(y: np.ndarray, rows: Rows, scale: Scale) -> np.ndarray:
    """What each unit contributes to the contrast on the working scale: (N, units) or (units,).

    The mean over units is the contrast, their standard deviation over the root of their number its
    standard error. Of balanced pairs they are the units' differences. A ratio is linearised (delta
    method); it is NaN where an average prediction is not above 0.
    """
    (treated, control), (without_t, without_c) = means(np.atleast_2d(y), rows)
    if scale is RATIO:
        with np.errstate(invalid="ignore", divide="ignore"):
            estimate = np.log(treated) - np.log(control)
            without_t, without_c = without_t / treated[:, None], without_c / control[:, None]
    else:
        estimate = treated - control
    change = (rows.units - 1) * (without_c - without_t)
    contributed = estimate[:, None] + change - change.mean(axis=1, keepdims=True)
    return contributed if np.ndim(y) > 1 else contributed[0]


def fit(contributed: np.ndarray, dof: float, alpha: float) -> Fit:
    """t interval of the contrast from what each unit contributes."""
    estimate, n = contributed.mean(-1), contributed.shape[-1]
    se = contributed.std(-1, ddof=1) / np.sqrt(n)
    half = stats.t.ppf(1 - alpha / 2, dof) * se
    return Fit(estimate, estimate - half, estimate + half, se, dof)
