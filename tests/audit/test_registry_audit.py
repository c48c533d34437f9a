"""What the figures of the registered claims say of each other."""

from pathlib import Path

import pytest
from kensho.audit import registry as audits
from kensho.claims import registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in registry.load(ROOT / "config/claims")}


def test_the_catalogue_s_impossible_figures_are_found_and_no_other(claims):
    table = audits.audit(claims.values())
    assert list(table.columns) == audits.COLUMNS
    wrong = table[table["word"] == "IMPOSSIBLE"].set_index("claim").sentence
    assert set(wrong.index) == {"D-1", "D-2", "F-12"}
    assert "43.8 to 45.3 percent; printed is 49." in wrong["D-2"]
    assert "78.79 percent; printed is 78.5." in wrong["F-12"]
    assert "3.6 to 3.7 percent; printed is 3." in wrong["D-1"]
    right = set(table.claim[table["word"] == "CONSISTENT"])
    assert {"D-3", "D-4", "D-5", "F-6", "F-10", "F-12", "R-2.score", "R-7.readme"} <= right
    assert not audits.problems(claims.values())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"check": "derive"}, r"no check 'derive', did you mean 'derived'\?; change it"),
        ({"of": {"figure": "49"}}, "derived needs 'operation'; add it"),
        ({"of": {"figure": "49", "parts": [1, 2], "operation": "root"}},
         "derived.operation: 'root' is none of relative_gain, .*; change it"),
        ({"of": {"figure": "many", "parts": [1, 2], "operation": "sum"}},
         "derived.figure: 'many' is no printed number; change it"),
        ({"of": {"figure": "1", "parts": [1], "operation": "ratio"}},
         "ratio takes two figures, not 1; change it"),
        ({"check": "ranks", "of": {"scores": ["1"], "places": [1]}},
         "ranks is a check of columns; take one of rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_one_line_with_the_claim(claims, change, line):
    (entry,) = claims["D-2"].audit
    claim = claims["D-2"].model_copy(update={"audit": [entry.model_copy(update=change)]})
    (problem,) = audits.problems([claim])
    assert problem.startswith("claim D-2: audit[0]: ")
    with pytest.raises(ValueError, match=line):
        audits.audit([claim])


def test_correcting_the_figure_silences_the_finding(claims):
    (entry,) = claims["D-2"].audit
    for figure, word in (("44.5", "CONSISTENT"), ("45", "CONSISTENT"), ("46", "IMPOSSIBLE")):
        corrected = entry.model_copy(update={"of": {**entry.of, "figure": figure}})
        claim = claims["D-2"].model_copy(update={"audit": [corrected]})
        assert audits.audit([claim]).word.to_list() == [word]
