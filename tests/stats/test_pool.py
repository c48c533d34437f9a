"""Claims judged at several sites, judged once more on all of them."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest
from conditions_example import CONDITIONS
from kensho import observations
from kensho.claims.designs import DoseOptimum
from kensho.observations import Row
from kensho.report.pooled import build
from kensho.stats import intervals, pool
from sites_example import claim, gained, ratio, site
from statsmodels.stats.meta_analysis import combine_effects

OPTIONS = {"seed": 3, "draws": 1500}


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crates")
    means = (1.45, 1.55, 1.4, 1.6)
    return [
        site(folder / f"site-{i}", claim(), gained(m, seed=i), family=1 + (i == 2))
        for i, m in enumerate(means)
    ]


@pytest.fixture(scope="module")
def pooled(four):
    return pool.pool("R-1", four, **OPTIONS)


def test_sites_that_agree_verify_what_each_of_them_does(pooled, four):
    found, idata = pooled
    assert (found.verdict, found.reason) == ("VERIFIED", "HOLDS")
    assert found.estimate == pytest.approx(np.mean([s.analyses["R-1"].estimate for s in four]))
    assert [s.site for s in found.sites] == ["site-0", "site-1", "site-2", "site-3"]
    assert found.n_units == 40 and found.settings.family_size == 2
    assert found.diagnostics.gates_ok and found.schools_agree
    assert {"mu", "tau", "sigma", "estimand"} <= set(idata["posterior"])
    low, high = found.interval_family
    assert low < found.interval[0] < found.interval[1] < high
    assert json.loads(found.model_dump_json())["record"] == claim().model_dump(mode="json")


def test_the_page_and_the_summary_say_what_the_judgement_says(pooled, four):
    lone = replace(four[0], analyses={"<R-9>": four[0].analyses["R-1"]})
    summary = pool.summarise([pooled[0]], [*four, lone])
    assert summary["alone"] == ["<R-9>"]
    page = build(json.loads(json.dumps(summary)))
    assert html.escape(pooled[0].sentence) in page and "&lt;R-9&gt;" in page
    assert page.count("<tr><td>site-") == 4 and "None" not in page and "nan" not in page


def test_a_site_of_another_mind_leaves_the_claim_open(four, tmp_path):
    other = site(tmp_path / "other", claim(), gained(3.0, seed=9))
    found, _ = pool.pool("R-1", [*four[:3], other], **OPTIONS)
    assert found.verdict in ("PARTIAL", "INCONCLUSIVE")
    assert "without other" in [row.label for row in found.multiverse.specifications]
    assert found.details.group_sd["site"] > 0.3


def test_items_that_all_sites_share_are_counted_once(tmp_path):
    """Sites that measure the same items nearly alike know what one of them knows."""
    rng, values = np.random.default_rng(5), gained(1.5, n=60)
    sites = []
    for name in ("one", "two", "three"):
        seen = {**values, "tuned": values["tuned"] + rng.normal(0, 0.05, 60)}
        sites.append(site(tmp_path / name, claim(), seen, items="i"))
    alone = sites[0].analyses["R-1"]
    found, idata = pool.pool("R-1", sites, **OPTIONS)
    assert np.diff(found.interval) == pytest.approx(np.diff(alone.interval), rel=0.1)
    assert (found.verdict, found.n_units) == ("VERIFIED", 60)
    assert np.diff(found.posterior.eti) == pytest.approx(np.diff(alone.posterior.eti), rel=0.3)
    assert idata["posterior"]["sigma"].ndim == 2  # one spread for all


def test_sites_that_share_only_some_items_are_not_pooled(tmp_path):
    sites = [
        site(tmp_path / f"n{n}", claim(), gained(1.5, n=n, seed=n), items="i") for n in (40, 30)
    ]
    found, _ = pool.pool("R-1", sites, **OPTIONS)
    assert (found.verdict, found.reason) == ("NOT TESTED", "SHARED")


def test_the_tier_is_that_of_the_weakest_site(four, tmp_path):
    weak = site(tmp_path / "weak", claim(), gained(1.5, seed=8), tier="reduced")
    found, _ = pool.pool("R-1", [*four[:3], weak], **OPTIONS)
    assert found.tier == "reduced"
    assert (found.verdict, found.reason) == ("PARTIAL", "TIER")


def test_another_registration_is_named_and_not_pooled(four, tmp_path):
    other = site(tmp_path / "other", claim(sesoi=0.3), gained(1.5, seed=7))
    found, idata = pool.pool("R-1", [four[0], other], **OPTIONS)
    assert (found.verdict, found.reason, idata) == ("NOT TESTED", "REGISTRATION", None)
    assert "R-1 is not registered alike at site-0 and other" in found.sentence


def test_the_same_observations_or_run_twice_are_named(four, tmp_path):
    pool.distinct(four)
    one, two = (
        site(tmp_path / name, claim(), gained(1.5, seed=6), items="i") for name in ("one", "two")
    )
    with pytest.raises(ValueError, match=r"one and two hold the same observations.*counted twice"):
        pool.distinct([four[0], one, two])
    with pytest.raises(ValueError, match=r"site-1 and site-2 are of the same run \(attempt of-"):
        pool.distinct([four[0], four[1], replace(four[2], attempts=four[1].attempts)])
    found, _ = pool.pool("R-1", [one, two], **OPTIONS)
    assert (found.verdict, found.reason) == ("NOT TESTED", "SAME")


def test_too_few_units_at_one_site_are_too_few(four, tmp_path):
    few = site(tmp_path / "few", claim(), gained(1.5, n=6, seed=5))
    found, _ = pool.pool("R-1", [*four[:3], few], **OPTIONS)
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", "UNITS")


def test_edited_observations_are_named(four, tmp_path):
    edited = site(tmp_path / "edited", claim(), gained(1.5, seed=4))
    observations.write(
        edited.results / "benchmark_data/scores",
        observations.table(
            [Row("scores", arm, f"i{i}", 0, "score", float(i), "points")
             for arm in ("base", "tuned") for i in range(12)]
        ),
        CONDITIONS,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"edited: benchmark_data/scores/base\.csv is not the one"):
        pool.pool("R-1", [four[0], edited], **OPTIONS)


def test_exact_ratios_are_compared_and_never_averaged(tmp_path):
    sites = [
        site(tmp_path / f"{base:g}", ratio(), {"base": [base], "tuned": [10.0]})
        for base in (20.0, 25.0)
    ]
    again = site(tmp_path / "again", ratio(), {"base": [20.0], "tuned": [10.0]})
    found, idata = pool.pool("R-1", [sites[0], again], **OPTIONS)
    assert (found.verdict, found.estimate, idata) == ("VERIFIED", 0.5, None)
    found, _ = pool.pool("R-1", sites, **OPTIONS)
    assert (found.verdict, found.reason, found.estimate) == ("INCONCLUSIVE", "SITES", None)
    assert "0.5 (20, tuned / base), 0.4 (25, tuned / base)" in found.sentence
    near = [
        site(tmp_path / f"near-{base:g}", ratio(sesoi=1.3), {"base": [base], "tuned": [10.0]})
        for base in (20.0, 25.0)
    ]
    found, _ = pool.pool("R-1", near, **OPTIONS)
    assert (found.verdict, found.readings[0].low, found.readings[0].high) == ("VERIFIED", 0.4, 0.5)


def test_a_quantity_with_a_model_of_its_own_is_not_pooled():
    doses = {f"d{i}": float(2**i) for i in range(5)}
    registered = {
        "design": "dose_optimum", "experiment": "scores", "doses": doses, "metric": "score",
        "region": [2.0, 8.0], "sesoi": 0.1, "min_units": 3,
    }  # fmt: skip
    rng, sites = np.random.default_rng(1), {}
    for name in ("one", "two"):
        sites[name] = {
            arm: observations.table(
                Row("scores", arm, f"seed{seed}", 0, "score", score, "points")
                for seed, score in enumerate(rng.normal(-((i - 2) ** 2), 0.2, 5))
            )
            for i, arm in enumerate(doses)
        }
    with pytest.raises(pool.Refused, match="no mean of units") as refused:
        pool._evidence(DoseOptimum.model_validate(registered), None, sites, 0)
    assert refused.value.reason == "DESIGN"


@pytest.mark.parametrize(
    ("levels", "model", "prior"),
    [
        (["block"], "sites", {"location": 1.0, "spread": 0.2, "between": 0.5}),
        (["seed"], "crossed", {"location": 1.0, "spread": 0.2, "between": 0.5}),
    ],
)
def test_timed_runs_of_one_name_are_others_and_seeds_of_one_name_the_same(levels, model, prior):
    test = ratio(design="paired_log_ratio", sesoi=1.05, levels=levels).required_test
    rng, sites = np.random.default_rng(2), {}
    for name in ("one", "two"):
        sites[name] = {
            arm: observations.table(
                Row("scores", arm, f"b{block}", 0, "score", seconds, "s")
                for block, seconds in enumerate(factor * np.exp(rng.normal(0, 0.02, 12)))
            )
            for arm, factor in (("tuned", 1.0), ("base", 2.0))
        }
    found = pool._evidence(test, test.readings[0], sites, 0)
    assert (found.model, dict(found.prior), found.n) == (model, prior, 12)
    own = np.log(found.units)
    assert found.interval(0.05).estimate == pytest.approx(own.mean())
    if model == "sites":
        assert (found.data["n"] <= 12).all()  # runs in order are worth less


def test_sites_of_equal_errors_have_the_interval_of_the_literature():
    y, se = np.array([0.1, 0.5, 0.9, 0.2]), np.full(4, 0.05)
    fit = intervals.sites(y, se, 0.05)
    hksj = combine_effects(y, se**2, method_re="iterated", use_t=True).conf_int(0.05)[3]
    assert (fit.low, fit.high) == pytest.approx(tuple(hksj), rel=1e-6)
    alike = intervals.sites(np.full(4, 0.3), se, 0.05)
    assert alike.se == pytest.approx(0.025)  # no narrower than the sites' errors


def test_crossed_values_err_by_their_sites_and_by_their_units():
    units, sites = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.0])
    alike = intervals.crossed(sites[:, None] + units, 0.05)
    assert tuple(alike[:3]) == pytest.approx(tuple(intervals.mean(units, 0.05)[:3]))
    apart = intervals.crossed(np.array([-1.0, 1.0])[:, None] + 0 * units, 0.05)
    assert tuple(apart[:3]) == pytest.approx(tuple(intervals.mean(np.array([-1.0, 1.0]), 0.05)[:3]))


def test_claims_of_one_site_alone_are_not_pooled(four, tmp_path):
    lone = site(tmp_path / "lone", ratio(), {"base": [20.0], "tuned": [10.0]})
    lone = replace(lone, analyses={"R-2": lone.analyses["R-1"]})
    assert pool.shared([*four, lone]) == ["R-1"]


def test_a_folder_without_analyses_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"here: holds no results/analysis/\*.json"):
        pool.Site.of_crate("here", tmp_path, [])
