"""No measurement is drawn at random: where the library draws at all, and what for."""

import ast
from pathlib import Path

WORKFLOW = Path(__file__).parents[1] / "workflow"
# Draws of numbers, not of selections: a posterior's predictions and priors, to check the model.
STATISTICS = {"kensho/stats/bayesian.py", "kensho/stats/frequentist.py"}
DRAWS = {
    "normal", "uniform", "gauss", "normalvariate", "lognormal", "standard_normal", "standard_t",
    "gamma", "beta", "exponential", "poisson", "binomial", "randn", "rand", "randint", "randn_like",
    "rand_like", "triangular", "betavariate", "expovariate",
}  # fmt: skip


def draws(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {f.attr for f in calls if isinstance(f, ast.Attribute) and f.attr in DRAWS}


def test_numbers_are_drawn_in_statistics_only():
    found = {str(p.relative_to(WORKFLOW)): draws(p) for p in WORKFLOW.rglob("*.py") if draws(p)}
    assert set(found) <= STATISTICS, found


def test_the_search_sees_a_draw(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("import random\nvalue = random.uniform(0.9, 1.1) * claimed\n")
    assert draws(path) == {"uniform"}
