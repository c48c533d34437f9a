"""What arms of the augmentation studies gain, against figures by hand."""

import math

import pandas as pd
import pytest
from kensho.files import write_table
from kensho.observations import Row
from kensho.observations import table as observations
from kensho.stats.gains import table

T = {1: 12.7062, 2: 4.3027}  # 97.5 % quantiles of Student's t, by degrees of freedom
KEPT = {"eda": {"unchanged": 2, "kept": 7}}
# Scores by seed.
FEATURES = {
    "none": {"accuracy.keico.n100": [0.5, 0.4, 0.8]},
    "repeat": {"accuracy.keico.n100": [0.5, 0.5, 0.8]},
    "eda": {"accuracy.keico.n100": [0.6, 0.44, 0.88]},
    "more-data": {"accuracy.jcola-train.n500": [0.9]},
}
TRAINING = {
    "none": {"nll_per_character.n100": [2.0, 3.0], "chrf.n100": [0.0, 10.0]},
    "repeat": {"nll_per_character.n100": [2.0, 3.0], "chrf.n100": [8.0, 10.0]},
    "eda": {"nll_per_character.n100": [1.0, 3.0], "chrf.n100": [4.0, 10.0]},
}


def observed(arms, outcomes):
    """Observations and conditions of each arm; as many rows are variants as the seed says."""
    for arm, scores in arms.items():
        added = {
            f"variants.{metric.partition('.')[2]}": range(1, len(values) + 1)
            for metric, values in scores.items()
        }
        rows = [
            Row("x", arm, f"seed-{seed}", 0, metric, value, "points")
            for metric, values in {**scores, **added}.items()
            for seed, value in enumerate(values, 1)
        ]
        yield observations(rows), {"own": {"outcomes": outcomes}}


@pytest.fixture(scope="module")
def gains(tmp_path_factory):
    """As the report reads them: by task, size, metric and arm."""
    path = tmp_path_factory.mktemp("gains") / "gains.csv"
    labelled = observed(FEATURES, {"keico": KEPT, "jcola-train": {}})
    write_table(path, table([*labelled, *observed(TRAINING, KEPT)]))
    return pd.read_csv(path).set_index(["task", "size", "metric", "arm"])


def test_every_arm_has_a_row_for_each_task_size_and_metric(gains):
    assert [*gains.index] == [
        *(("keico", 100, "accuracy", arm) for arm in ("none", "repeat", "eda")),
        ("jcola-train", 500, "accuracy", "more-data"),
        *(("pairs", 100, "nll_per_character", arm) for arm in TRAINING),
        *(("pairs", 100, "chrf", arm) for arm in TRAINING),
    ]
    eda = gains.loc[("keico", 100, "accuracy", "eda"), :]
    assert (eda["seeds"], eda["variants"], eda["unit"]) == (3, 2, "points")
    assert eda["mean"] == pytest.approx(0.64)


def test_a_gain_is_the_geometric_mean_of_ratios_with_the_t_interval_of_their_logs(gains):
    """Ratios are 1.2, 1.1 and 1.1: the standard error of their mean log is log(1.2 / 1.1) / 3."""
    eda = gains.loc[("keico", 100, "accuracy", "eda"), :]
    mean, error = (1.2 * 1.1 * 1.1) ** (1 / 3), math.exp(T[2] * math.log(1.2 / 1.1) / 3)
    assert eda["over_none"] == pytest.approx(mean)
    assert eda["over_none_low"] == pytest.approx(mean / error, rel=1e-4)
    assert eda["over_none_high"] == pytest.approx(mean * error, rel=1e-4)
    assert eda["over_repeat"] == pytest.approx((1.2 * 0.88 * 1.1) ** (1 / 3))
    repeat = gains.loc[("keico", 100, "accuracy", "repeat"), :]
    assert repeat["over_none"] == pytest.approx(1.25 ** (1 / 3)) and pd.isna(repeat["over_repeat"])


def test_where_less_is_better_the_control_is_divided_by_the_arm(gains):
    """Ratios are 2 and 1: the standard error of their mean log is log(2) / 2."""
    eda = gains.loc[("pairs", 100, "nll_per_character", "eda"), :]
    assert eda["over_none"] == pytest.approx(math.sqrt(2))
    assert eda["over_none_high"] == pytest.approx(math.sqrt(2) * 2 ** (T[1] / 2), rel=1e-4)


def test_what_has_no_ratio_or_no_interval_says_why(gains):
    chrf = gains.loc[("pairs", 100, "chrf", "eda"), :]
    assert pd.isna(chrf["over_none"]) and chrf["over_none_lacks"] == "a score of 0 has no ratio"
    assert chrf["over_repeat"] == pytest.approx(math.sqrt(0.5)) and chrf["mean"] == 7
    lone = gains.loc[("jcola-train", 500, "accuracy", "more-data"), :]
    assert lone["over_none_lacks"] == "no arm none"
    one = {arm: {"chrf.n100": [score]} for arm, score in (("none", 2.0), ("eda", 3.0))}
    eda = table(observed(one, KEPT)).iloc[1]
    assert eda["over_none"] == pytest.approx(1.5) and pd.isna(eda["over_none_low"])
    assert eda["over_none_lacks"] == "one seed has no interval"


def test_candidates_are_those_of_the_technique_on_its_task(gains):
    counts = gains[["candidates_unchanged", "candidates_kept"]].dropna()
    assert {*counts.index.get_level_values("arm")} == {"eda"}
    assert {*counts.index.get_level_values("task")} == {"keico", "pairs"}
    assert {*map(tuple, counts.to_numpy())} == {(2, 7)}
