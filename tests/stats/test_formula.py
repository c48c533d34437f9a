"""Contrasts of formulas: the models against independent computations, and what stops a verdict."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kensho.claims.formula import parse
from kensho.claims.model import Claim
from kensho.stats import marginal, recovery
from kensho.stats.analysis import Settings
from kensho.stats.evidence import formula as evidence
from kensho.stats.judge import judge
from kensho.stats.models import bambi_model
from kensho.stats.models import formula as models
from pymc.pytensorf import inputvars
from scipy import stats
from scipy.special import expit
from statsmodels import api as sm
from statsmodels.miscmodels.ordinal_model import OrderedModel

LIKELIHOODS = ("gaussian", "bernoulli", "beta_binomial", "ordinal")
ITEMS = "score ~ arm + (1|item)"
TASKS = "score ~ arm + (1|item) + (1|task)"


def table(arm, rows):
    frame = pd.DataFrame(rows, columns=["block", "replicate", "value"])
    return frame.assign(experiment="e", arm=arm, metric="s", unit="points")


def observed(likelihood, seed, *, items=60, tasks=None, effect=1.0, repeats=None):
    """Tables of the arms a and b over the same items."""
    rng = np.random.default_rng(seed)
    level = 0.4 + rng.normal(0, 1, items)
    if repeats is None:
        repeats = 4 if likelihood == "beta_binomial" else 1
    found = {}
    for arm, gain in (("a", effect), ("b", 0.0)):
        rows = []
        for i in range(items):
            eta = level[i] + gain
            share = rng.beta(9 * expit(eta), 9 * expit(-eta))
            for replicate in range(repeats):
                value = {
                    "gaussian": 6 + eta + rng.normal(),
                    "bernoulli": float(rng.random() < expit(eta)),
                    "beta_binomial": float(rng.random() < share),
                    "ordinal": 1 + float((rng.logistic() + eta > np.array([-1, 0, 1.5])).sum()),
                }[likelihood]
                name = f"q{i:03d}" if tasks is None else f"t{i % tasks}/q{i:03d}"
                rows.append((name, replicate, value))
        found[arm] = table(arm, rows)
    return found


def claim(likelihood, formula=ITEMS, *, kind="difference", region=(0.0, None), **more):
    test = {
        "design": "formula",
        "experiment": "e",
        "formula": formula,
        "likelihood": likelihood,
        "metric": "s",
        "contrast": {"kind": kind, "treatment": "a", "control": "b"},
        "levels": ["task", "item"] if "task" in formula else ["item"],
        "region": list(region),
        "direction": "greater",
        "sesoi": 1.01 if kind == "ratio" else 0.01,
    }
    return Claim.model_validate(
        {
            "id": "F-1",
            "source": "own",
            "statement": "a beats b",
            "quantity": "score, a against b",
            "unit": "x",
            "claimed": {"at_least": region[0]},
            "scope": {"models": ["a"], "hardware": "any"},
            "required_tier": "published",
            "test": test | more,
            "not_tested": None,
        }
    )


def judged(one, tables, **settings):
    settings = {"family_size": 1, "alpha": 0.05, "seed": 1} | settings
    conditions = {arm: {"tier": "published"} for arm in tables}
    judgement, idata = judge(one, tables, conditions, Settings(**settings))
    return judgement.model_dump(mode="json"), idata


def gathered(one, tables):
    return evidence.formula_contrast(one.test, None, tables, 0)


# the models


def frame(likelihood, items=8, trials=5):
    item = np.repeat(np.arange(items), 2)
    made = pd.DataFrame(
        {
            "arm": pd.Categorical(np.tile(["b", "a"], items), ["b", "a"], ordered=True),
            "item": [f"q{i}" for i in item],
            "score": np.arange(2 * items) % (2 if likelihood == "bernoulli" else 3),
        }
    )
    return made.assign(trials=trials) if likelihood == "beta_binomial" else made


def built(likelihood, text="score ~ arm + (arm|item)", kind="difference"):
    made = frame(likelihood)
    formula = parse(text, ["arm"], ["item"])
    return models.model(formula, likelihood, made, kind, pd.factorize(made["item"])[0])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("kind", ["difference", "ratio"])
def test_the_estimand_is_the_contrast_of_means_over_new_groups(likelihood, kind):
    """Against the plain mean of many replicated scores of each arm."""
    model, rng = built(likelihood, kind=kind), np.random.default_rng(0)
    data = {"y": np.zeros(16, dtype=int), "centre": 30.0, "unit": 2.0}
    draw = model.prior_draws(data, model.primary, rng, 1)
    draw = {name: draw[name] for name in model.parameters} | {
        "arm": np.array([[0.8]]),
        "1|item_sigma": np.array([1.5]),
        "arm|item_sigma": np.array([[2.0]]),
    }
    many = {name: np.repeat(value, 40_000, axis=0) for name, value in draw.items()}
    y = model.replicate(many, data, rng)["y"]
    scores = {
        "gaussian": lambda y: 30 + 2 * y,
        "bernoulli": lambda y: y,
        "beta_binomial": lambda y: y / 5,
        "ordinal": lambda y: y,
    }[likelihood](y)
    treated, control = scores[:, 1::2].mean(), scores[:, ::2].mean()
    expected = treated - control if kind == "difference" else np.log(treated / control)
    close = 0.04 if likelihood == "gaussian" and kind == "difference" else 0.01
    assert model.estimand(draw, data)[0] == pytest.approx(expected, abs=close)


def log_density(likelihood, y, eta, own):
    """Of one score given its linear predictor and the model's own parameter."""
    if likelihood == "gaussian":
        return stats.norm.logpdf(y, eta, own)
    if likelihood == "bernoulli":
        return stats.bernoulli.logpmf(y, expit(eta))
    if likelihood == "beta_binomial":
        return stats.betabinom.logpmf(y, 5, expit(eta) * own, expit(-eta) * own)
    return np.log(np.diff(expit(np.r_[-np.inf, own - eta, np.inf]))[y])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_likelihood_is_that_of_its_definition(likelihood):
    model, rng = built(likelihood, "score ~ arm + (1|item)"), np.random.default_rng(1)
    y = np.arange(16) % 2 if likelihood == "bernoulli" else np.arange(16) % 3
    draw = model.prior_draws({"y": y}, model.primary, rng, 3)
    found = model.log_likelihood(draw, {"y": y})
    nothing = np.zeros(3)
    own = next((draw[k] for k in ("sigma", "kappa", "threshold") if k in draw), nothing)
    eta = draw.get("Intercept", nothing)[:, None] + draw["arm"] * (np.arange(16) % 2)
    eta = eta + draw["1|item_sigma"][:, None] * draw["1|item_offset"][:, np.arange(16) // 2]
    for d in range(3):
        for row in (0, 5, 14):
            expected = log_density(likelihood, y[row], eta[d, row], own[d])
            assert found[d, row] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("text", ["score ~ arm + (1|item)", "score ~ arm + (arm|item)"])
def test_pymc_has_the_density_that_this_module_states(likelihood, text):
    """bambi's model at random points, against likelihood and priors written out."""
    model, rng = built(likelihood, text), np.random.default_rng(2)
    y = np.arange(16) % 2
    made = model.build(model.inputs({"y": y}), model.primary)
    free = {v.name: made.rvs_to_values[v] for v in made.free_RVs}
    density = made.compile_logp(jacobian=False)
    h = model.primary
    for _ in range(3):
        draw = model.prior_draws({"y": y}, model.primary, rng, 1)
        at = made.initial_point()
        expected = model.log_likelihood(draw, {"y": y}).sum()
        for name, value in free.items():
            if name.endswith("_raw"):
                continue
            x = draw[name][0]
            transform = made.rvs_to_transforms[made[name]]
            at[value.name] = x if transform is None else transform.forward(x).eval()
            if name.endswith("_sigma"):
                expected += stats.halfnorm.logpdf(x, 0, h["spread"]).sum()
            elif name == "sigma":
                expected += stats.halfnorm.logpdf(x, 0, h["noise"])
            elif name == "kappa":
                expected += stats.halfnorm.logpdf(x, 0, h["precision"])
            else:
                scale = h["level"] if name in ("Intercept", "threshold") else h["effect"]
                expected += stats.norm.logpdf(x, 0, scale).sum()
        for effect in model.effects:  # z is sampled as raw = (z - none) / k
            raw = made.rvs_to_values[made[effect.replace("_offset", "_raw")]].name
            (drawn,) = made.replace_rvs_by_values([made[effect]])
            none, one = (
                drawn.eval({v: (at | {raw: x})[v.name] for v in inputvars(drawn)})
                for x in (np.zeros_like(at[raw]), np.ones_like(at[raw]))
            )
            k = one - none
            at[raw] = (draw[effect][0] - none) / k
            expected += (stats.norm.logpdf(draw[effect][0]) + np.log(k)).sum()
        assert density(at) == pytest.approx(expected, abs=1e-6)


# what is judged


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_balanced_numbers_are_judged_as_by_the_paired_t(seed):
    tables = observed("gaussian", seed)
    analysis, _ = judged(claim("gaussian"), tables)
    a, b = (tables[arm]["value"] for arm in "ab")
    low, high = stats.ttest_rel(a, b).confidence_interval()
    assert analysis["estimate"] == pytest.approx(a.mean() - b.mean())
    assert analysis["interval"] == pytest.approx([low, high], rel=1e-9)
    assert analysis["posterior"]["eti"] == pytest.approx([low, high], abs=0.15 * (high - low))
    assert analysis["verdict"] == "VERIFIED" and analysis["n_units"] == 60
    assert analysis["diagnostics"]["recovery"]["failed"] is None


@pytest.mark.slow
def test_answers_are_judged_as_by_gee():
    tables = observed("bernoulli", 3, items=160, tasks=16)
    analysis, _ = judged(claim("bernoulli", TASKS), tables)
    rows = pd.concat(tables.values())
    treated, group = (rows["arm"] == "a").to_numpy(float), rows["block"].str.split("/").str[0]
    fit = sm.GEE(
        rows["value"].to_numpy(), sm.add_constant(treated), groups=group.to_numpy(),
        family=sm.families.Binomial(), cov_struct=sm.cov_struct.Exchangeable(),
    ).fit(cov_type="bias_reduced")  # fmt: skip
    p, q = expit(fit.params.sum()), expit(fit.params[0])
    gradient = np.array([p * (1 - p) - q * (1 - q), p * (1 - p)])
    half = stats.t.ppf(0.975, 15) * np.sqrt(gradient @ fit.cov_params() @ gradient)
    low, high = analysis["interval"]
    assert analysis["estimate"] == pytest.approx(p - q, abs=1e-6)
    assert (high - low) / 2 == pytest.approx(half * np.sqrt(15 / 16), rel=0.05)
    (gee,) = (r for r in analysis["multiverse"]["specifications"] if "marginal" in r["label"])
    assert (gee["low"], gee["high"]) == pytest.approx((p - q - half, p - q + half), rel=1e-4)
    assert analysis["posterior"]["estimate"] == pytest.approx(p - q, abs=half / 2)
    assert analysis["verdict"] == "VERIFIED"


@pytest.mark.slow
def test_repeated_answers_are_counted():
    tables = observed("beta_binomial", 4)
    analysis, _ = judged(claim("beta_binomial"), tables)
    a, b = (tables[arm].groupby("block")["value"].mean() for arm in "ab")
    low, high = stats.ttest_rel(a, b).confidence_interval()
    assert analysis["interval"] == pytest.approx([low, high], rel=1e-9)
    assert analysis["posterior"]["eti"] == pytest.approx([low, high], abs=0.25 * (high - low))
    assert (analysis["details"]["rows"], analysis["verdict"]) == (120, "VERIFIED")


@pytest.mark.slow
def test_ordered_scores_are_judged_as_by_the_ordered_logit():
    tables = observed("ordinal", 5, items=120)
    analysis, _ = judged(claim("ordinal"), tables)
    rows = pd.concat(tables.values())
    treated = (rows["arm"] == "a").to_numpy(float)[:, None]
    fit = OrderedModel(rows["value"].astype(int), treated, distr="logit").fit(
        method="bfgs", disp=False
    )
    levels = np.arange(1, 5)
    p, q = (fit.model.predict(fit.params, np.array([[x]]), which="prob")[0] for x in (1.0, 0.0))
    expected, (low, high) = (p - q) @ levels, analysis["interval"]
    (other,) = (r for r in analysis["multiverse"]["specifications"] if "marginal" in r["label"])
    assert other["estimate"] == pytest.approx(expected, abs=1e-4)
    assert other["high"] - other["low"] == pytest.approx(high - low, rel=0.15)
    assert low < expected < high
    assert analysis["posterior"]["estimate"] == pytest.approx(expected, abs=(high - low) / 8)
    assert analysis["verdict"] == "VERIFIED"


@pytest.mark.slow
def test_a_ratio_is_one_of_average_predictions():
    tables = observed("gaussian", 6)
    analysis, _ = judged(claim("gaussian", kind="ratio", region=(1.02, None)), tables)
    a, b = (tables[arm]["value"] for arm in "ab")
    assert analysis["estimate"] == pytest.approx(a.mean() / b.mean())
    low, high = analysis["interval"]
    assert analysis["posterior"]["eti"] == pytest.approx([low, high], abs=0.15 * (high - low))
    assert analysis["verdict"] == "VERIFIED"


@pytest.mark.slow
def test_an_effect_that_varies_beyond_the_formula_is_not_verified():
    """Ten tasks half for, half against: items alone would be sure of a small gain."""
    rng = np.random.default_rng(7)
    gains = np.where(np.arange(12) % 2, 2.3, -1.7)
    tables = {
        arm: table(
            arm,
            [
                (f"t{t}/q{i}", 0, 5 + (arm == "a") * gains[t] + rng.normal())
                for t in range(12)
                for i in range(25)
            ],
        )
        for arm in "ab"
    }
    analysis, _ = judged(claim("gaussian", TASKS), tables)
    assert (analysis["verdict"], analysis["reason"]) == ("INCONCLUSIVE", "GATE")
    assert analysis["diagnostics"]["ppc_p"] < 0.01
    slopes = claim("gaussian", "score ~ arm + (1|item) + (arm|task)")
    assert judged(slopes, tables)[0]["reason"] == "UNDECIDED"


# what stops a verdict


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["all arms", "arms of every second item", "arms by lot"])
def test_a_sampler_that_does_not_recover_gives_no_verdict(monkeypatch, fault):
    """The compiled model has another design than the one that is judged."""
    right = bambi_model.build

    def wrong(formula, likelihood, frame, design, data, prior):
        codes = frame["arm"].cat.codes.to_numpy()
        if fault == "arms by lot":
            codes = np.random.default_rng(0).permutation(codes)
        else:
            second = frame["item"].str[-1].astype(int) % 2 == 1
            codes = np.where(second | (fault == "all arms"), 1 - codes, codes)
        swapped = pd.Categorical.from_codes(codes, ["b", "a"], ordered=True)
        return right(formula, likelihood, frame.assign(arm=swapped), design, data, prior)

    monkeypatch.setattr(bambi_model, "build", wrong)
    analysis, _ = judged(claim("gaussian"), observed("gaussian", 8, effect=0.5))
    recovered = analysis["diagnostics"]["recovery"]
    assert min(recovered["ks_p"], recovered["z2_p"]) <= recovery.CHANCE
    assert (analysis["verdict"], analysis["reason"]) == ("INCONCLUSIVE", "GATE")
    assert "did not recover 40 contrasts planted in data of this shape" in analysis["sentence"]
    assert "ranks uniform with p = " in analysis["sentence"]


@pytest.mark.slow
def test_an_interval_that_does_not_hold_the_truth_gives_no_verdict(monkeypatch):
    right = marginal.fit

    def short(contributed, replication, alpha):
        fit = right(contributed, replication, alpha)
        half = (fit.high - fit.low) / 3
        return fit._replace(low=fit.estimate - half, high=fit.estimate + half)

    monkeypatch.setattr(marginal, "fit", short)
    analysis, _ = judged(claim("gaussian"), observed("gaussian", 8))
    assert (analysis["verdict"], analysis["reason"]) == ("INCONCLUSIVE", "GATE")
    assert "the 95 % interval held " in analysis["sentence"]
    assert "planted in data of this shape (at least " in analysis["sentence"]


def lost(tables, arm, blocks):
    kept = ~tables[arm]["block"].isin(blocks)
    return tables | {arm: tables[arm][kept].reset_index(drop=True)}


def with_value(tables, arm, row, value):
    changed = tables[arm].copy()
    changed.loc[row, "value"] = value
    return tables | {arm: changed}


ONE = observed("bernoulli", 0)
TWICE = observed("bernoulli", 0, repeats=2)
NUMBERS = observed("gaussian", 0)
IN_TASKS = observed("gaussian", 0, tasks=6)
SINGLE = {"a": NUMBERS["a"].iloc[:30], "b": NUMBERS["b"].iloc[30:].reset_index(drop=True)}


@pytest.mark.parametrize(
    "one, tables, said",
    [
        (claim("bernoulli"), {"a": ONE["a"]}, "no observations of arm 'b'"),
        (claim("bernoulli"), {"b": ONE["b"], "c": ONE["a"]}, "no observations of arm 'a'"),
        (claim("gaussian", metric="acc"), NUMBERS, "no observation of metric 'acc'"),
        (claim("bernoulli"), NUMBERS, "neither 0 nor 1; register likelihood gaussian or ordinal"),
        (claim("bernoulli"), with_value(ONE, "a", 3, 0.5), "block 'q003' of 'a' holds 0.5"),
        (claim("beta_binomial"), ONE, "no block has replicates"),
        (claim("ordinal"), NUMBERS, "120 different scores are too many for ordered levels"),
        (claim("gaussian", "score ~ arm"), NUMBERS, "up to 2 rows share one item"),
        (claim("bernoulli", "score ~ arm"), TWICE, "up to 4 rows share one item"),
        (
            claim("gaussian", "score ~ arm + (1|item)", levels=["task", "item"]),
            IN_TASKS,
            "up to 20 rows share one task and depend on each other; add (1|task)",
        ),
        (claim("gaussian"), SINGLE, "every item has a single row"),
        (
            claim("gaussian", "score ~ arm + (1|item) + (1|item:arm)"),
            NUMBERS,
            "every item:arm has a single row",
        ),
        (claim("gaussian", "score ~ arm * replicate + (1|item)"), NUMBERS, "has one value only"),
        (claim("gaussian", levels=["task", "item"]), NUMBERS, "has 1 parts, the claim registers 2"),
        (
            claim("gaussian"),
            NUMBERS | {"a": NUMBERS["a"].assign(unit="percent")},
            "metric 's' is in 'points'",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_one_line(one, tables, said):
    with pytest.raises(ValueError) as refused:
        judged(one, tables)
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "rows, groups, formula",
    [(100_000, 50, ITEMS), (6_000, 3000, ITEMS), (4_000, 2000, "score ~ arm + (arm|item)")],
)
def test_tables_beyond_the_stated_size_are_refused_at_once(rows, groups, formula):
    names = [f"q{i % groups}" for i in range(rows // 2)]
    replicate = np.arange(rows // 2) // groups
    tables = {
        arm: table(arm, {"block": names, "replicate": replicate, "value": np.arange(rows // 2)})
        for arm in "ab"
    }
    with pytest.raises(ValueError, match=r"are too many for this design .* register paired_differ"):
        judged(claim("gaussian", formula), tables)


def test_levels_are_nested():
    """The same number in two tasks is two items."""
    tables = {arm: IN_TASKS[arm].copy() for arm in "ab"}
    for arm in "ab":
        place = tables[arm].groupby(tables[arm]["block"].str[:2]).cumcount()
        tables[arm]["block"] = tables[arm]["block"].str[:3] + "q" + place.astype(str)
    made = evidence._frame(claim("gaussian", TASKS).test, tables)
    assert made["item"].nunique() == 60 and made["task"].nunique() == 6


def test_incomplete_items_stay():
    found = gathered(claim("gaussian"), lost(NUMBERS, "a", ["q001", "q002"]))
    a, b = NUMBERS["a"]["value"].drop([1, 2]), NUMBERS["b"]["value"]
    assert found.interval(0.05).estimate == pytest.approx(a.mean() - b.mean())
    assert (found.n, found.shown["rows"], len(found.units)) == (58, 118, 60)


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_of_rows_changes_nothing(order):
    shuffled = {arm: NUMBERS[arm].sample(frac=1, random_state=order) for arm in "ab"}
    first, again = (gathered(claim("gaussian"), t).interval(0.05) for t in (NUMBERS, shuffled))
    assert again == pytest.approx(first, rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_constant_answers_are_not_tested(share):
    same = {arm: ONE[arm].assign(value=share) for arm in "ab"}
    analysis, _ = judged(claim("bernoulli"), same)
    assert (analysis["verdict"], analysis["reason"]) == ("NOT TESTED", "CONSTANT")


def test_a_ratio_to_nothing_is_not_tested():
    nothing = ONE | {"b": ONE["b"].assign(value=0.0)}
    analysis, _ = judged(claim("bernoulli", kind="ratio", region=(1.1, None)), nothing)
    assert (analysis["verdict"], analysis["reason"]) == ("NOT TESTED", "UNDEFINED")


PAGE = (Path(__file__).parents[2] / "docs/own-results.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_of_the_page_gives_its_verdict():
    (text,) = re.findall(r"```yaml\n(- id: OWN-4\n.*?)```", PAGE, re.S)
    (csv,) = re.findall(r"`own/scores.csv`:\n\n```csv\n(.*?)```", PAGE, re.S)
    rows = pd.read_csv(io.StringIO(csv)).rename(columns={"item": "block", "score": "value"})
    rows = rows.assign(experiment="own-scores", metric="score", replicate=0, unit="score")
    tables = {arm: part.reset_index(drop=True) for arm, part in rows.groupby("arm")}
    one = Claim.model_validate(yaml.safe_load(text)[0])
    analysis, _ = judged(one, tables)
    said = re.search(r"\| OWN-4 \| (\w+) \| ([\d.]+) \(([\d.]+) to ([\d.]+)\)", PAGE)
    assert analysis["verdict"] == said[1]
    found = [analysis["estimate"], *analysis["interval"]]
    assert [f"{x:.2f}" for x in found] == [said[2], said[3], said[4]]


@pytest.mark.slow
def test_judges_and_strata_are_fixed_and_averaged_as_observed():
    """Two judges, of whom the second is milder; two tasks, of which one gains."""
    rng = np.random.default_rng(9)
    tables = {
        arm: table(
            arm,
            [
                (f"t{t}/q{i}", judge, 5 + judge + (arm == "a") * 2 * t + base[t, i] + rng.normal())
                for t in range(2)
                for i in range(20 + 20 * t)
                for judge in range(2)
            ],
        )
        for base in [rng.normal(size=(2, 40))]
        for arm in "ab"
    }
    formula = "score ~ arm * task + replicate + (1|item)"
    one = claim("gaussian", formula, strata=["task"], region=(1.0, None))
    analysis, _ = judged(one, tables)
    a, b = (tables[arm]["value"].mean() for arm in "ab")
    assert analysis["estimate"] == pytest.approx(a - b)  # balanced: 2 x 40 / 60
    assert analysis["posterior"]["estimate"] == pytest.approx(a - b, abs=0.1)
    assert (analysis["n_units"], analysis["verdict"]) == (60, "VERIFIED")
    assert (
        analysis["details"]["formula"] == "score ~ 1 + arm + task + arm:task + replicate + (1|item)"
    )
