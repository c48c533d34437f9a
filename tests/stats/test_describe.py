import numpy as np
import pandas as pd
import pytest
from kensho.stats.describe import evaluation
from scipy import stats

COLUMNS = ["experiment", "arm", "block", "replicate", "metric", "value", "unit"]


def rows(arm, seed, task, **metrics):
    """Observations of one arm and seed: one row for each item of each metric."""
    return [
        ("evaluation", arm, f"{task}-{item}", seed, metric, float(value), "x")
        for metric, values in metrics.items()
        for item, value in enumerate(values)
    ]


def table(*parts):
    return pd.DataFrame([row for part in parts for row in part], columns=COLUMNS)


def items(seed=0, count=200):
    """Characters of each sentence and its NLL under two models that agree on what is hard."""
    rng = np.random.default_rng(seed)
    characters = rng.integers(5, 31, count)
    base = characters * rng.normal(3, 0.5, count) + rng.normal(4, 1, count)
    tuned = base - characters * rng.normal(0.4, 0.05, count)
    return characters, base, tuned


def nll(arm, seed, values, characters):
    return rows(arm, seed, "tatoeba_nll", nll=values, characters=characters)


def only(found, **where):
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found) == 1
    return found.iloc[0]


def described(tables, **settings):
    return evaluation(tables, dict.fromkeys(tables, "base"), **settings)


@pytest.fixture
def compared():
    characters, base, tuned = items()
    tables = {
        "base": table(nll("base", 0, base, characters)),
        "lora": table(nll("lora", 1, tuned, characters), nll("lora", 2, tuned + 1, characters)),
    }
    return described(tables)


def test_nll_per_character_is_total_over_total(compared):
    characters, base, tuned = items()
    for arm, seed, values in (("base", 0, base), ("lora", 1, tuned), ("lora", 2, tuned + 1)):
        row = only(compared, arm=arm, seed=seed)
        assert row["metric"] == "nll_per_character"
        assert row["estimate"] == pytest.approx(values.sum() / characters.sum(), rel=1e-12)
        assert row["estimate"] != pytest.approx((values / characters).mean(), rel=1e-3)
        assert (row["n"], row["unit"]) == (200, "nats/character")
    assert len(compared) == 3


def resampled(statistic, count, seed=3):
    draws = np.random.default_rng(seed).integers(0, count, (8000, count))
    return np.quantile([statistic(draw) for draw in draws], [0.025, 0.975])


def test_intervals_are_those_of_a_bootstrap_over_items(compared):
    characters, base, tuned = items()
    row = only(compared, arm="lora", seed=1)

    def ratio(values):
        return lambda i: values[i].sum() / characters[i].sum()

    half = (row["high"] - row["low"]) / 2
    assert [row["low"], row["high"]] == pytest.approx(resampled(ratio(tuned), 200), abs=half / 8)
    half = (row["difference_high"] - row["difference_low"]) / 2
    assert [row["difference_low"], row["difference_high"]] == pytest.approx(
        resampled(ratio(tuned - base), 200), abs=half / 8
    )


def test_the_interval_of_a_ratio_is_that_of_its_residuals():
    nats, characters = np.array([3.0, 5.0, 2.0, 4.0, 40.0]), np.array([1, 2, 1, 1, 15])
    row = only(described({"base": table(nll("base", 0, nats, characters))}), arm="base")
    ratio = 54 / 20
    squares = ((nats - ratio * characters) ** 2).sum()
    half = 2.7764451 * np.sqrt(squares / 4 / 5) / 4  # t of 4 degrees of freedom; 4 characters each
    assert (row["estimate"], row["n"]) == (pytest.approx(ratio), 5)
    assert (row["low"], row["high"]) == pytest.approx((ratio - half, ratio + half), rel=1e-6)


def test_only_items_of_both_enter_a_difference():
    characters, base, tuned = items()
    tables = {
        "base": table(nll("base", 0, base, characters)),
        "lora": table(nll("lora", 1, tuned[:50], characters[:50])),
    }
    row = only(described(tables), arm="lora")
    total = characters[:50].sum()
    assert row["difference"] == pytest.approx((tuned - base)[:50].sum() / total, rel=1e-12)
    assert row["difference_high"] < 0


def test_a_difference_is_paired_by_item(compared):
    row, base = only(compared, arm="lora", seed=1), only(compared, arm="base")
    assert row["difference"] == pytest.approx(row["estimate"] - base["estimate"], rel=1e-12)
    width = row["difference_high"] - row["difference_low"]
    unpaired = np.hypot(row["high"] - row["low"], base["high"] - base["low"])
    assert width < unpaired / 5


def test_the_order_of_the_rows_does_not_matter(compared):
    characters, base, tuned = items()
    lora = table(nll("lora", 1, tuned, characters), nll("lora", 2, tuned + 1, characters))
    tables = {
        "base": table(nll("base", 0, base, characters)).sample(frac=1, random_state=1),
        "lora": lora.sample(frac=1, random_state=2),
    }
    pd.testing.assert_frame_equal(described(tables), compared, rtol=1e-12)


def test_the_base_has_no_difference_from_itself(compared):
    row = only(compared, arm="base")
    assert row[["difference", "difference_low", "difference_high"]].isna().all()


def test_means_have_the_interval_of_a_t_test():
    scores, other = (
        np.array([20.0, 31.5, 12.0, 44.0, 27.5]),
        np.array([22.0, 30.0, 13.0, 47.0, 31.0]),
    )
    tables = {
        "base": table(rows("base", 0, "tatoeba_en_ja", chrf=scores)),
        "full": table(rows("full", 3, "tatoeba_en_ja", chrf=other)),
    }
    row = only(described(tables, level=0.9), arm="full")
    expected = stats.ttest_1samp(other, 0).confidence_interval(0.9)
    assert (row["metric"], row["unit"], row["seed"]) == ("chrf", "points", 3)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))
    expected = stats.ttest_rel(other, scores).confidence_interval(0.9)
    assert (row["difference_low"], row["difference_high"]) == pytest.approx(tuple(expected))


def test_accuracies_are_kept_apart_by_task():
    part = [
        rows("base", 0, "jcommonsenseqa", accuracy=[1, 1, 0, 1]),
        rows("base", 0, "jnli", accuracy=[0, 1, 0, 0, 0]),
        rows("base", 0, "tatoeba_en_ja", chrf=[10, 20]),
    ]
    found = described({"base": table(*part)}).set_index("metric")
    assert found["estimate"].to_dict() == {
        "accuracy jcommonsenseqa": 0.75, "accuracy jnli": 0.2, "chrf": 15.0
    }  # fmt: skip
    assert found["n"].to_dict() == {"accuracy jcommonsenseqa": 4, "accuracy jnli": 5, "chrf": 2}
    assert found.loc["accuracy jnli", "unit"] == "share"


def test_one_item_has_an_estimate_and_no_interval():
    tables = {"base": table(nll("base", 0, [6.0], [3])), "x": table(nll("x", 1, [3.0], [3]))}
    with np.errstate(all="raise"):
        row = only(described(tables), arm="x")
    assert (row["estimate"], row["difference"]) == (1.0, -1.0)
    assert row[["low", "high", "difference_low", "difference_high"]].isna().all()


def test_the_table_survives_csv(compared, tmp_path):
    compared.to_csv(tmp_path / "evaluation.csv", index=False)
    again = pd.read_csv(tmp_path / "evaluation.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(again, compared)
    assert compared.columns.tolist() == [
        "arm", "seed", "metric", "n", "estimate", "low", "high",
        "difference", "difference_low", "difference_high", "unit",
    ]  # fmt: skip


def test_a_trained_arm_is_compared_with_the_same_seed_of_the_one_before():
    characters, base, tuned = items()
    before = {1: base, 2: base + 5}
    tables = {
        "base": table(nll("base", 0, base, characters)),
        "sft": table(*(nll("sft", seed, before[seed], characters) for seed in before)),
        "dpo": table(*(nll("dpo", seed, tuned, characters) for seed in before)),
    }
    found = evaluation(tables, {"base": "base", "sft": "base", "dpo": "sft"})
    for seed, values in before.items():
        expected = (tuned.sum() - values.sum()) / characters.sum()
        row = only(found, arm="dpo", seed=seed, metric="nll_per_character")
        assert row.difference == pytest.approx(expected)
