"""No measurement is drawn at random: every draw of the library is on a list, with what it is for.

A draw is a call of anything that numpy's, Python's or torch's generators offer, by whatever name
it was imported. What is not listed here fails.
"""

import ast
import random
from pathlib import Path

import numpy as np
import pytest

WORKFLOW = Path(__file__).parents[1] / "workflow"
# A model's priors and predictions, resampling, and the data on which the engine itself is tried.
# None of these writes an observation.
STATISTICS = "kensho/stats/"
ALLOWED = {  # selections and their order, never a measured value
    "kensho/augment/bunsetsu.py": {"random", "permutation"},  # which samples, which order
    "kensho/augment/contextual.py": {"choice"},  # which words are tried
    "kensho/augment/eda.py": {"integers", "random"},  # which units
    "kensho/augment/study.py": {"permutation"},  # splits, originals
    "kensho/augment/syntax.py": {"permutation", "random"},  # which samples, which rule
    "kensho/augment/__init__.py": {"random"},  # which samples
    "kensho/augment/synonyms.py": {"integers", "random", "choice"},  # which words, which synonym
    "kensho/bench/adapters.py": {"permutation"},  # which samples are learnt
    "kensho/bench/analysis_mode.py": {"sample"},  # texts
    "kensho/bench/blocks.py": {"permutation"},  # order of the arms
    "kensho/bench/load.py": {"exponential"},  # when users arrive
    "kensho/bench/medical.py": {"permutation"},  # order of the questions
    "kensho/bench/dialogues.py": {"permutation"},  # which of them are asked
    "kensho/bench/published_tokenisers.py": {"permutation"},  # which documents, order of the arms
    "kensho/bench/replay.py": {"permutation"},  # which sentences are learnt
    "kensho/bench/tokeniser_models.py": {"permutation"},  # which sentences are learnt
    "kensho/bench/tokenisers.py": {"permutation"},  # order of the arms
    "kensho/bench/training_scale.py": {"permutation"},  # which samples are learnt
    "kensho/bench/quick_mode.py": {"permutation", "choice"},  # order of the arms, texts
    "kensho/data/corpus.py": {"permutation"},  # splits
    "kensho/jlce/prepare.py": {"choice"},  # items
    "kensho/judging/items.py": {"permutation"},  # which items
    "kensho/train/stage.py": {"permutation"},  # order of the samples
}
TORCH = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal",
    "bernoulli", "multinomial", "poisson", "normal_", "uniform_", "random_", "exponential_",
    "cauchy_", "geometric_", "log_normal_", "bernoulli_",
}  # fmt: skip
OFFERED = {
    name
    for owner in (np.random.Generator, np.random.RandomState, random.Random)
    for name in dir(owner)
    if not name.startswith("_") and callable(getattr(owner, name))
} | TORCH
# Names that generators share with what draws nothing: numpy.power, str.seed of a dataclass, ...
SHARED = {"power", "f", "bytes", "seed", "spawn", "getstate", "setstate", "get_state", "set_state"}
MODULES = ("random", "numpy.random", "torch.distributions", "scipy.stats.rv_continuous")


def draws(path):
    """Names of generators' methods that a file calls, and of what it imports of their modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in MODULES}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name == "rvs" or (name in OFFERED and name not in SHARED):
                found.add(name)
    return found


def test_every_draw_is_on_the_list():
    found = {str(p.relative_to(WORKFLOW)): draws(p) for p in sorted(WORKFLOW.rglob("*.py"))}
    found = {path: names for path, names in found.items() if names}
    elsewhere = {p: names for p, names in found.items() if not p.startswith(STATISTICS)}
    assert elsewhere == ALLOWED


def test_what_draws_numbers_writes_no_observations():
    for path in (WORKFLOW / STATISTICS).rglob("*.py"):
        if draws(path):
            assert "kensho.observations" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    "line",
    [
        "import random\nvalue = random.uniform(0.9, 1.1) * claimed",
        "import random as r\nvalue = r.random() * claimed",
        "from random import gauss\nvalue = gauss(1, 0.1)",
        "value = claimed * (1 + 0.1 * rng.random())",
        "value = torch.empty(3).normal_()",
        "value = rng.laplace(0, 1)",
        "from numpy.random import default_rng as d\nvalue = d().logistic()",
        "value = np.random.default_rng(0).triangular(0, 1, 2)",
        "value = stats.norm(claimed, 0.1).rvs()",
    ],
)
def test_the_search_sees_a_draw(tmp_path, line):
    path = tmp_path / "x.py"
    path.write_text(line + "\n")
    assert draws(path)


@pytest.mark.parametrize("line", ["value = np.power(2, 3)", "value = beta * gamma", "x = a.seed()"])
def test_the_search_sees_no_draw_where_there_is_none(tmp_path, line):
    path = tmp_path / "x.py"
    path.write_text(line + "\n")
    assert not draws(path)
