"""R-style formulas: what is read, and that nothing else ever reaches what evaluates them."""

import subprocess
import sys

import pytest
from kensho.claims.designs import FormulaContrast
from kensho.claims.formula import parse
from pydantic import ValidationError

COLUMNS = ["arm", "replicate"], ["task", "item", "replicate"], ["task", "item"]


@pytest.mark.parametrize(
    "text, read",
    [
        ("score ~ arm", "1 + arm"),
        ("score~1+arm+(1|item)", "1 + arm + (1|item)"),
        ("score ~ arm + (1|item) + (1|task)", "1 + arm + (1|item) + (1|task)"),
        ("score ~ arm * replicate", "1 + arm + replicate + arm:replicate"),
        ("score ~ arm + (arm|task)", "1 + arm + (1 + arm|task)"),
        ("score ~ arm + (0 + arm | task)", "1 + arm + (0 + arm|task)"),
        ("score ~ arm + (1|item) + (1|item) + arm", "1 + arm + (1|item)"),
        ("score ~ arm + (1|item:arm)", "1 + arm + (1|item:arm)"),
        # items lie within tasks: their names hold the task's
        ("score ~ arm + (1|task:item)", "1 + arm + (1|item)"),
    ],
)
def test_what_is_read(text, read):
    assert parse(text, *COLUMNS).text == read


def test_within_an_arm_the_other_fixed_effects_are_left():
    assert parse("score ~ arm * replicate + (1|item)", *COLUMNS).covariates == "1 + replicate"
    assert parse("score ~ arm + (arm|item)", *COLUMNS).covariates == "1"


@pytest.mark.parametrize(
    "text, sign",
    [
        ("score ~ arm + __import__('os').system('touch pwned')", "'"),
        ("score ~ arm + {print(1)}", "{"),
        ("score ~ arm + np.log(item)", "."),
        ("score ~ arm + `item`", "`"),
        ("score ~ arm - 1", "-"),
        ("score ~ arm / item", "/"),
        ("score ~ arm + item[0]", "["),
        ("score ~ arm + ａrm", "ａ"),
        ("score ~ arm; x", ";"),
    ],
)
def test_signs_beyond_the_whitelist_are_refused(text, sign):
    with pytest.raises(ValueError, match="is not allowed; only names of columns") as refused:
        parse(text, *COLUMNS)
    assert f"'{sign}' " in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text, said",
    [
        ("score ~ scale(arm)", "unknown column 'scale'; known: arm, replicate, task, item"),
        ("score ~ arm + prompt", "unknown column 'prompt'; known: arm, replicate, task, item"),
        ("score ~ arm + (1|judge)", "unknown column 'judge'; known: "),
        ("score ~ arm + exec", "unknown column 'exec'"),
        ("score ~ arm + item", "'item' names groups, not a fixed effect; write (1|item)"),
        ("score ~ 1 + (1|item)", "has no effect of 'arm'"),
        ("score ~ replicate", "has no effect of 'arm'"),
        ("score ~ (arm|item)", "has no effect of 'arm'"),
        ("score ~ arm:replicate", "'arm' interacts but does not stand alone"),
        ("score ~ 0 + arm", "the overall level stays in"),
        ("score ~ arm + 2", "the number 2 means nothing here"),
        ("score ~ arm + (1|arm)", "they are no groups"),
        ("score ~ arm + (0|item)", "has no effect; write 1"),
        ("score ~ arm + (1|item", "expected ')', found the end"),
        ("score ~ arm + (1|(1|item))", "expected the name of a column, found '('"),
        ("score ~ arm +", "expected the name of a column, found the end"),
        ("score ~ arm arm", "expected '+' or the end, found 'arm'"),
        ("accuracy ~ arm", "must begin with 'score ~'"),
        ("", "must begin with 'score ~'"),
    ],
)
def test_a_wrong_formula_is_refused_in_one_line(text, said):
    with pytest.raises(ValueError) as refused:
        parse(text, *COLUMNS)
    assert said in str(refused.value) and "\n" not in str(refused.value)


TEST = {
    "design": "formula",
    "experiment": "e",
    "formula": "score ~ arm + (1|item)",
    "likelihood": "bernoulli",
    "metric": "acc",
    "contrast": {"kind": "difference", "treatment": "a", "control": "b"},
    "levels": ["item"],
    "region": [0.0, None],
    "direction": "greater",
    "sesoi": 0.01,
}
RATIO = {"kind": "ratio", "treatment": "a", "control": "b"}


def test_a_registered_formula_is_a_test_of_the_family():
    test = FormulaContrast.model_validate(TEST)
    assert (test.scale, test.stochastic, test.unit, test.arms) == (
        "difference", True, "item", ["a", "b"],
    )  # fmt: skip
    test = FormulaContrast.model_validate(
        TEST | {"contrast": RATIO, "region": [1.1, None], "sesoi": 1.05}
    )
    assert test.scale == "ratio"


def test_strata_are_fixed_and_the_next_level_is_the_unit():
    test = FormulaContrast.model_validate(
        TEST
        | {
            "formula": "score ~ arm * task + (1|item)",
            "levels": ["task", "item"],
            "strata": ["task"],
        }
    )
    assert test.unit == "item" and test.parsed.covariates == "1 + task"


@pytest.mark.parametrize(
    "change, said",
    [
        ({"formula": "score ~ arm + (1|task)"}, "unknown column 'task'; known: arm, replicate"),
        ({"strata": ["item"]}, "strata: expected the first of the levels item, not all"),
        ({"levels": ["task", "item"], "strata": ["item"]}, "strata: expected the first"),
        (
            {"levels": ["task", "item"], "strata": ["task"], "formula": "score ~ arm + (1|task)"},
            "'task' is a fixed effect and has no groups here",
        ),
        ({"levels": ["sigma"]}, "'sigma' is a name of the model's own"),
        ({"levels": ["arm", "item"]}, "'arm' is a name of the model's own"),
        ({"levels": ["task", "effect"]}, "'effect' is a name of the model's own"),
        ({"region": [5.0, None]}, "region: 5 is no difference of scores from 0 to 1"),
        ({"sesoi": 2.0}, "sesoi: must be smaller, no difference of scores"),
        ({"likelihood": "beta_binomial", "region": [-1.5, 0.5]}, "region: -1.5 is no difference"),
        (
            {"likelihood": "beta_binomial", "formula": "score ~ arm + replicate"},
            "unknown column 'replicate'",
        ),
        ({"prior": {"effect": 1.0}}, "prior must give level, effect, spread"),
        ({"contrast": TEST["contrast"] | {"treatment": "b"}}, "are the same arm 'b'"),
        ({"contrast": RATIO, "region": [1.1, None]}, "sesoi must be above 1"),
        ({"contrast": RATIO}, "region: 0 is no ratio"),
    ],
)
def test_what_a_registration_refuses(change, said):
    with pytest.raises(ValidationError) as refused:
        FormulaContrast.model_validate(TEST | change)
    assert said in str(refused.value)


def test_the_registry_imports_no_statistics():
    heavy = ["scipy", "pymc", "bambi", "formulae", "statsmodels"]
    code = (
        "import sys, kensho.claims.registry\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
