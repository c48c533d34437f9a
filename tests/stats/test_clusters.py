"""Tasks that share clusters: the correlation of their errors, and what it does to the ranking."""

import numpy as np
import pandas as pd
import pytest
from kensho.stats import ranking as ranks
from kensho.stats.calibration import shared_clusters
from kensho.stats.evidence import clusters
from kensho.stats.models import MODELS
from scipy import linalg, stats

TASKS, MODELS_RANKED = 4, 3


def scored(common, size=400, seed=0):
    """Tasks of a group on the same clusters, scores of three models."""
    rng = np.random.default_rng(seed)
    effect = rng.standard_normal((size, MODELS_RANKED))
    own = rng.standard_normal((2, size, MODELS_RANKED))
    return [pd.DataFrame(np.sqrt(common) * effect + np.sqrt(1 - common) * part) for part in own]


@pytest.mark.parametrize("common", [0.0, 0.3, 0.8])
def test_the_correlation_is_that_of_the_scores(common):
    assert clusters.correlation(scored(common)) == pytest.approx(common, abs=0.1)


def test_what_all_models_share_is_no_correlation():
    one, other = scored(0.0)
    hard = np.linspace(-9, 9, len(one))[:, None]  # difficulty of a cluster, the same in both tasks
    assert clusters.correlation([one + hard, other + hard]) == pytest.approx(
        clusters.correlation([one, other])
    )


def test_tasks_with_one_score_tell_of_no_correlation_and_equal_ones_of_a_full_one():
    one, _ = scored(0.5)
    assert clusters.correlation([one, one * 0 + 0.5]) == 0
    assert clusters.correlation([one, one]) == pytest.approx(1)
    assert clusters.correlation([one, -one]) == 0


def test_clusters_are_matched_by_name_and_alone_add_nothing():
    one, other = scored(0.7)
    shuffled = other.sample(frac=1, random_state=1)
    assert clusters.correlation([one, shuffled]) == pytest.approx(
        clusters.correlation([one, other])
    )
    elsewhere = other.set_axis(other.index + 10_000)
    assert clusters.correlation([one, elsewhere]) == 0


def covariances():
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(TASKS, MODELS_RANKED, 9)) / 30
    return parts @ parts.swapaxes(1, 2)


def test_the_joint_covariance_holds_each_task_and_is_one():
    cov = covariances()
    whole = clusters.joint(cov, "abcd", [("ac", 0.6)])
    for place in range(TASKS):
        assert whole[place, :, place] == pytest.approx(cov[place])
    assert (
        np.abs(whole[0, :, 2]).max() > 0 and not whole[0, :, 1].any() and not whole[2, :, 3].any()
    )
    every = np.kron(np.eye(TASKS), linalg.helmert(MODELS_RANKED))
    contrasts = every @ whole.reshape(TASKS * MODELS_RANKED, -1) @ every.T
    assert np.allclose(contrasts, contrasts.T) and np.linalg.eigvalsh(contrasts).min() > 0
    first, third = (np.trace(linalg.helmert(3) @ cov[i] @ linalg.helmert(3).T) for i in (0, 2))
    cross = linalg.helmert(3) @ whole[0, :, 2] @ linalg.helmert(3).T
    assert 0 < np.trace(cross) <= 0.6 * np.sqrt(first * third) * 1.0001


def drawn():
    rng = np.random.default_rng(2)
    theta = rng.normal(0, 0.1, (5, MODELS_RANKED))
    return {"theta": theta - theta.mean(axis=1, keepdims=True), "tau": rng.uniform(0.02, 0.2, 5)}


def test_the_likelihood_is_that_of_a_normal_vector():
    model, cov, draws = MODELS["ranking"], covariances(), drawn()
    mean = np.random.default_rng(3).normal(0.5, 0.1, (TASKS, MODELS_RANKED))
    whole = clusters.joint(cov, range(TASKS), [((0, 2, 3), 0.5)])
    found = model.log_likelihood(draws, {"mean": mean, "cov": whole}).sum(axis=1)
    every = np.kron(np.eye(TASKS), linalg.helmert(MODELS_RANKED))
    spread = every @ whole.reshape(TASKS * MODELS_RANKED, -1) @ every.T
    for density, theta, tau in zip(found, draws["theta"], draws["tau"], strict=True):
        at = every @ (mean - theta).ravel()
        expected = stats.multivariate_normal(cov=spread + tau**2 * np.eye(len(at))).logpdf(at)
        assert density == pytest.approx(expected)


def test_without_shared_clusters_nothing_changes():
    model, cov, draws = MODELS["ranking"], covariances(), drawn()
    mean = np.random.default_rng(3).normal(0.5, 0.1, (TASKS, MODELS_RANKED))
    apart = {"mean": mean, "cov": cov}
    joint = {"mean": mean, "cov": clusters.joint(cov, range(TASKS), [])}
    one, other = (model.log_likelihood(draws, data).sum(axis=1) for data in (apart, joint))
    assert one == pytest.approx(other)


def test_effects_of_tasks_are_drawn_from_their_joint_distribution():
    model, rng = MODELS["ranking"], np.random.default_rng(4)
    data = {"mean": np.full((TASKS, MODELS_RANKED), 0.5)}
    data["cov"] = clusters.joint(covariances(), range(TASKS), [((0, 1, 2), 0.8)])
    found = []
    for _ in range(300):
        truth = model.prior_draws(data, model.primary, rng, 1)
        made = model.simulate(truth, data, rng)
        known = {key: np.repeat(truth[key], 99, axis=0) for key in ("theta", "tau")}
        effects = model.complete(known, made, model.primary, rng)["task_effects"]
        total = (effects[:, :3, 0].sum(axis=1) < truth["task_effects"][0, :3, 0].sum()).sum()
        found.append((total + rng.random()) / 100)
    assert stats.kstest(found, "uniform").pvalue > 1e-3
    assert 0.7 < (stats.norm.ppf(found) ** 2).mean() < 1.3


def test_moments_of_a_ranking_hold_the_correlation():
    scores = shared_clusters.simulated(50, 0.9, np.random.default_rng(5))
    names = [f"t{place}" for place in range(shared_clusters.TASKS)]
    units = pd.concat([pd.DataFrame(part) for part in scores], keys=names)
    documents = dict.fromkeys(names[:3], "same") | {name: name for name in names[3:]}
    [(group, correlation)] = ranks.groups(documents, units)
    assert group == names[:3] and correlation == pytest.approx(0.9, abs=0.1)


@pytest.mark.slow
def test_the_interval_covers_what_it_says_and_without_the_shared_effect_less():
    rng = np.random.default_rng(6)
    sets = [shared_clusters.simulated(50, 0.9, rng) for _ in range(400)]
    with_it = np.mean([shared_clusters.covered(one) for one in sets])
    without = np.mean([shared_clusters.covered(one, ()) for one in sets])
    assert with_it > 0.92 and without < with_it - 0.02


def test_the_calibration_lists_each_case_with_its_limits():
    found = shared_clusters.acceptance(3, 1)
    assert len(found) == len(shared_clusters.CASES)
    assert set(found.columns) == {"check", "subject", "value", "low", "high", "holds"}
