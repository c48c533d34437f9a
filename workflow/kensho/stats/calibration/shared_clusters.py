"""Tasks that share clusters: how often the ranking's interval misses, its shared effect included.

Sixteen tasks, four groups of which ask the same clusters; what a model makes of a cluster counts in
all tasks of its group. The moments are those of a run (`ranking.paired_moments`, the correlation
estimated from the scores), the posterior of the gap between two models is exact, on a grid of tau.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import linalg, special

from kensho.stats.evidence import clusters
from kensho.stats.models.ranking import RANKING
from kensho.stats.ranking import paired_moments

REPLICATIONS = 2_000  # that the limits are for
MOST = 400  # data sets of a setting: each takes milliseconds
THETA = np.array([0.05, -0.05, 0.02, -0.02])
TAU = 0.05
GROUPS = ((0, 1, 2), (3, 4), (5, 6), (7, 8))  # of 16 tasks: syntax, commonsense, JCoLA, JSQuAD
TASKS = 16
NOISE = 0.35  # sd of a score within a cluster
CASES = ((6, 0.0), (6, 0.5), (50, 0.0), (50, 0.5), (50, 0.9))  # clusters, share of them in common


def acceptance(replications: int, seed: int) -> pd.DataFrame:
    """Coverage of the gap of two models (95 %), as `characteristics.acceptance`."""
    count = min(replications, MOST)
    wider, rows = math.sqrt(max(1, REPLICATIONS / count)), []
    streams = np.random.SeedSequence(seed).spawn(len(CASES))
    for (size, common), stream in zip(CASES, streams, strict=True):
        rng = np.random.default_rng(stream)
        coverage = [covered(simulated(size, common, rng)) for _ in range(count)]
        subject = f"{size} clusters, {common:.0%} of their variance in common"
        rows.append(
            (
                "coverage, tasks that share clusters",
                subject,
                np.mean(coverage),
                0.95 - 0.015 * wider,
                1,
            )
        )
    table = pd.DataFrame(rows, columns=["check", "subject", "value", "low", "high"])
    return table.assign(holds=table["value"].between(table["low"], table["high"]))


def simulated(size: int, common: float, rng: np.random.Generator) -> np.ndarray:
    """Scores of the models on the clusters of each task: (TASKS, size, models)."""
    noise = NOISE * rng.standard_normal((TASKS, size, len(THETA)))
    for group in GROUPS:
        effect = NOISE * rng.standard_normal((size, len(THETA)))
        noise[list(group)] = np.sqrt(common) * effect + np.sqrt(1 - common) * noise[list(group)]
    return 0.5 + THETA + TAU * rng.standard_normal((TASKS, 1, len(THETA))) + noise


def covered(scores: np.ndarray, groups: Sequence[Sequence[int]] = GROUPS) -> bool:
    """Whether the central 95 % of the posterior of the gap hold its true value."""
    data = paired_moments([*scores])
    correlations = [
        (group, clusters.correlation([pd.DataFrame(scores[task]) for task in group]))
        for group in groups
    ]
    data["cov"] = clusters.joint(data["cov"], range(TASKS), correlations)
    return 0.025 < below(data, THETA[0] - THETA[1]) < 0.975


def below(data: dict[str, np.ndarray], gap: float) -> float:
    """Posterior probability that the first model is ahead of the second by less than `gap`."""
    contrasts, prior = RANKING.inputs(data), RANKING.primary
    helmert = linalg.helmert(data["mean"].shape[1])  # theta = helmert' z, z ~ N(0, ability^2 I)
    design = contrasts["axes"].reshape(-1, helmert.shape[1]) @ helmert.T
    value, variance = contrasts["value"].ravel(), contrasts["variance"].ravel()
    ahead = helmert[:, 0] - helmert[:, 1]
    tau = np.linspace(0.0025, 0.3975, 80)[:, None]
    precision = 1 / (tau**2 + variance)
    matrix = np.einsum("ki,tk,kj->tij", design, precision, design)
    matrix += np.eye(len(helmert)) / prior["ability"] ** 2
    right = (precision * value) @ design
    mean, turned = (np.linalg.solve(matrix, side[..., None])[..., 0] for side in
                    (right, np.broadcast_to(ahead, right.shape)))  # fmt: skip
    log = np.log(precision).sum(axis=1) - np.linalg.slogdet(matrix)[1] + (mean * right).sum(axis=1)
    log -= (precision * value**2).sum(axis=1) + (tau[:, 0] / prior["spread"]) ** 2
    return float(
        special.softmax(log / 2) @ special.ndtr((gap - mean @ ahead) / np.sqrt(turned @ ahead))
    )
