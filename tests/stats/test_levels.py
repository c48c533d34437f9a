"""Claims on the level of one arm: its mean score, and its accuracy when items are repeated."""

import numpy as np
import pandas as pd
import pytest
from kensho.claims.model import Claim
from kensho.stats import bayesian
from kensho.stats.analysis import Settings
from kensho.stats.evidence.levels import tally
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.judge import judge
from kensho.stats.models import MODELS
from kensho.stats.scales import LEVEL, SHARE
from kensho.validation import problems
from pydantic import ValidationError
from scipy import integrate, stats

OF = [{"label": "of a", "of": {"arm": "a", "metric": "m"}}]
SCORE = {"design": "mean_score", "region": [6.0, 7.0], "prior": {"location": 10.0, "spread": 3.0}}
REPEATED = {"design": "proportion", "outcome": "repeats", "region": [0.5, 0.8]}


def claim(unit="points", claimed=None, **test):
    return {
        "id": "X-1",
        "source": "own",
        "statement": "so good is a",
        "quantity": "level of a",
        "unit": unit,
        "claimed": claimed or dict(zip(("low", "high"), test["region"], strict=True)),
        "scope": {"models": ["any"]},
        "test": {"experiment": "e", "readings": OF, "sesoi": 0.1, "min_units": 10} | test,
        "not_tested": None,
    }


def table(cells):
    """One row for each value of {block: list of values}."""
    rows = [(block, i, float(v)) for block, cell in cells.items() for i, v in enumerate(cell)]
    frame = pd.DataFrame(rows, columns=["block", "replicate", "value"])
    return frame.assign(experiment="e", arm="a", metric="m", unit="-")


def judged(record, cells, draws=2500):
    found, _ = judge(
        Claim.model_validate(record), {"a": table(cells)}, {"a": {"tier": "at-scope"}},
        Settings(family_size=1, alpha=0.05, seed=1, draws=draws),
    )  # fmt: skip
    return found.model_dump(mode="json")


def scores(mean, n=40, replicates=1, seed=1):
    rng = np.random.default_rng(seed)
    return {f"q{i}": rng.normal(mean, 1, replicates) for i in range(n)}


def answers(n=150, times=4, seed=2):
    """Items of which a third is always right and the others right two times in four."""
    rng = np.random.default_rng(seed)
    return {f"q{i}": rng.random(times) < (1 if i % 3 == 0 else 0.5) for i in range(n)}


def line(record):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(record)
    (found,) = problems(caught.value, "x.yaml", Claim, under="X-1")
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"direction": "greater"}, "a level has no direction; give null"),
        ({"prior": None}, "scores need 'prior: {location: ..., spread: ...}': how far from 0"),
        ({"prior": {"location": 1.0, "spread": 1.0}}, "location 1 speaks against a mean of 7"),
        ({"prior": {"location": 9.0}}, "prior must give location, spread"),
        ({"region": [None, None], "claimed": {"value": 6.5}}, "would hold for any level"),
        ({"sesoi": 0.0}, "sesoi must be above 0 for mean_score"),
        ({"claimed": {"at_least": 5}, "region": [6.0, None]}, "does not hold the claimed set"),
        (
            {"unit": "percent", "claimed": {"at_least": 600}, "region": [6.0, None]},
            "is none of a level",
        ),
    ],
)
def test_a_mean_score_is_registered_whole(change, said):
    assert said in line(claim(**SCORE | change))


def test_the_share_of_one_arm_has_no_direction():
    record = claim(unit="share", **REPEATED | {"direction": "greater"})
    assert "the share of one arm is no distance from 1/2, as a win rate; give null" in line(record)


def test_repeats_are_registered_with_their_own_prior():
    assert "prior must give concentration, likeness" in line(
        claim(unit="share", **REPEATED, prior={"concentration": 1.0})
    )
    assert "expected 'binary' or 'repeats'" in line(
        claim(unit="share", **REPEATED | {"outcome": "score"})
    )


@pytest.mark.slow
def test_the_mean_of_an_arm_is_its_t_interval_over_items():
    cells = scores(6.5, replicates=3)
    found = judged(claim(**SCORE), cells)
    means = np.array([cell.mean() for cell in cells.values()])
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert found["estimate"] == pytest.approx(means.mean())
    assert found["interval"] == pytest.approx([expected.low, expected.high])
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["scale"] == "level" and found["n_units"] == 40
    assert found["p_value"] is None and found["posterior"]["p_direction"] is None
    assert found["posterior"]["eti"] == pytest.approx(found["interval"], abs=0.02)
    assert found["power"]["minimal_detectable_effect"] is None
    assert len(found["multiverse"]["specifications"]) >= 4


@pytest.mark.parametrize(("mean", "verdict"), [(6.95, "INCONCLUSIVE"), (8.0, "FAILED")])
def test_a_level_at_an_end_is_open_and_one_outside_is_excluded(mean, verdict):
    assert judged(claim(**SCORE), scores(mean))["verdict"] == verdict


def test_scores_of_a_cluster_are_one_unit():
    cells = {f"p{i % 12}/{name}": cell for i, (name, cell) in enumerate(scores(6.5, 240).items())}
    found = judged(claim(**SCORE, levels=["passage", "item"]), cells)
    means = pd.Series({name: cell.mean() for name, cell in cells.items()})
    means = means.groupby(lambda name: name.split("/")[0]).mean()
    assert found["n_units"] == 12
    assert found["interval"] == pytest.approx(stats.t.interval(0.95, 11, means.mean(), means.sem()))


def test_scores_that_do_not_vary_are_not_tested():
    assert judged(claim(**SCORE), {f"q{i}": [6.5] for i in range(20)})["verdict"] == "NOT TESTED"


@pytest.mark.slow
def test_repeated_items_count_with_their_share():
    cells = answers()
    found = judged(claim(unit="share", **REPEATED), cells)
    shares = np.array([np.mean(cell) for cell in cells.values()])
    assert found["estimate"] == pytest.approx(shares.mean())
    assert found["n_units"] == 150
    assert found["interval"] == pytest.approx(
        stats.t.interval(0.95, 149, shares.mean(), stats.sem(shares)), abs=0.004
    )
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["posterior"]["eti"] == pytest.approx(found["interval"], abs=0.01)
    assert found["diagnostics"]["ppc_p"] is None


def test_more_answers_to_an_item_are_no_more_items():
    once, thrice = answers(), {name: list(cell) * 3 for name, cell in answers().items()}
    few, many = (judged(claim(unit="share", **REPEATED), cells) for cells in (once, thrice))
    assert few["interval"] == pytest.approx(many["interval"])
    width = [np.diff(found["posterior"]["eti"])[0] for found in (few, many)]
    assert width[1] > 0.95 * width[0]


def test_greedy_answers_are_as_good_as_one():
    """All repeats alike: as many items as before, and as sure as Wilson's interval of them."""
    rng = np.random.default_rng(3)
    cells = {f"q{i}": [rng.random() < 0.65] * 5 for i in range(200)}
    found = judged(claim(unit="share", **REPEATED), cells)
    right = sum(cell[0] for cell in cells.values())
    wilson = stats.binomtest(int(right), 200).proportion_ci(0.95, "wilson")
    assert found["interval"] == pytest.approx([wilson.low, wilson.high], abs=0.002)
    assert found["posterior"]["eti"] == pytest.approx([wilson.low, wilson.high], abs=0.01)


def test_half_an_answer_and_unregistered_repeats_are_refused():
    with pytest.raises(ValueError, match=r"block 'q1' holds an answer .* \(0\): 1, 0.5; register"):
        judged(claim(unit="share", **REPEATED), {"q0": [1, 0], "q1": [1, 0.5]})
    with pytest.raises(ValueError, match=r"block 'q1' holds 0.5, .* register 'outcome: repeats'"):
        judged(claim(unit="share", **REPEATED | {"outcome": "binary"}), {"q0": [1], "q1": [1, 0]})


def test_units_are_counted_by_their_answers():
    found = tally(np.array([1, 0, 3, 2, 3]), np.array([1, 1, 3, 3, 3]))
    assert found["answers"].tolist() == [1, 3]
    assert found["units"].tolist() == [[1, 1, 0, 0], [0, 0, 1, 2]]


def test_the_posterior_of_repeats_is_that_of_the_documented_model():
    data = tally(np.array([3, 0, 2, 1, 1, 0]), np.array([3, 3, 3, 3, 2, 1]))
    prior = {"concentration": 2.0, "likeness": 1.5}

    def density(rho, mean):
        size = (1 - rho) / rho
        shape = mean * size, (1 - mean) * size
        of = {1: [0], 2: [1], 3: [3, 0, 2, 1]}
        likelihood = np.prod([stats.betabinom.pmf(k, n, *shape) for n, k in of.items() for k in k])
        return likelihood * stats.beta.pdf(mean, 2, 2) * stats.beta.pdf(rho, 1.5, 1.5)

    total, below = (
        integrate.dblquad(density, 1e-6, top, 1e-6, 1 - 1e-6, epsabs=1e-7)[0] for top in (1, 0.5)
    )
    claimed = Hypothesis(SHARE, (0.5, 1.0), None, 0.01)
    summary, diagnostics, _ = bayesian.posterior(MODELS["repeats"], data, claimed, prior, seed=5)
    assert diagnostics["gates_ok"], diagnostics
    assert summary["p_below"] == pytest.approx(below / total, abs=0.015)


def test_the_level_has_no_null():
    assert LEVEL.null is None and LEVEL.ends([1.0, None]) == (1.0, np.inf)
