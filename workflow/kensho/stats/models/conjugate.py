"""Counts without clusters: a Dirichlet prior on the cells of a multinomial, drawn exactly.

`beta_binomial`: correct (1,) of items (1,), uniform prior. Estimand: the accuracy.
`dirichlet_pairs`: counts (4,) of items where both, only A, only B or neither is right, prior 1/2
    (Bowyer, Aitchison and Ivanova 2025). Estimand: the accuracy difference A - B.
`dirichlet_wins`: counts (3,) of wins, ties and losses, prior 1/2. Estimand: P(win) + P(tie) / 2.

The only parameter, p, holds the probability of each cell. These models are saturated: whatever
the counts, the cells fit them, so there is no predictive check.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from kensho.stats.models.base import Data, Draws, Model, Prior, variations


def _counts(data: Data) -> np.ndarray:
    return np.asarray(data["counts"])


def _right_and_wrong(data: Data) -> np.ndarray:
    return np.array([data["correct"][0], data["items"][0] - data["correct"][0]])


def _multinomial(
    name: str,
    cells: Callable[[Data], np.ndarray],
    observed: Callable[[np.ndarray], Data],
    weights: list[float],
    concentration: float,
) -> Model:
    """Model of the counts `cells(data)`, whose estimand is the weighted sum of p."""

    def prior_draws(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
        return {"p": rng.dirichlet(np.full(len(weights), prior["concentration"]), n)}

    def draw(data: Data, prior: Prior, rng: np.random.Generator, n: int) -> Draws:
        return {"p": rng.dirichlet(cells(data) + prior["concentration"], n)}

    def log_likelihood(draws: Draws, data: Data) -> np.ndarray:
        counts = cells(data)
        return stats.multinomial.logpmf(counts, counts.sum(), draws["p"])[:, None]

    return Model(
        name=name,
        priors=variations(
            {"concentration": concentration},
            {"concentration": 0.5},
            {"concentration": 2},
        ),
        parameters=("p",),
        estimand=lambda draws, data: draws["p"] @ weights,
        prior_draws=prior_draws,
        replicate=lambda draws, data, rng: observed(rng.multinomial(cells(data).sum(), draws["p"])),
        log_likelihood=log_likelihood,
        draw=draw,
    )


BETA_BINOMIAL = _multinomial(
    "beta_binomial", _right_and_wrong, lambda counts: {"correct": counts[..., :1]}, [1, 0], 1.0
)
DIRICHLET_PAIRS = _multinomial(
    "dirichlet_pairs", _counts, lambda counts: {"counts": counts}, [0, 1, -1, 0], 0.5
)
DIRICHLET_WINS = _multinomial(
    "dirichlet_wins", _counts, lambda counts: {"counts": counts}, [1, 0.5, 0], 0.5
)
