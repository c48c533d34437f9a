"""What the report draws of a posterior, thinned to what an eye can see."""

from __future__ import annotations

import numpy as np
from arviz import InferenceData
from scipy import stats

from kensho.stats.models import Data, Model
from kensho.stats.scales import Scale

BINS = 60
RANK_BINS = 20


def curves(record: InferenceData, model: Model, data: Data, scale: Scale) -> dict:
    """Densities of posterior and prior, ranks of each chain, and the predictive check.

    Densities are those of the working scale at `x` on the claim's scale. `ranks` counts, for each
    chain, the pooled ranks of its draws: equal counts where the chains agree.
    """
    estimand = record["posterior"]["estimand"].to_numpy()
    values = scale.forward(estimand[np.isfinite(estimand)])
    if values.size < 2 or np.ptp(values) == 0:
        return {}
    low, high = np.quantile(values, [0.0005, 0.9995])
    edges = np.linspace(low - 0.2 * (high - low), high + 0.2 * (high - low), BINS + 1)
    prior = scale.forward(record["prior"]["estimand"].to_numpy().ravel())
    drawn: dict = {
        "posterior": {
            "x": scale.back((edges[:-1] + edges[1:]) / 2).tolist(),
            "density": _density(values, edges, values.size),
            "prior": _density(prior[np.isfinite(prior)], edges, prior.size),
        },
        "ranks": _ranks(estimand),
    }
    if model.statistic is not None:
        predicted = {str(k): v.to_numpy() for k, v in record["posterior_predictive"].items()}
        observed = {str(k): v.to_numpy() for k, v in record["observed_data"].items()}
        replicated = model.statistic({**data, **predicted}).ravel()
        edges = np.histogram_bin_edges(replicated, BINS // 2)
        drawn["ppc"] = {
            "label": (model.statistic.__doc__ or model.name).splitlines()[0].rstrip("."),
            "observed": float(model.statistic({**data, **observed})),
            "x": ((edges[:-1] + edges[1:]) / 2).tolist(),
            "density": _density(replicated, edges, replicated.size),
        }
    return drawn


def _density(values: np.ndarray, edges: np.ndarray, total: int) -> list[float]:
    counts, _ = np.histogram(values, edges)
    return (counts / (total * np.diff(edges))).tolist()


def _ranks(estimand: np.ndarray) -> list[list[int]]:
    filled = np.where(np.isfinite(estimand), estimand, -np.inf)
    ranks = stats.rankdata(filled, method="ordinal").reshape(estimand.shape)
    edges = np.linspace(0.5, estimand.size + 0.5, RANK_BINS + 1)
    return [np.histogram(chain, edges)[0].tolist() for chain in ranks]
