"""Claims on two arms whose items nothing pairs."""

import numpy as np
import pandas as pd
import pytest
from kensho import external
from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim
from kensho.stats import bayesian, frequentist, intervals
from kensho.stats.analysis import Settings
from kensho.stats.evidence.unpaired import summary
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.judge import judge
from kensho.stats.models import MODELS
from kensho.stats.scales import DIFFERENCE
from kensho.validation import problems
from pydantic import ValidationError
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

READING = {
    "label": "a - b",
    "treatment": {"arm": "a", "metric": "m"},
    "control": {"arm": "b", "metric": "m"},
}
SCORES = {"outcome": "score", "region": [0.5, 1.5], "prior": {"location": 2.0, "spread": 2.0}}
ANSWERS = {"outcome": "binary", "region": [0.05, 0.4]}


def figure(region):
    """The claimed set that a region registers."""
    low, high = region
    if low is None or high is None:
        return {"at_most": high} if low is None else {"at_least": low}
    return {"low": low, "high": high}


def claim(**test):
    common = {"design": "unpaired_difference", "experiment": "e", "readings": [READING]}
    return {
        "id": "X-1",
        "source": "own",
        "statement": "a is better",
        "quantity": "difference",
        "unit": "score",
        "claimed": figure((common | test)["region"]),
        "scope": {"models": ["any"]},
        "test": common | {"direction": "greater", "sesoi": 0.01} | test,
        "not_tested": None,
    }


def table(arm, cells):
    """One row for each value of {block: list of values}."""
    rows = [(block, i, float(v)) for block, cell in cells.items() for i, v in enumerate(cell)]
    frame = pd.DataFrame(rows, columns=["block", "replicate", "value"])
    return frame.assign(experiment="e", arm=arm, metric="m", unit="-")


def judged(record, a, b):
    tables = {"a": table("a", a), "b": table("b", b)}
    conditions = {arm: {"tier": "at-scope"} for arm in tables}
    return judge(
        Claim.model_validate(record),
        tables,
        conditions,
        Settings(family_size=1, alpha=0.05, seed=1),
    )[0].model_dump(mode="json")


def drawn(n, mean, sd=1.0, *, start=0, replicates=1, seed=0):
    rng = np.random.default_rng([seed, start])
    return {f"q{start + i}": rng.normal(mean, sd, replicates) for i in range(n)}


def answered(n, share, *, start=0):
    rng = np.random.default_rng(start)
    return {f"q{start + i}": [rng.random() < share] for i in range(n)}


def means(cells):
    return np.array([np.mean(cell) for cell in cells.values()])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (SCORES | {"prior": None}, "scores need 'prior: {location: ..., spread: ...}'"),
        (SCORES | {"prior": {"concentration": 1.0}}, "prior must give location, spread"),
        (ANSWERS | {"prior": {"location": 1.0, "spread": 1.0}}, "prior must give concentration"),
        (ANSWERS | {"region": [5.0, None]}, "region: 5 is no difference of scores from 0 to 1"),
        ({"region": [0.1, 0.4]}, "outcome: required key is missing"),
    ],
)
def test_an_unpaired_difference_is_registered_whole(change, said):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(claim(**change))
    (line,) = problems(caught.value, "x.yaml", Claim)
    assert said in line


@pytest.mark.slow
def test_scores_are_compared_by_welch():
    a, b = drawn(60, 8.0, 1.5, replicates=2), drawn(90, 7.0, start=100)
    found = judged(claim(**SCORES), a, b)
    expected = stats.ttest_ind(means(a), means(b), equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert found["estimate"] == pytest.approx(means(a).mean() - means(b).mean())
    assert found["interval"] == pytest.approx([low, high])
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["n_units"] == 60  # of the smaller arm
    assert found["posterior"]["eti"] == pytest.approx([low, high], abs=0.03)
    assert found["diagnostics"]["gates_ok"] and found["power"]["n_required"] < 120
    values = [row["value"] for row in found["blocks"]]
    assert len(values) == 150 and np.mean(values) == pytest.approx(found["estimate"])
    assert len(found["multiverse"]["specifications"]) == 4


def test_the_smaller_arm_has_to_be_large_enough():
    found = judged(claim(**SCORES), drawn(9, 8.0), drawn(200, 7.0))
    assert (found["verdict"], found["reason"], found["n_units"]) == ("INCONCLUSIVE", "UNITS", 9)
    assert "9 units are too few, 10 are needed" in found["sentence"]


def test_accuracies_are_compared_by_newcombe():
    a, b = answered(400, 0.8), answered(300, 0.6, start=1000)
    found = judged(claim(**ANSWERS), a, b)
    k = [int(means(side).sum()) for side in (a, b)]
    low, high = confint_proportions_2indep(k[0], 400, k[1], 300, method="newcomb")
    assert found["interval"] == pytest.approx([low, high])
    assert found["p_value"] == stats.fisher_exact([[k[0], 400 - k[0]], [k[1], 300 - k[1]]]).pvalue
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    others = {row["label"]: row for row in found["multiverse"]["specifications"]}
    low, high = confint_proportions_2indep(k[0], 400, k[1], 300, method="agresti-caffo")
    row = others["Agresti-Caffo"]
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    rng = np.random.default_rng(5)
    exact = np.subtract(*(rng.beta(1 + x, 1 + n - x, 400_000) for x, n in zip(k, (400, 300))))
    assert found["posterior"]["eti"] == pytest.approx(np.quantile(exact, [0.025, 0.975]), abs=0.003)


def test_answers_that_do_not_vary_still_have_an_interval():
    found = judged(claim(**ANSWERS | {"region": [-0.1, 0.1], "direction": None}),
                   answered(200, 1.0), answered(150, 1.0, start=500))  # fmt: skip
    low, high = confint_proportions_2indep(200, 200, 150, 150, method="newcomb")
    assert found["interval"] == pytest.approx([low, high])
    assert found["verdict"] == "VERIFIED", found["sentence"]


def test_scores_of_an_arm_that_do_not_vary_are_not_tested():
    found = judged(claim(**SCORES), drawn(30, 8.0), {f"r{i}": [7.0] for i in range(30)})
    assert (found["verdict"], found["reason"]) == ("NOT TESTED", "CONSTANT")


def test_answers_in_clusters_go_through_the_clusters():
    def clustered(cells, groups):
        return {f"p{i % groups}/{name}": cell for i, (name, cell) in enumerate(cells.items())}

    a, b = clustered(answered(600, 0.8), 20), clustered(answered(600, 0.5, start=900), 30)
    found = judged(claim(**ANSWERS, levels=["passage", "item"]), a, b)
    x, y = (
        pd.Series({n: np.mean(c) for n, c in side.items()}).groupby(lambda n: n.split("/")[0])
        .mean().to_numpy()
        for side in (a, b)
    )  # fmt: skip
    low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    assert found["n_units"] == 20
    assert found["interval"] == pytest.approx([low, high])
    assert found["posterior"]["prior"] == {"location": 0.5, "spread": 0.5}
    assert found["posterior"]["eti"] == pytest.approx([low, high], abs=0.01)


def test_half_right_answers_and_two_units_of_measurement_are_refused():
    with pytest.raises(ValueError, match=r"block 'q0' holds 0.5, .* 'outcome: score'"):
        judged(claim(**ANSWERS), {"q0": [0, 1]}, {"q1": [1]})
    tables = {"a": table("a", drawn(20, 1)), "b": table("b", drawn(20, 1)).assign(unit="percent")}
    conditions = {arm: {"tier": "at-scope"} for arm in tables}
    with pytest.raises(ValueError, match=r"e/b.csv: metric 'm' is in 'percent', in a.csv in '-'"):
        judge(Claim.model_validate(claim(**SCORES)), tables, conditions,
              Settings(family_size=1, alpha=0.05, seed=1))  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_welch_of_many_data_sets_at_once_is_that_of_each(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 2, (4, 12)), rng.normal(1, 1, (4, 30))
    fit = intervals.welch(x, y, 0.01)
    for i in range(4):
        found = frequentist.welch(x[i], y[i], 0.01)
        assert (fit.low[i], fit.high[i]) == pytest.approx(found["interval"])


def test_parts_of_a_sum_keep_their_asymmetry():
    few, many = intervals.proportion(1, 10, 0.05), intervals.proportion(500, 1000, 0.05)
    fit = intervals.combined([few, many], (0.5, 0.5))
    assert fit.estimate == pytest.approx(0.3)
    down = np.hypot(few.estimate - few.low, many.estimate - many.low) / 2
    up = np.hypot(few.high - few.estimate, many.high - many.estimate) / 2
    assert (fit.low, fit.high) == pytest.approx((0.3 - down, 0.3 + up)) and up > 1.5 * down
    assert fit.dof == np.inf


def test_the_level_of_both_arms_changes_nothing():
    rng = np.random.default_rng(7)
    x, y = rng.normal(0, 1, 15), rng.normal(0, 2, 9)
    low, high = summary(x, y), summary(x + 50, y + 50)
    for name, value in low.items():
        assert high[name] == pytest.approx(value), name


def test_the_posterior_of_two_samples_is_that_of_the_documented_model():
    rng = np.random.default_rng(8)
    x, y = rng.normal(0.6, 1, 7), rng.normal(0, 2, 9)
    hyper = {"location": 0.7, "spread": 1.5}
    claimed = Hypothesis(DIFFERENCE, (0.0, None), None, 0.01)
    found, diagnostics, _ = bayesian.posterior(
        MODELS["two_samples"], summary(x, y), claimed, hyper, seed=5
    )
    assert diagnostics["gates_ok"], diagnostics
    # by the values themselves, integrated over level and spreads on a grid
    mu, level = np.linspace(-3, 3, 121), np.linspace(-4, 4, 161)
    sigma = np.linspace(0.05, 6, 120)
    of_x = np.array([stats.norm.logpdf(x[:, None, None], (mu[:, None] + level), s).sum(0)
                     for s in sigma])  # fmt: skip
    of_y = np.array([stats.norm.logpdf(y[:, None], level, s).sum(0) for s in sigma])
    spread = stats.halfnorm(scale=1.5).pdf(sigma)
    marginal_x = np.einsum("s,sml->ml", spread, np.exp(of_x))
    marginal_y = spread @ np.exp(of_y)
    mass = (marginal_x * marginal_y).sum(axis=1) * stats.norm(0, 0.7).pdf(mu)
    expected = mass[mu > 0].sum() / mass.sum() + mass[mu == 0].sum() / mass.sum() / 2
    assert found["p_region"] == pytest.approx(expected, abs=0.015)


def brought(tmp_path, *designs):
    text = "arm,item,m\n" + "".join(
        f"{arm},{arm}-{i},{i % 3}\n" for arm, n in (("a", 12), ("b", 15)) for i in range(n)
    )
    (tmp_path / "scores.csv").write_text(text)
    tables = [{"path": str(tmp_path / "scores.csv"), "format": "csv", "score": "m"}]
    claims = []
    for number, design in enumerate(designs):
        record = claim(**SCORES | {"design": design, "external": tables})
        claims.append(Claim.model_validate(record | {"id": f"X-{number}"}))
    return external.experiments(claims)["e"]


def test_tables_of_unpaired_arms_may_hold_items_of_their_own(tmp_path):
    found = external.observe("e", brought(tmp_path, "unpaired_difference"))
    assert {arm: len(rows) for arm, (rows, _) in found.items()} == {"a": 12, "b": 15}


def test_one_claim_that_pairs_the_arms_asks_for_the_same_items(tmp_path):
    experiment = brought(tmp_path, "unpaired_difference", "paired_difference")
    assert experiment.paired
    with pytest.raises(ValueError, match="item 'a-0' of 'a' has no m in 'b'"):
        external.observe("e", experiment)


def test_an_experiment_pairs_its_arms_unless_told_otherwise():
    table = ExternalTable(path="x.csv", format="csv")
    assert external.Experiment([table], ["item"], ["a"]).paired
