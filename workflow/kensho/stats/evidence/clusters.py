"""Clusters that several tasks share: their errors go together, and a mean over tasks is less sure.

JLCE asks part-of-speech tags, dependencies and bunsetsu of the same sentences, and what a model
makes of a sentence shows in all three. The scores of such tasks get one effect of the cluster that
they share: a correlation of the errors of their means, the same for all pairs of a group.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd


def correlation(units: Sequence[pd.DataFrame]) -> float:
    """Correlation of the errors of tasks' means, from 0 to 1, mean over pairs of tasks.

    ``units`` holds for each task a row for each cluster and a column for each model. Only
    differences between models count: scores less their mean over models, less the task's mean. A
    cluster that one task lacks adds nothing. 0 where on no pair of tasks the models differ from
    cluster to cluster; less than 0 is taken as 0, for no cluster makes a model better at one task
    because it is worse at another.
    """
    scaled = []
    for table in units:
        apart = table.to_numpy()
        apart = apart - apart.mean(axis=1, keepdims=True)
        apart = apart - apart.mean(axis=0)
        size = np.linalg.norm(apart)
        if size > 1e-9:
            scaled.append((table.index, apart / size))
    pairs = []
    for (names, one), (others, other) in combinations(scaled, 2):
        places = names.get_indexer(others)
        pairs.append((one[places[places >= 0]] * other[places >= 0]).sum())
    return float(np.clip(np.mean(pairs), 0, 1)) if pairs else 0.0


def joint(cov: np.ndarray, tasks: Sequence, groups: Iterable[tuple[Sequence, float]]) -> np.ndarray:
    """Covariance of the means of all tasks: (T, M, T, M) from (T, M, M) of each task.

    ``groups`` are tasks with their `correlation` r. Between two of them the covariance is
    r sqrt(A) sqrt(B), where A and B are those of the tasks' differences between models.
    """
    count, models = cov.shape[:2]
    whole = np.zeros((count, models, count, models))
    whole[np.arange(count), :, np.arange(count)] = cov
    centre = np.eye(models) - 1 / models
    roots = [_root(centre @ one @ centre) for one in cov]
    for group, shared in groups:
        places = [tasks.index(task) for task in group]
        for i, j in combinations(places, 2):
            whole[i, :, j] = shared * roots[i] @ roots[j]
            whole[j, :, i] = whole[i, :, j].T
    return whole


def _root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a covariance, which may be singular."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
