"""No measurement is drawn at random: where the library draws at all, and what for."""

import ast
from pathlib import Path

WORKFLOW = Path(__file__).parents[1] / "workflow"
# Draws of numbers, not of selections: a model's priors and predictions, and the data on which the
# engine itself is tried. None of these writes an observation.
STATISTICS = ("kensho/stats/bayesian.py", "kensho/stats/models/", "kensho/stats/calibration/")
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
    assert all(path.startswith(STATISTICS) for path in found), found


def test_what_draws_numbers_writes_no_observations():
    for path in (WORKFLOW / "kensho/stats").rglob("*.py"):
        if draws(path):
            assert "kensho.observations" not in path.read_text(encoding="utf-8"), path


def test_the_search_sees_a_draw(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("import random\nvalue = random.uniform(0.9, 1.1) * claimed\n")
    assert draws(path) == {"uniform"}
