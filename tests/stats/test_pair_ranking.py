"""Claims on the order of several models from pairwise judgements."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from kensho import external
from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim
from kensho.stats import davidson
from kensho.stats.analysis import Settings
from kensho.stats.evidence import Undefined, gather
from kensho.stats.judge import judge
from kensho.stats.models import MODELS
from kensho.validation import problems
from pydantic import ValidationError
from scipy import optimize, special, stats

PAIRS = [(i, j) for i in range(3) for j in range(3) if i != j]


def claim(**test):
    common = {
        **{"design": "pair_ranking", "experiment": "e", "comparison": "arena", "order": "whole"},
        **{"models": ["a", "b", "c"], "region": [0.5, None], "direction": "greater"},
        **{"sesoi": 0.02, "min_units": 20},
    }
    return {
        "id": "X-1",
        "source": "own",
        "statement": "a is better than b, b than c",
        "quantity": "win probability",
        "unit": "win probability",
        "claimed": {"at_least": 0.5},
        "scope": {"models": ["any"]},
        "test": common | test,
        "not_tested": None,
    }


def table(rows):
    """Rows of (prompt, first, second, value)."""
    frame = pd.DataFrame(
        [(prompt, f"{one} over {two}", float(value)) for prompt, one, two, value in rows],
        columns=["block", "metric", "value"],
    )
    frame["replicate"] = frame.groupby(["block", "metric"]).cumcount()
    return frame.assign(experiment="e", arm="arena", unit="share")


def arena(n, theta=(0.6, 0.0, -0.6), *, every=False, pairs=PAIRS, position=0.4, seed=0, start=0):
    """Prompts with one judgement of a random pair, or with `every` pair; answers differ."""
    rng, names, rows = np.random.default_rng([seed, start]), "abcdef", []
    for prompt in range(start, start + n):
        own = np.asarray(theta) + rng.normal(0, 0.5, len(theta))
        for i, j in pairs if every else [pairs[rng.integers(len(pairs))]]:
            p = np.exp(davidson.log_shares(np.array(own[i] - own[j] + position), np.array(-0.5)))
            rows.append((f"p{prompt}", names[i], names[j], rng.choice(3, p=p) / 2))
    return rows


def judged(rows, **test):
    found, _ = judge(
        Claim.model_validate(claim(**test)), {"arena": table(rows)},
        {"arena": {"tier": "at-scope"}}, Settings(family_size=1, alpha=0.05, seed=1),
    )  # fmt: skip
    return found.model_dump(mode="json")


def evidence(rows, **test):
    test = Claim.model_validate(claim(**test)).test
    return gather(test, None, {"arena": table(rows)}, 0)


def both_ways(pairs, wins, losses, ties=0):
    """So many wins, ties and losses of the first of each pair in either order of showing."""
    rows = []
    for one, two in pairs:
        for value, count in ((1, wins), (0.5, ties), (0, losses)):
            rows += [(f"{one}{two}{value}-{k}", one, two, value) for k in range(count)]
            rows += [(f"{two}{one}{value}-{k}", two, one, 1 - value) for k in range(count)]
    return rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": ["a", "b", "a"]}, "a model is listed twice"),
        ({"models": ["a", "b over c"]}, "models: 'b over c' holds ' over '"),
        ({"models": ["a"]}, "models: expected at least 2 items"),
        ({"levels": ["topic", "prompt"]}, "levels: expected at most 1 items"),
        ({"first_shown": "yes"}, "first_shown: expected 'known' or 'unknown'"),
        ({"prior": {"strength": 1.0}}, "prior must give strength, order_effect, ties, answer_spr"),
        ({"region": [0.5, 1.5]}, "region: 1.5 is no share"),
        ({"region": [None, 0.4]}, "region lies below 0.5 but the direction is 'greater'"),
    ],
)
def test_an_order_by_comparisons_is_registered_whole(change, said):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(claim(**change))
    assert any(said in line for line in problems(caught.value, "x.yaml", Claim))


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, True], ids=["arena", "every pair on each prompt"])
def test_a_true_order_is_verified(every):
    found = judged(arena(150, every=True, seed=1) if every else arena(1500))
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["diagnostics"]["gates_ok"], found["diagnostics"]
    assert found["posterior"]["eti"][0] == pytest.approx(found["interval"][0], abs=0.02)
    chances = found["details"]["rank_probabilities"]
    assert chances["a"][0] > 0.99 and chances["c"][2] > 0.99
    assert found["details"]["order_effect"] > 0.2
    labels = {row["label"] for row in found["multiverse"]["specifications"]}
    assert {"ties left out", "order effect left out", "direct comparisons alone"} <= labels
    assert ("judgements as independent" in labels) == every


@pytest.mark.slow
def test_another_order_is_refuted():
    found = judged(arena(800, theta=(0.6, -0.6, 0.0)))
    assert found["verdict"] == "FAILED", found["sentence"]


@pytest.mark.slow
def test_a_model_that_wins_everything_is_strong_and_not_infinitely_so():
    rows = both_ways([("a", "b"), ("a", "c")], 40, 0) + both_ways([("b", "c")], 30, 10)
    found = judged(rows)
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    first = judged(rows, order="first")
    assert first["verdict"] == "VERIFIED", first["sentence"]
    assert 0.9 < first["interval"][0] < first["interval"][1] < 1
    exact = stats.beta.ppf(0.025, 80 + 0.5, 0.5)  # Jeffreys of 80 wins in 80
    assert first["interval"][0] == pytest.approx(exact, abs=0.03)


def test_only_the_first_has_to_stand_where_only_the_first_is_claimed():
    rows = arena(900, theta=(0.8, -0.4, 0.0))
    assert evidence(rows, order="first").interval(0.05).low > 0.5
    assert evidence(rows, order="whole").interval(0.05).high < 0.5


def judgements(rows):
    """Models by number, outcome and prompt, as a second implementation sees them."""
    prompts = {name: k for k, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    return np.array([(ord(i) - 97, ord(j) - 97, round(2 * v), prompts[p]) for p, i, j, v in rows]).T


def test_strengths_and_their_errors_are_those_of_an_independent_computation():
    """Likelihood written out, maximised by BFGS, its sandwich by numerical derivatives."""
    rows = arena(120, every=True)
    first, second, outcome, prompt = judgements(rows)

    def own(x):  # log likelihood of each judgement
        theta = np.array([x[0], x[1], -x[0] - x[1]])
        eta = theta[first] - theta[second] + x[2]
        weight = np.stack([np.exp(-eta / 2), np.exp(x[3]) + 0 * eta, np.exp(eta / 2)])
        return np.log(weight[outcome, np.arange(eta.size)] / weight.sum(0))

    def added(x):  # half a comparison won and lost by each and by place, half a tie and no tie
        theta = np.array([x[0], x[1], -x[0] - x[1]])
        tie = np.exp(x[3]) / (2 + np.exp(x[3]))
        ghosts = [*special.expit([*theta, x[2]]), *special.expit([*-theta, -x[2]]), tie, 1 - tie]
        return np.log(ghosts)

    best = optimize.minimize(lambda x: -own(x).sum() - added(x).sum() / 2, np.zeros(4), tol=1e-10)
    step = 1e-4 * np.eye(4)

    def slopes(f):
        return np.array([(f(best.x + h) - f(best.x - h)) / 2e-4 for h in step])

    info = -np.array(
        [
            [
                (
                    lambda f: (
                        f(best.x + g + h)
                        - f(best.x + g - h)
                        - f(best.x - g + h)
                        + f(best.x - g - h)
                    )
                )(lambda x: own(x).sum() + added(x).sum() / 2)
                / 4e-8
                for g in step
            ]
            for h in step
        ]
    )
    by_prompt = np.array([np.bincount(prompt, column) for column in slopes(own)])
    ghosts = slopes(added)
    meat = by_prompt @ by_prompt.T * 120 / 119 + ghosts @ ghosts.T / 2
    cov = np.linalg.inv(info) @ meat @ np.linalg.inv(info)

    def logit(x):
        win = davidson.win_probability(np.array([x[0] - x[1]]), x[2:3], x[3:4])
        return special.logit(win)[0]

    gradient = np.array([(logit(best.x + h) - logit(best.x - h)) / 2e-4 for h in step])
    found = evidence(rows, models=["a", "b"])  # two of the three: other rows take no part
    fit = davidson.strengths(_counts(rows), True, _each(rows))
    assert fit.theta[:2] == pytest.approx(best.x[:2], abs=1e-5)
    assert (fit.position, fit.log_tie) == pytest.approx((best.x[2], best.x[3]), abs=1e-5)
    logits, errors = davidson.gaps(fit, [(0, 1)])
    assert logits == pytest.approx([logit(best.x)], abs=1e-5)
    assert errors == pytest.approx([np.sqrt(gradient @ cov @ gradient)], rel=1e-3)
    assert found.shown["judgements"] == 240


def _each(rows):
    first, second, outcome, prompt = judgements(rows)
    return prompt, (first * 3 + second) * 3 + outcome, np.ones(len(rows))


def _counts(rows):
    first, second, outcome, _ = judgements(rows)
    counts = np.zeros((3, 3, 3))
    np.add.at(counts, (first, second, outcome), 1)
    return counts


def test_without_ties_and_order_it_is_a_logistic_regression():
    rows = [row for row in arena(4000, position=0.0) if row[3] != 0.5]
    first, second, outcome, _ = judgements(rows)
    x = np.eye(3)[first] - np.eye(3)[second]
    glm = sm.GLM(outcome == 2, x[:, :2] - x[:, 2:], family=sm.families.Binomial())
    robust = glm.fit(cov_type="HC0")
    found = evidence(rows, first_shown="unknown")
    strengths = np.array(list(found.shown["strengths"].values()))
    assert strengths[:2] == pytest.approx(robust.params, abs=0.003)
    gap = strengths[0] - strengths[1]
    se = np.sqrt(np.array([1, -1]) @ robust.cov_params() @ [1, -1])
    fit = davidson.strengths(_counts(rows), False)
    logits, errors = davidson.gaps(fit, [(0, 1)])
    assert (logits[0], errors[0]) == pytest.approx((gap, se), rel=0.02)
    assert "order_effect" not in found.shown


def test_judgements_of_one_prompt_are_no_further_prompts():
    once = arena(60, every=True)
    thrice = [row for row in once for _ in range(3)]  # three judges of one mind
    one, many = (evidence(rows).interval(0.05) for rows in (once, thrice))
    assert tuple(one[:4]) == pytest.approx(tuple(many[:4]))


def test_a_model_shown_first_more_often_gains_nothing():
    """a and b are alike; a was shown first in nine of ten comparisons, which wins 73 %."""
    mostly = arena(900, (0, 0), pairs=[(0, 1)], position=1.0)
    rows = mostly + arena(100, (0, 0), pairs=[(1, 0)], position=1.0, start=5000)
    test = {"models": ["a", "b"]}
    assert evidence(rows, **test).interval(0.05).estimate == pytest.approx(0.5, abs=0.06)
    assert evidence(rows, **test, first_shown="unknown").interval(0.05).low > 0.55


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            both_ways([("a", "b")], 20, 10) + both_ways([("c", "d")], 20, 10),
            "no comparison connects a, b with c, d, not even by way of other models",
        ),
        (
            both_ways([("a", "b"), ("b", "d")], 20, 10) + both_ways([("b", "c")], 3, 2),
            "'c' was compared with the others of the claim on 10 prompts, 20 are needed",
        ),
        (
            [(f"p{k}{j}", "a", j, k % 2) for k in range(30) for j in "bcd"]
            + both_ways([("b", "c"), ("c", "d")], 20, 10),
            "'a' was always shown first, so its strength cannot be told from what the order does",
        ),
        (
            [(f"p{k}{j}", j, "d", k % 2) for k in range(30) for j in "abc"]
            + both_ways([("a", "b"), ("b", "c")], 20, 10),
            "'d' was always shown second",
        ),
    ],
)
def test_comparisons_that_cannot_order_the_models_are_not_tested(rows, said):
    found = judged(rows, models=["a", "b", "c", "d"])
    assert (found["verdict"], found["reason"]) == ("NOT TESTED", "UNDEFINED")
    assert said in found["sentence"]


def test_models_are_connected_by_way_of_others():
    rows = both_ways([("a", "b"), ("b", "c")], 30, 10)  # a and c never met
    fit = evidence(rows).interval(0.05)
    assert fit.estimate == pytest.approx(0.75, abs=0.02)
    assert {row["label"] for row in evidence(rows).specifications(0.05)} >= {"ties left out"}


def test_winners_named_first_are_winners_all_the_same():
    """A table that always names the winner first, whatever was shown where."""
    rows = [(f"{p}{i}", *(pair if i % 4 else pair[::-1]), 1)
            for p, pair in enumerate((("a", "b"), ("b", "c"))) for i in range(60)]  # fmt: skip
    fit = evidence(rows, first_shown="unknown").interval(0.05)
    assert fit.estimate == pytest.approx(0.75, abs=0.02) and fit.low > 0.6
    with pytest.raises(Undefined, match="shown first won 100%"):
        evidence(rows)  # taken at its word, the place wins and no model


def test_nothing_but_ties_is_not_tested():
    found = judged(both_ways([("a", "b"), ("b", "c")], 0, 0, ties=30))
    assert (found["verdict"], found["reason"]) == ("NOT TESTED", "CONSTANT")
    assert "all 120 judgements of the claim's models are ties" in found["sentence"]


def test_a_whole_order_that_is_always_won_decides():
    found = judged(both_ways(["ab", "bc", "ac"], 30, 0))
    assert found["verdict"] == "VERIFIED", found["sentence"]


@pytest.mark.parametrize(
    ("wins", "like"),
    [
        ((29, 29, 30), True),  # nearly all: shares do not add up as strengths do
        ((20, 20, 26), True),
        ((22, 22, 8), False),  # a beats b, b beats c, c beats a
        ((28, 28, 2), False),
        ((29, 29, 15), False),
    ],
)
def test_a_circle_is_told_from_an_order_that_is_nearly_always_kept(wins, like):
    """The predictive check around the fit, of data drawn from the fit itself."""
    rows = [row for pair, won in zip(["ab", "bc", "ac"], wins, strict=True)
            for row in both_ways([pair], won, 30 - won)]  # fmt: skip
    data = evidence(rows).data
    fit = davidson.strengths(data["alone"], True)
    shares = np.exp(davidson.log_shares(fit.theta[:, None] - fit.theta + fit.position, fit.log_tie))
    number = data["alone"].sum(axis=-1)
    again = {**data, "alone": np.random.default_rng(0).multinomial(number, shares, (2000, 3, 3))}
    statistic = MODELS["strengths"].statistic
    p = (statistic(again) > statistic(data)).mean()
    assert (p > 0.05) == like and (p < 0.01) != like


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("p1", "a", "b", 0.7)], "prompt 'p1' holds 0.7, a preference is 0, 0.5 or 1"),
        (both_ways([("a", "b")], 30, 10), "e/arena.csv: 'c' is in no comparison"),
        (both_ways([("a", "b"), ("b", "C")], 30, 10), "'c' is in no comparison, .*'?C'?"),
    ],
)
def test_tables_that_are_something_else_are_refused(rows, said):
    with pytest.raises(ValueError, match=said):
        judged(rows)


def test_few_prompts_leave_an_honest_interval():
    """30 prompts for three models, two of them alike: either end errs in 2.5 % + 1 % at most."""
    rng, theta = np.random.default_rng(4), np.array([0.0, 0.0, -3.0])
    eta = theta[:, None] - theta + 0.3
    shares = np.exp(davidson.log_shares(eta, np.array(-0.5))) * (1 - np.eye(3))[..., None] / 6
    counts = rng.multinomial(30, shares.ravel(), 3000).reshape(-1, 3, 3, 3)
    logits, errors = davidson.gaps(davidson.strengths(counts, True), [(0, 1), (1, 2)])
    fit = davidson.smallest(logits, errors, np.array(19), 0.05)
    assert 0.003 < (fit.low > 0.5).mean() < 0.035
    assert (fit.high < 0.5).mean() < 0.035


CSV = "prompt,first,second,winner,judge\np1,a,b,a,x\np1,b,a,tie,x\np2,c,a,a,x\np1,a,b,b,y\n"


def brought(tmp_path, text, **columns):
    (tmp_path / "arena.csv").write_text(text, encoding="utf-8")
    path = str(tmp_path / "arena.csv")
    given = ExternalTable(path=path, format="comparisons", arm="arena", **columns)
    return external.observe("e", external.Experiment([given], ["prompt"], ["arena"]))


def test_a_table_of_comparisons_is_brought_as_it_was_judged(tmp_path):
    frame, conditions = brought(tmp_path, CSV)["arena"]
    found = {
        (row.block, row.metric, row.replicate): row.value for row in frame.itertuples(index=False)
    }
    assert found == {
        ("p1", "a over b", 0): 1.0,
        ("p1", "b over a", 0): 0.5,
        ("p2", "c over a", 0): 0.0,
        ("p1", "a over b", 1): 0.0,
    }
    assert conditions["judges"] == ["x", "y"] and set(frame["unit"]) == {"share"}


def test_columns_of_another_name_are_named(tmp_path):
    text = CSV.replace("prompt", "question").replace("winner", "verdict")
    frame, _ = brought(tmp_path, text, item="question", score="verdict")["arena"]
    assert len(frame) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CSV + "p3,a,b,d,x\n", "line 6: 'd' is none of a, b, tie"),
        (CSV + "p3,a,a,a,x\n", "line 6: 'a' is compared with itself"),
        (CSV + "p3,a,,a,x\n", "line 6: nothing says the second"),
        (CSV + "p3,a over b,c,c,x\n", "line 6: the name 'a over b' holds ' over '"),
        (CSV + "p1,a,b,a,x\n", "line 6: item 'p1' of 'arena' stands there twice"),
        (CSV.replace("second", "other"), "line 1: no column 'second'"),
    ],
)
def test_a_fault_of_the_table_is_named_by_its_line(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        brought(tmp_path, text)


def test_the_arm_of_comparisons_is_asked_for():
    record = claim(external=[{"path": "arena.csv", "format": "comparisons"}])
    lines = external.problems([Claim.model_validate(record)], [])
    assert any("external[0].arm: required key is missing" in line for line in lines)
