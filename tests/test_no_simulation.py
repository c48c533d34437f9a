"""No measurement is drawn at random: every draw of the library is on a list, with what it is for.

A draw is a use of anything that numpy's, Python's or torch's generators offer, by whatever name
it was imported, called at once or handed on. What is not listed here fails.
"""

import ast
import random
import re
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
    "kensho/augment/grammar.py": {"choice"},  # which words of a control change places
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
    "kensho/run/head.py": {"uuid4"},  # ids
    "kensho/run/machine.py": {"uuid4"},
    "kensho/run/record.py": {"uuid4"},
    "kensho/train/sampling.py": {"do_sample"},  # what preferences and rewards are learnt from
    "kensho/train/stage.py": {"permutation"},  # order of the samples
}
OTHERS = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal",
    "bernoulli", "multinomial", "poisson", "normal_", "uniform_", "random_", "exponential_",
    "cauchy_", "geometric_", "log_normal_", "bernoulli_", "rsample", "rvs", "resample",
    "random_raw", "urandom", "randbelow", "uuid4", "sample_prior_predictive",
    "sample_posterior_predictive", "time_ns", "monotonic_ns", "perf_counter_ns",
}  # fmt: skip
OFFERED = {
    name
    for owner in (np.random.Generator, np.random.RandomState, random.Random)
    for name in dir(owner)
    if not name.startswith("_") and callable(getattr(owner, name))
} | OTHERS
# Names that generators share with what draws nothing: numpy.power, str.seed of a dataclass, ...
SHARED = {"power", "f", "bytes", "seed", "spawn", "getstate", "setstate", "get_state", "set_state"}
FIELDS = {"beta", "choice", "choices", "random", "sample"}  # names of fields too, which none calls
MODULES = ("random", "numpy.random", "secrets", "torch.distributions", "scipy.stats.rv_continuous")
BY_NAME = ("getattr", "methodcaller", "import_module", "__import__")


def draws(path):
    """Names of generators' methods that a file uses, and of what it imports of their modules."""
    return {
        name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in drawn(node)
    }


def drawn(node):
    match node:
        case ast.ImportFrom(module=str(module)) if not module.startswith("kensho"):
            for name in (alias.name for alias in node.names):
                if module in MODULES or f"{module}.{name}" in MODULES or name in OFFERED - SHARED:
                    yield name
        case ast.Import():
            yield from {alias.name for alias in node.names}.intersection(MODULES)
        case ast.Attribute(attr=name) if name not in FIELDS and (
            name in OFFERED - SHARED or name.endswith(("normal_", "uniform_"))
        ):
            yield name
        case ast.Call(func=ast.Attribute(attr=name)) if name in FIELDS:
            yield name
        case ast.Call(func=ast.Name(id=by) | ast.Attribute(attr=by)) if by in BY_NAME:
            words = {word.value for word in node.args if isinstance(word, ast.Constant)}
            yield from words & {*MODULES, *(OFFERED - SHARED)}
        case ast.Call(func=ast.Name(id="hash")):  # of a text another one in every process
            yield "hash"
        case ast.keyword(arg="do_sample", value=ast.Constant(value=True)):
            yield "do_sample"


def test_every_draw_is_on_the_list():
    found = {str(p.relative_to(WORKFLOW)): draws(p) for p in sorted(WORKFLOW.rglob("*.py"))}
    found = {path: names for path, names in found.items() if names}
    elsewhere = {p: names for p, names in found.items() if not p.startswith(STATISTICS)}
    assert elsewhere == ALLOWED


def test_what_draws_numbers_writes_no_observations():
    for path in (WORKFLOW / STATISTICS).rglob("*.py"):
        if draws(path):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"kensho(\.| import .*\b)observations", text), path


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
        "draw = rng.normal\nvalue = draw(1, 0.1)",
        "values = list(map(rng.normal, claimed))",
        "value = getattr(rng, 'normal')(1, 0.1)",
        "value = operator.methodcaller('normal', 1)(rng)",
        "value = importlib.import_module('random').gauss(1, 0.1)",
        "from torch import randn as r\nvalue = r(3)",
        "from torch import distributions as d\nvalue = d.Normal(0, 1)",
        "value = torch.distributions.Normal(1, 0.1).rsample()",
        "value = torch.nn.init.trunc_normal_(x)",
        "value = gaussian_kde(x).resample(3)",
        "value = np.random.Philox(1).random_raw()",
        "import secrets\nvalue = secrets.choice(x)",
        "value = os.urandom(1)[0] / 255",
        "value = uuid.uuid4().int % 100",
        "value = hash(name) % 100 / 100",
        "value = time.time_ns() % 100 / 100",
        "text = model.generate(x, do_sample=True)",
    ],
)
def test_the_search_sees_a_draw(tmp_path, line):
    path = tmp_path / "x.py"
    path.write_text(line + "\n")
    assert draws(path)


@pytest.mark.parametrize(
    "line",
    [
        "value = np.power(2, 3)",
        "value = beta * gamma",
        "x = a.seed()",
        "x = one.choice",
        "x = getattr(one, 'sample_id')",
    ],
)
def test_the_search_sees_no_draw_where_there_is_none(tmp_path, line):
    path = tmp_path / "x.py"
    path.write_text(line + "\n")
    assert not draws(path)
