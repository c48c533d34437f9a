"""The same data in R. The data sets beside figures.R were drawn once from a seed, to look like
speeds, judge scores and losses; figures.json holds R's answers for tests without R."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from kensho.stats import frequentist, multiverse, power

HERE = Path(__file__).parent / "r"
UNITS = dict(tuple(pd.read_csv(HERE / "units.csv").groupby("set")))
SCORES = dict(tuple(pd.read_csv(HERE / "scores.csv").groupby("set")))
PAIRS = pd.read_csv(HERE / "pairs.csv", index_col="set")
PACKAGES = (
    "for (p in c('afex', 'effectsize')) if (!requireNamespace(p, quietly = TRUE)) quit(s = 1)"
)


def near(expected, rel=1e-6):
    return pytest.approx(expected, rel=rel, abs=1e-12)


@pytest.fixture(scope="module")
def stored():
    return json.loads((HERE / "figures.json").read_text())


@pytest.fixture(scope="module")
def fresh():
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is not installed")
    if subprocess.run(["Rscript", "-e", PACKAGES], capture_output=True).returncode:
        pytest.skip("R lacks afex or effectsize (Debian: r-cran-afex, r-cran-effectsize)")
    command = ["Rscript", "--vanilla", str(HERE / "figures.R")]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.fixture(scope="module", params=["stored", pytest.param("fresh", marks=pytest.mark.r)])
def r(request):
    return request.getfixturevalue(request.param)


def leaves(tree, path=""):
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for key, sub in tree.items() for k, v in leaves(sub, f"{path}/{key}").items()}


@pytest.mark.r
def test_the_stored_figures_are_those_of_the_script(stored, fresh):
    expected = leaves(stored)
    assert leaves(fresh).keys() == expected.keys()
    for path, value in leaves(fresh).items():
        assert value == near(expected[path]), path


@pytest.mark.parametrize("name", UNITS)
def test_paired_t_and_effect_sizes(r, name):
    expected, table = r["units"][name], UNITS[name]
    values = (table["over"] - table["under"]).to_numpy()
    found = frequentist.paired(values, 0.05, resamples=10)
    for key, theirs in (("t", "t"), ("dof", "dof"), ("p_value", "p"), ("interval", "interval")):
        assert found[key] == near(expected[theirs]), key
    assert frequentist.paired(values, 0.01, resamples=10)["interval"] == near(
        expected["interval_99"]
    )
    assert found["cohen_dz"] == near(expected["cohen_dz"])
    assert found["hedges_g"] == near(expected["hedges_g"])
    assert found["cohen_dz_interval"] == near(expected["dz_interval"])
    # effectsize minimises to four digits or so
    assert found["cohen_dz_interval"] == near(expected["dz_interval_effectsize"], 1e-4)


@pytest.mark.parametrize("name", UNITS)
def test_other_tests_of_two_sides(r, name):
    expected, table = r["units"][name], UNITS[name]
    over, under = table["over"].to_numpy(), table["under"].to_numpy()
    welch = frequentist.welch(over, under, 0.05)
    assert welch["statistic"] == near(expected["welch_t"])
    assert welch["dof"] == near(expected["welch_dof"])
    assert welch["p_value"] == near(expected["welch_p"])
    assert welch["interval"] == near(expected["welch_interval"])
    ranks = frequentist.wilcoxon(over - under)
    assert ranks["statistic"] == expected["wilcoxon_v"]
    assert ranks["p_value"] == near(expected["wilcoxon_p"])
    assert frequentist.tost(over - under, -0.3, 0.08)["p_value"] == near(expected["tost_p"])


@pytest.mark.parametrize("name", UNITS)
def test_robust_intervals(r, name):
    table = UNITS[name]
    values = (table["over"] - table["under"]).to_numpy()
    for found, key in (
        (multiverse.hodges_lehmann(values, 0.05), "hodges_lehmann"),
        (multiverse.trimmed_mean(values, 0.05), "trimmed"),
    ):
        assert found == near(r["units"][name][key]), key


@pytest.mark.parametrize("name", UNITS)
def test_power_of_the_one_sided_test(r, name):
    n = len(UNITS[name])
    found = power.containment_power(n, 1.0, 0.6, (0.0, math.inf), 0.05)
    assert found == near(r["units"][name]["power"])


@pytest.mark.parametrize("name", SCORES)
def test_repeated_measures(r, name):
    expected, table = r["scores"][name], SCORES[name].rename(columns={"score": "y"})
    plain = table[table["prompt"] == "plain"]
    one = frequentist.rm_anova(plain, "y", "precision", "item")
    two = frequentist.rm_anova(table, "y", ["precision", "prompt"], "item")
    assert one["precision"] == near(expected["one_way"]["precision"])
    for effect, theirs in expected["two_way"].items():
        assert two[effect.replace(":", " * ")] == near(theirs), effect
    assert frequentist.anova(plain, "y", "precision") == near(expected["anova"])
    ranks = frequentist.friedman(plain, "y", "precision", "item")
    for key in ("statistic", "dof", "p_value"):
        assert ranks[key] == near(expected["friedman"][key])


@pytest.mark.parametrize("name", PAIRS.index)
def test_mcnemar(r, name):
    found = frequentist.mcnemar(*PAIRS.loc[name])
    assert found["p_value"] == near(r["pairs"][name]["mcnemar_p"])


def test_adjusted_p_values(r):
    p = [figures["p"] for figures in r["units"].values()]
    assert [frequentist.bonferroni(x, len(p)) for x in p] == near(r["bonferroni"])
    assert frequentist.holm(p) == near(r["holm"])
