from fractions import Fraction
from pathlib import Path

import pytest
from kensho.claims import arithmetic, registry
from kensho.claims.model import Arithmetic
from pydantic import ValidationError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in registry.load(ROOT / "config/claims")}


def item(operation, operands, given, decimals=0, unit="ratio"):
    return Arithmetic(
        text="x", operation=operation, operands=operands, given=given, unit=unit, decimals=decimals
    )


def agrees(claims, component):
    claim = claims["F-12"].model_copy(update={"arithmetic": [component]})
    return bool(arithmetic.lint([claim]).agrees.item())


def test_the_catalogue_s_wrong_figures_are_found_and_no_right_one(claims):
    table = arithmetic.lint(claims.values())
    assert list(table.columns) == arithmetic.COLUMNS
    wrong = table[~table.agrees].set_index("claim").finding
    assert set(wrong.index) == {"D-1", "D-2", "F-12"}
    assert "44.5 percent, not 49." in wrong["D-2"]
    assert "78.8 percent, not 78.5." in wrong["F-12"]
    assert "3.6 percent, not 3." in wrong["D-1"]
    assert (table.finding[table.agrees] == "").all()
    assert {"D-3", "D-4", "D-5", "F-6", "F-10", "R-2.score", "R-3.score", "R-7.readme"} <= set(
        table.claim[table.agrees]
    )


def test_correcting_the_figure_silences_the_finding(claims):
    (component,) = claims["D-2"].arithmetic
    assert agrees(claims, component.model_copy(update={"given": 44.5, "decimals": 1}))
    assert agrees(claims, component.model_copy(update={"given": 45.0}))
    assert not agrees(claims, component.model_copy(update={"given": 44.0}))


@pytest.mark.parametrize(
    ("component", "value"),
    [
        (item("relative_gain", [4, 5], 25, unit="percent"), 25),
        (item("relative_gain", [4, 5], 0.25), Fraction(1, 4)),
        (item("ratio", [45000, 15000], 3), 3),
        (item("share", [1, 3], 33, unit="percent"), Fraction(100, 3)),
        (item("difference", [0.3, 0.1], 0.2), Fraction(1, 5)),
        (item("product", [0.25, 192], 48, unit="GB"), 48),
        (item("sum", [0.1, 0.2], 0.3), Fraction(3, 10)),
        (item("minimum", [51, 48], 48, unit="GB"), 48),
        (item("maximum", [51, 48], 51, unit="GB"), 51),
    ],
)
def test_operations_are_exact(component, value):
    assert arithmetic.recompute(component) == value


@pytest.mark.parametrize(
    ("operands", "given", "decimals", "expected"),
    [
        ([1.005, 0], 1.01, 2, True),  # the float 1.005 lies below the decimal
        ([2.5, 0], 3, 0, True),  # round() would go to the even 2
        ([0, 2.5], -3, 0, True),
        ([0, 2.5], -2, 0, False),
        ([2.4999, 0], 3, 0, False),
    ],
)
def test_halves_round_away_from_zero(claims, operands, given, decimals, expected):
    assert agrees(claims, item("difference", operands, given, decimals)) is expected


def test_division_by_zero_names_the_claim(claims):
    with pytest.raises(ValueError, match="F-12: arithmetic 'x' divides by zero"):
        agrees(claims, item("ratio", [1, 0], 1))


def test_a_gain_takes_two_operands():
    with pytest.raises(ValidationError, match="relative_gain takes two operands, found 3"):
        item("relative_gain", [1, 2, 3], 1)
