"""The models against their documented densities, written here a second time with scipy.

Calibration by simulation cannot see a prior that is wrong in the sampler and in the simulation
alike, so both are held against the densities below.
"""

import numpy as np
import pytest
from kensho.stats.models import MODELS
from scipy import integrate, linalg, stats
from scipy.special import expit

REGISTERED = {
    "location": {"location": 1.0, "spread": 0.2},
    "normal": {"location": 1.0, "spread": 1.0},
    "proportion": {"location": 1.5, "spread": 1.0},
    "pairs": {
        "discordance": 1.5,
        "discordance_spread": 1.0,
        "difference": 1.0,
        "difference_spread": 0.5,
    },
    "bradley_terry": {
        "strength_scale": 1.0,
        "order_effect": 0.5,
        "ties": 1.5,
        "prompt_spread": 0.5,
    },
    "dose": {"level": 2.0, "curvature": 2.0, "seed_spread": 1.0, "noise": 1.0},
    "ranking": {"ability": 0.2, "spread": 0.1},
    "beta_binomial": {"concentration": 1.0},
    "dirichlet_pairs": {"concentration": 0.5},
    "dirichlet_wins": {"concentration": 0.5},
    "repeats": {"concentration": 1.0, "likeness": 1.0},
    "two_samples": {"location": 1.0, "spread": 1.0},
    "two_proportions": {"concentration": 1.0},
    "strengths": {"strength": 1.0, "order_effect": 0.5, "ties": 1.5, "answer_spread": 0.5},
    "sites": {"location": 1.0, "spread": 1.0, "between": 0.5},
    "crossed": {"location": 1.0, "spread": 1.0, "between": 0.5},
}
HALF = 2.5  # octaves, half the range of doses
DATA = {
    "location": {"y": np.array([0.58, 0.61, 0.66, 0.5])},
    "normal": {"y": np.array([0.58, 0.61, 0.66, 0.5])},
    "proportion": {"correct": np.array([3, 10, 0]), "items": np.array([10, 10, 4])},
    "pairs": {
        "wins": np.array([3, 1, 0]),
        "losses": np.array([1, 1, 0]),
        "items": np.array([10, 12, 7]),
    },
    "bradley_terry": {
        "prompt": np.array([0, 0, 1, 1, 2, 2, 2]),
        "order": np.array([1, -1, 1, -1, 1, -1, 1]),
        "outcome": np.array([0, 1, 2, 2, 0, 2, 1]),
    },
    "dose": {
        "x": np.array([10.0, 11, 12, 13, 15, 10, 12, 14, 15]),
        "seed": np.array([0, 0, 0, 0, 0, 1, 1, 1, 1]),
        "y": np.array([-1.0, 0.2, 0.8, 0.9, -0.6, -1.5, 0.6, 0.9, -0.3]),
    },
    "ranking": {
        "mean": np.array([[0.7, 0.6, 0.5], [0.5, 0.52, 0.3], [0.9, 0.7, 0.72], [0.4, 0.3, 0.35]]),
        "cov": np.tile(0.002 * (np.eye(3) + 0.5), (4, 1, 1)) * np.arange(1, 5)[:, None, None],
    },
    "beta_binomial": {"correct": np.array([7]), "items": np.array([9])},
    "dirichlet_pairs": {"counts": np.array([5, 4, 1, 2])},
    "dirichlet_wins": {"counts": np.array([5, 4, 1])},
    "repeats": {
        "answers": np.array([1, 3]),
        "units": np.array([[2, 1, 0, 0], [4, 0, 2, 3]]),
    },
    "two_samples": {
        "difference": np.array([0.4]),
        "squares": np.array([3.0, 1.2]),
        "n": np.array([9, 14]),
    },
    "two_proportions": {"correct": np.array([5, 8]), "items": np.array([9, 30])},
    "strengths": {
        "alone": np.array(
            [
                [[0, 0, 0], [1, 2, 4], [2, 0, 2]],
                [[3, 1, 1], [0, 0, 0], [1, 1, 3]],
                [[0, 0, 0], [2, 0, 1], [0, 0, 0]],
            ]
        ),
        "first": np.array([0, 1, 0, 2, 1]),
        "second": np.array([1, 0, 2, 0, 2]),
        "outcome": np.array([2, 1, 0, 0, 2]),
        "answer_first": np.array([0, 1, 2, 3, 4]),
        "answer_second": np.array([1, 0, 3, 2, 3]),
        "answers": np.array(5),
        "shown": np.array(1),
    },
    "sites": {
        "mean": np.array([0.4, 0.9, 0.5]),
        "squares": np.array([3.0, 9.5, 1.2]),
        "n": np.array([6.0, 14.0, 3.5]),
    },
    "crossed": {
        "mean": np.array([0.4]),
        "apart": np.array([0.2]),
        "squares": np.array([9.5]),
        "k": np.array([3.0]),
        "n": np.array([12.0]),
    },
}
SAMPLED = [name for name, model in MODELS.items() if model.build]


def densities(name, h):
    """Prior of every parameter of a model, given its hyperparameters."""
    normal, half = (lambda sd: stats.norm(0, sd)), (lambda sd: stats.halfnorm(scale=sd))
    if name == "location":
        return {
            "mu": normal(h["location"]),
            "sigma": half(h["spread"]),
            "nu": stats.gamma(2, loc=1, scale=10),
        }
    if name in ("normal", "two_samples"):
        return {"mu": normal(h["location"]), "sigma": half(h["spread"])}
    if name in ("sites", "crossed"):
        scales = ("location", normal), ("spread", half), ("between", half)
        return dict(zip(("mu", "sigma", "tau"), (make(h[k]) for k, make in scales), strict=True))
    if name == "proportion":
        return {"a": normal(h["location"]), "sd": half(h["spread"]), "z": normal(1)}
    if name == "pairs":
        return {
            "a": normal(h["discordance"]),
            "sd_a": half(h["discordance_spread"]),
            "d": normal(h["difference"]),
            "sd_d": half(h["difference_spread"]),
            "z": normal(1),
            "u": normal(1),
        }
    if name == "bradley_terry":
        return {
            "strength": normal(h["strength_scale"]),
            "position": normal(h["order_effect"]),
            "log_tie": normal(h["ties"]),
            "sd": half(h["prompt_spread"]),
            "z": normal(1),
        }
    if name == "dose":
        return {
            "peak": stats.uniform(10, 2 * HALF),
            "c": normal(h["curvature"] / HALF**2),
            "top": normal(h["level"]),
            "seed_sd": half(h["seed_spread"]),
            "sigma": half(h["noise"]),
            "z": normal(1),
        }
    if name == "strengths":
        return {
            "theta": normal(h["strength"]),
            "position": normal(h["order_effect"]),
            "log_tie": normal(h["ties"]),
            "sd": half(h["answer_spread"]),
            "z": normal(1),
        }
    if name == "ranking":  # of the orthonormal contrasts of theta
        return {"theta": normal(h["ability"]), "tau": half(h["spread"])}
    if name == "repeats":
        one, two = (stats.beta(h[key], h[key]) for key in ("concentration", "likeness"))
        return {"mean": one, "rho": two}
    cells = {"beta_binomial": 2, "two_proportions": 2, "dirichlet_pairs": 4, "dirichlet_wins": 3}[
        name
    ]
    return {"p": stats.beta(h["concentration"], (cells - 1) * h["concentration"])}


def contrasts(theta):
    return theta @ linalg.helmert(theta.shape[-1]).T


def test_priors_and_their_variations_are_the_registered_ones():
    assert {name: dict(model.primary) for name, model in MODELS.items()} == REGISTERED
    assert MODELS["location"].priors == {
        "primary": {"location": 1.0, "spread": 0.2},
        "location x 0.5": {"location": 0.5, "spread": 0.2},
        "location x 2": {"location": 2.0, "spread": 0.2},
        "spread x 0.5": {"location": 1.0, "spread": 0.1},
        "spread x 2.5": {"location": 1.0, "spread": 0.5},
    }
    for model in MODELS.values():
        distinct = {tuple(prior.values()) for prior in model.priors.values()}
        assert len(distinct) == len(model.priors) >= 3
        assert next(iter(model.priors)) == "primary"


def test_the_other_priors_follow_a_registered_one():
    scaled = MODELS["location"].scaled({"location": 4.0, "spread": 3.0})
    assert scaled["primary"] == {"location": 4.0, "spread": 3.0}
    assert scaled["spread x 2.5"] == {"location": 4.0, "spread": 7.5}
    with pytest.raises(ValueError, match="location: the prior must give location, spread"):
        MODELS["location"].scaled({"location": 4.0})


@pytest.mark.parametrize("name", MODELS)
def test_prior_draws_have_the_registered_distribution(name):
    prior = {key: 3 * value for key, value in REGISTERED[name].items()}
    draws = MODELS[name].prior_draws(DATA[name], prior, np.random.default_rng(1), 4000)
    for parameter, expected in densities(name, prior).items():
        values = contrasts(draws["theta"]) if parameter == "theta" else draws[parameter]
        one = values[:, 0] if values.ndim > 1 else values
        assert stats.kstest(one, expected.cdf).pvalue > 1e-3, parameter


def joint(name, draw, data, prior):
    """Log density of parameters, effects and data; draws of length one."""
    expected = densities(name, prior)
    total = MODELS[name].log_likelihood(draw, data).sum()
    for parameter, density in expected.items():
        values = contrasts(draw["theta"]) if parameter == "theta" else draw[parameter]
        total += density.logpdf(values).sum()
    return total


@pytest.mark.parametrize("name", [name for name in SAMPLED if name != "dose"])
def test_the_sampled_density_is_the_documented_one(name):
    model, data = MODELS[name], DATA[name]
    prior = {key: 3 * value for key, value in REGISTERED[name].items()}
    built = model.build(model.inputs(data), prior)
    variables = built.unobserved_value_vars
    values_at = built.compile_fn(variables, inputs=built.value_vars, mode="FAST_COMPILE")
    log_density = built.compile_logp(jacobian=False, mode="FAST_COMPILE")

    def draw_at(point):
        found = dict(zip([v.name for v in variables], values_at(point), strict=True))
        return {name: np.asarray(value)[None] for name, value in found.items()}

    rng = np.random.default_rng(2)
    for _ in range(3):
        start = built.initial_point()
        point = {key: value + rng.normal(0, 0.5, np.shape(value)) for key, value in start.items()}
        moved = {k: v + 1 if k.endswith("offset") else v for k, v in point.items()}
        draw, further = draw_at(point), draw_at(moved)
        slopes = [  # of effects and mu in the offsets that are sampled in their place
            np.log(further[key] - draw[key]).sum()
            for key in ("z", "u", "mu")
            if key in draw and np.any(further[key] != draw[key])
        ]
        expected = joint(name, draw, data, prior) + sum(slopes)
        assert log_density(point) == pytest.approx(expected, rel=1e-9)


def test_the_density_of_a_dose_curve_is_integrated_over_peak_curve_and_seeds():
    model, data = MODELS["dose"], DATA["dose"]
    prior = {key: value / 2 for key, value in REGISTERED["dose"].items()}
    built = model.build(model.inputs(data), prior)
    log_density = built.compile_logp(jacobian=False, mode="FAST_COMPILE")
    same_seed = data["seed"][:, None] == data["seed"]
    for seed_sd, sigma in ((0.3, 0.5), (1.2, 0.2)):
        fixed = prior["level"] ** 2 + seed_sd**2 * same_seed + sigma**2 * np.eye(9)
        logs = []
        for peak in 10 + 2 * HALF * (np.arange(601) + 0.5) / 601:
            curve = (data["x"] - peak) ** 2 * prior["curvature"] / HALF**2
            total = fixed + np.outer(curve, curve)
            logs.append(stats.multivariate_normal.logpdf(data["y"], np.zeros(9), total))
        spread = densities("dose", prior)
        expected = np.log(np.mean(np.exp(logs)))
        expected += spread["seed_sd"].logpdf(seed_sd) + spread["sigma"].logpdf(sigma)
        point = {"seed_sd_log__": np.log(seed_sd), "sigma_log__": np.log(sigma)}
        assert log_density(point) == pytest.approx(expected, abs=1e-4)


SETTLED = {  # where a draw from the prior would make the ratios below vary too much
    "location": {"mu": 0.5, "sigma": 0.2, "nu": 6.0},
    "normal": {"mu": 0.5, "sigma": 0.2},
    "two_samples": {"mu": 0.5, "sigma": [0.2, 0.4]},
    "sites": {"mu": 0.5, "tau": 0.3, "sigma": [0.2, 0.4, 0.3]},
    "crossed": {"mu": 0.5, "tau": 0.3, "sigma": 0.6},
    "pairs": {"a": -0.5, "sd_a": 0.2, "d": 0.5, "sd_d": 1.5},
    "dose": {"peak": 12.0, "c": 0.2, "top": 0.5, "seed_sd": 0.5, "sigma": 0.8},
    "repeats": {"mean": 0.6, "rho": 0.3},
}


@pytest.mark.parametrize("name", MODELS)
def test_replicates_have_the_density_of_the_likelihood(name):
    """For any two parameter values E[p(y | b) / p(y | a)] = 1 over data drawn from a."""
    model, data = MODELS[name], DATA[name]
    rng = np.random.default_rng(3)
    a = model.prior_draws(data, model.primary, rng, 1)
    if name in SETTLED:
        a |= {key: np.array([value]) for key, value in SETTLED[name].items()}
    if name == "ranking":
        a.pop("task_effects")  # its likelihood is that of new tasks
    if "p" in a:
        a["p"] = np.full_like(a["p"], 1 / a["p"].size)
    b = {key: value * 1.03 for key, value in a.items()}
    if "p" in b:
        b["p"] = b["p"] * np.linspace(0.8, 1.2, b["p"].size)
        b["p"] /= b["p"].sum()
    ratios = []
    for _ in range(600):
        made = model.simulate(a, data, rng)
        at_a, at_b = (model.log_likelihood(draw, made).sum() for draw in (a, b))
        ratios.append(np.exp(at_b - at_a))
    assert np.std(ratios) > 1e-3
    error = np.std(ratios) / np.sqrt(len(ratios))
    assert np.mean(ratios) == pytest.approx(1, abs=4 * error)


def given_sampled(model, truth, data, rng):
    sampled = {n: truth[n] for n in model.parameters if n in ("seed_sd", "sigma", "theta", "tau")}
    repeated = {name: np.repeat(value, 99, axis=0) for name, value in sampled.items()}
    return repeated | model.complete(repeated, data, model.primary, rng)


def exactly(model, truth, data, rng):
    return model.draw(data, model.primary, rng, 99)


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("dose", given_sampled), ("ranking", given_sampled)]
    + [(name, exactly) for name in MODELS if name not in SAMPLED],
)
def test_what_is_not_sampled_is_drawn_from_its_exact_distribution(name, drawn):
    """Ranks of true values among draws given data made from them are uniform."""
    model, rng, ranks = MODELS[name], np.random.default_rng(4), {}
    for _ in range(250):
        truth = model.prior_draws(DATA[name], model.primary, rng, 1)
        data = model.simulate(truth, DATA[name], rng)
        found = drawn(model, truth, data, rng)
        for given in (truth, found):
            given["log-likelihood"] = model.log_likelihood(given, data).sum(axis=1)
        for key, values in found.items():
            if np.ptp(values, axis=0).max() == 0:
                continue  # given, not drawn
            below = (values < truth[key]).sum(axis=0) + rng.random(truth[key].shape[1:])
            ranks.setdefault(key, []).append(np.ravel(below)[0] / 100)
    for key, found in ranks.items():
        assert stats.kstest(found, "uniform").pvalue > 1e-3, key
        scores = (stats.norm.ppf(found) ** 2).sum()
        assert 1e-3 < stats.chi2.cdf(scores, len(found)) < 1 - 1e-3, key


def mean_over_groups(curve, mean, sd):
    density = stats.norm(mean, sd).pdf
    return integrate.quad(lambda x: curve(x) * density(x), mean - 9 * sd, mean + 9 * sd)[0]


def test_shares_are_means_over_the_population_of_groups():
    draws = {"a": np.array([1.0, -2.0]), "sd": np.array([0.5, 2.5])}
    expected = [mean_over_groups(expit, 1, 0.5), mean_over_groups(expit, -2, 2.5)]
    assert MODELS["proportion"].estimand(draws, {}) == pytest.approx(expected, abs=1e-5)
    draws |= {"sd_a": draws["sd"], "d": np.array([0.4, -0.3]), "sd_d": np.array([0.6, 1.0])}
    won = np.array([mean_over_groups(expit, 0.4, 0.6), mean_over_groups(expit, -0.3, 1.0)])
    difference = MODELS["pairs"].estimand(draws, {})
    assert difference == pytest.approx(np.array(expected) * (2 * won - 1), abs=1e-5)


def test_win_rate_is_that_of_simulated_judgements():
    model, prompts = MODELS["bradley_terry"], 100_000
    draw = {"strength": 0.8, "position": 0.6, "log_tie": -0.4, "sd": 0.9}
    draw = {name: np.array([value]) for name, value in draw.items()}
    data = {
        "prompt": np.repeat(np.arange(prompts), 2),
        "order": np.tile([1, -1], prompts),
        "outcome": np.full(2 * prompts, 2),
    }
    made = model.simulate(draw, data, np.random.default_rng(5))["outcome"]
    assert model.estimand(draw, data) == pytest.approx([made.mean() / 2], abs=0.004)
    first, second = made[::2].mean() / 2, made[1::2].mean() / 2
    assert first - second > 0.1  # A gains by standing first


def test_a_convex_dose_curve_has_no_optimum():
    draws = {"c": np.array([0.5, -0.5, 0.0]), "peak": np.array([12.0, 12.0, 12.0])}
    found = MODELS["dose"].estimand(draws, {})
    assert found[0] == 12.0
    assert np.isnan(found[1:]).all()


def test_ranking_does_not_see_the_difficulty_of_tasks():
    model, data = MODELS["ranking"], DATA["ranking"]
    harder = data | {"mean": data["mean"] - np.arange(4)[:, None]}
    draws = model.prior_draws(data, model.primary, np.random.default_rng(6), 5)
    expected = model.log_likelihood(draws, data)
    assert model.log_likelihood(draws, harder) == pytest.approx(expected)
    effects = model.complete(draws, harder, model.primary, np.random.default_rng(7))
    assert effects["task_effects"].shape == (5, 4, 3)
    assert effects["task_effects"].sum(axis=2) == pytest.approx(np.zeros((5, 4)), abs=1e-12)
    # exactly known means leave nothing to draw
    sure = data | {"cov": np.zeros((4, 3, 3))}
    known = model.complete(draws, sure, model.primary, np.random.default_rng(7))["task_effects"]
    deviations = data["mean"] - data["mean"].mean(axis=1, keepdims=True)
    assert known == pytest.approx(np.tile(deviations, (5, 1, 1)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("location", 0.095),  # 0.5 from 0.595
        ("proportion", 1 - 1.3 / 3),
        ("pairs", 0.2 - 0.2 / 3),
        ("bradley_terry", np.var([0.5, 2, 1])),
    ],
)
def test_predictive_statistics_by_hand(name, expected):
    assert MODELS[name].statistic(DATA[name]) == pytest.approx(expected)


def test_lack_of_fit_of_a_quadratic_is_nil_and_that_of_a_step_is_not():
    data = DATA["dose"]
    exact = 3 - 0.2 * (data["x"] - 12.5) ** 2
    step = np.where(data["x"] > 12, 1.0, 0.0)
    found = MODELS["dose"].statistic(data | {"y": np.stack([exact, step])})
    assert found[0] == pytest.approx(0, abs=1e-9)
    assert found[1] > 0.1


def test_strengths_explain_an_order_and_no_circle():
    none = np.zeros(0, dtype=int)
    empty = dict.fromkeys(("first", "second", "outcome", "answer_first", "answer_second"), none)
    order, circle = np.zeros((2, 3, 3, 3), dtype=int)
    for first, second, wins in ((0, 1, 6), (1, 2, 6), (0, 2, 7)):  # 0.1 + 0.1 = 0.2 above a half
        order[first, second] = [10 - wins, 0, wins]
    for first, second in ((0, 1), (1, 2), (2, 0)):
        circle[first, second, 2] = 10
    statistic = MODELS["strengths"].statistic
    assert statistic({**empty, "alone": order}) == pytest.approx(0, abs=1e-9)
    assert statistic({**empty, "alone": circle}) == pytest.approx(30 * 0.25)
    turned = circle.swapaxes(0, 1)[..., ::-1]  # shown the other way round
    assert statistic({**empty, "alone": turned}) == pytest.approx(30 * 0.25)
    one_by_one = {"first": np.array([0, 1, 2]), "second": np.array([1, 2, 0]),
                  "outcome": np.array([2, 2, 2])}  # fmt: skip
    assert statistic({**one_by_one, "alone": 0 * circle}) == pytest.approx(3 * 0.25)


def test_predictive_statistics_of_replicates_are_those_of_each():
    for name, model in MODELS.items():
        if model.statistic is None:
            continue
        rng = np.random.default_rng(8)
        draws = model.prior_draws(DATA[name], model.primary, rng, 6)
        made = model.replicate(draws, DATA[name], rng)
        each = [
            model.statistic({**DATA[name], **{k: v[i] for k, v in made.items()}}) for i in range(6)
        ]
        assert model.statistic({**DATA[name], **made}) == pytest.approx(np.array(each)), name
        assert len(set(each)) > 1, name


def test_without_effects_the_groups_are_new_ones():
    model, data = MODELS["proportion"], DATA["proportion"] | {"items": np.full(3, 10_000)}
    draw = {"a": np.zeros(2000), "sd": np.ones(2000), "z": np.zeros((2000, 3))}
    rng = np.random.default_rng(9)
    same = model.replicate(draw, data, rng)["correct"] / 10_000
    new = model.replicate({"a": draw["a"], "sd": draw["sd"]}, data, rng)["correct"] / 10_000
    assert same.std() < 0.01
    assert new.std() > 0.15


def test_a_dose_curve_is_standardised_before_its_priors_apply():
    model, data = MODELS["dose"], DATA["dose"]
    scaled = model.prepare(data | {"y": 500 + 20 * data["y"]})
    assert scaled["y"] == pytest.approx(model.prepare(data)["y"])
    assert (scaled["y"].mean(), scaled["y"].std()) == pytest.approx((0, 1))


def test_vectors_are_told_apart_by_component():
    draws = {"theta": np.arange(6.0).reshape(2, 3), "tau": np.ones(2)}
    found = MODELS["ranking"].scalars(draws)
    assert list(found) == ["theta[0]", "theta[1]", "theta[2]", "tau"]
    assert found["theta[1]"].tolist() == [1.0, 4.0]
