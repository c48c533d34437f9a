import numpy as np
import pytest
from kensho.stats import frequentist, multiverse
from kensho.stats.scales import DIFFERENCE, RATIO, SHARE
from scipy import stats


def sides(n=20, replicates=3, seed=0, ratio=1.5, unit_sd=0.4, sd=0.05):
    """Replicates of n units whose level differs far more between units than the sides do."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(1, unit_sd, n))[:, None]
    noise = np.exp(rng.normal(0, sd, (2, n, replicates)))
    return list(ratio * level * noise[0]), list(level * noise[1])


def by_label(*args, **kwargs):
    return {row["label"]: row for row in multiverse.specifications(*args, **kwargs)}


def test_every_rule_finds_the_ratio_and_brackets_it():
    found = by_label(*sides(), RATIO, 0.05)
    assert set(found) == {
        "pairing ignored, Welch",
        "signed ranks, Hodges-Lehmann",
        "20 % trimmed mean",
        "percentile bootstrap",
        "units beyond 3 MAD left out",
        "ratio of means",
        "median of replicates",
    }
    for row in found.values():
        assert row["low"] < row["estimate"] < row["high"]
        assert row["low"] < 1.5 < row["high"]
    widths = {label: row["high"] / row["low"] for label, row in found.items()}
    assert widths.pop("pairing ignored, Welch") > 1.3 > max(widths.values())


def test_swapped_sides_give_inverse_ratios_and_negated_differences():
    over, under = sides()
    for scale, turned in ((RATIO, lambda x: 1 / x), (DIFFERENCE, lambda x: -x)):
        one, other = by_label(over, under, scale, 0.05), by_label(under, over, scale, 0.05)
        assert set(one) == set(other)
        for label in set(one) - {"percentile bootstrap"}:
            assert other[label]["low"] == pytest.approx(turned(one[label]["high"])), label
            assert other[label]["estimate"] == pytest.approx(turned(one[label]["estimate"]))


def test_an_outlier_moves_the_mean_but_not_the_robust_rules():
    over, under = sides()
    over[4] = over[4] * 20
    log_ratios = np.array([np.log(x).mean() - np.log(y).mean() for x, y in zip(over, under)])
    assert np.exp(log_ratios.mean()) > 1.7
    found = by_label(over, under, RATIO, 0.05)
    for label in (
        "signed ranks, Hodges-Lehmann", "20 % trimmed mean", "units beyond 3 MAD left out",
    ):  # fmt: skip
        assert found[label]["estimate"] == pytest.approx(1.5, rel=0.03), label
    assert found["ratio of means"]["estimate"] > 1.7


def test_one_wild_replicate_is_healed_by_the_median():
    over, under = sides()
    over[4] = over[4] * [1, 1, 50]
    found = by_label(over, under, RATIO, 0.05)["median of replicates"]
    assert found["estimate"] == pytest.approx(1.5, rel=0.03)


def test_ratio_of_means_is_that_and_reaches_its_coverage():
    rng, hits = np.random.default_rng(11), 0
    for _ in range(400):
        under = rng.gamma(4, 1, (25, 1))
        over = 2 * under * rng.gamma(50, 1 / 50, (25, 1))
        estimate, low, high = np.exp(multiverse.ratio_of_means(over[:, 0], under[:, 0], 0.05))
        hits += low < 2 < high
    assert estimate == pytest.approx(over.sum() / under.sum())
    assert 0.90 <= hits / 400 <= 0.98


@pytest.mark.parametrize("n", [10, 60])
def test_the_signed_rank_interval_ends_where_the_test_does(n):
    values = np.random.default_rng(n).normal(0.3, 1, n)
    _, low, high = multiverse.hodges_lehmann(values, 0.05)
    for end, outwards in ((low, -1), (high, 1)):
        inside = stats.wilcoxon(values - end + outwards * 1e-9).pvalue
        outside = stats.wilcoxon(values - end - outwards * 1e-9).pvalue
        assert outside < 0.05 <= inside or (n > 50 and abs(outside - 0.05) < 0.002)


def test_few_units_leave_only_what_they_can_carry():
    found = by_label(*sides(n=4, replicates=1), RATIO, 0.05)
    assert set(found) == {"pairing ignored, Welch", "units beyond 3 MAD left out", "ratio of means"}
    assert multiverse.specifications(*sides(n=1), RATIO, 0.05) == []
    constant = [np.array([2.0])] * 12
    assert multiverse.specifications(constant, constant, RATIO, 0.05) == []


def test_binary_items_leave_no_interval_of_no_width():
    rng = np.random.default_rng(2)
    right = [np.array([x]) for x in rng.integers(0, 2, 200).astype(float)]
    wrong = [1 - x if rng.random() < 0.1 else x for x in right]
    for row in multiverse.specifications(wrong, right, DIFFERENCE, 0.05):
        assert row["low"] < row["high"]


def test_win_rates_have_one_side():
    scores = [np.array(x) for x in np.random.default_rng(4).choice([0, 0.5, 1], (60, 2))]
    found = by_label(scores, None, SHARE, 0.05)
    assert "pairing ignored, Welch" not in found and "ratio of means" not in found
    assert found["percentile bootstrap"]["estimate"] == pytest.approx(np.mean(scores))


def test_clusters_are_the_units():
    rng = np.random.default_rng(6)
    clusters = np.repeat([f"passage {i:02d}" for i in range(30)], rng.integers(2, 30, 30))
    level = dict(zip(np.unique(clusters), rng.normal(0.05, 0.2, 30)))
    values = np.array([level[c] for c in clusters]) + rng.normal(0, 0.1, clusters.size)
    over, under = list(values[:, None]), list(np.zeros((clusters.size, 1)))
    found = by_label(over, under, DIFFERENCE, 0.05, clusters=clusters)
    means = np.array([values[clusters == c].mean() for c in level])
    half = np.ptp(frequentist.paired(means, 0.05)["interval"]) / 2
    boot, items = found["percentile bootstrap"], found["items weighted equally"]
    assert boot["estimate"] == pytest.approx(means.mean())
    assert items["estimate"] == pytest.approx(values.mean())
    naive = np.ptp(frequentist.paired(values, 0.05)["interval"]) / 2
    for row in (boot, items):
        assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=0.3)
        assert (row["high"] - row["low"]) / 2 > 2 * naive


def test_single_item_clusters_are_the_plain_t_interval():
    over, under = sides(n=15, replicates=1)
    found = by_label(over, under, RATIO, 0.05, clusters=[str(i) for i in range(15)])
    logs = np.log(np.ravel(over) / np.ravel(under))
    ends = [np.log(found["items weighted equally"][key]) for key in ("low", "high")]
    assert ends == pytest.approx(frequentist.paired(logs, 0.05)["interval"])


def test_share_counts_equal_verdicts():
    rows = [{"verdict": "VERIFIED"}] * 3 + [{"verdict": "PARTIAL"}]
    assert multiverse.share(rows, "VERIFIED") == 0.75
    assert multiverse.share([], "VERIFIED") is None


def test_fieller_and_the_linearised_ratio_agree_where_the_denominator_is_sure():
    rng = np.random.default_rng(5)
    y = rng.normal(10, 1, 400)
    x = 1.2 * y + rng.normal(0, 1, 400)
    found = {row["label"]: row for row in multiverse.of_ratio(x, y, 0.05)}
    near = np.exp(multiverse.ratio_of_means(x, y, 0.05))
    fieller = [found["Fieller"][key] for key in ("estimate", "low", "high")]
    assert np.abs(np.subtract(fieller, near)).max() < 1e-4
    apart = found["pairing ignored, Welch"]
    assert apart["low"] < fieller[1] and apart["high"] > fieller[2]


def test_fieller_gives_no_interval_where_the_denominator_may_be_zero():
    y = np.array([1.0, 0, 0, 0, 0, 0])
    found = multiverse.of_ratio(np.array([1.0, 1, 1, 0, 1, 1]), y, 0.05)
    assert [row["label"] for row in found] == ["pairing ignored, Welch"]
