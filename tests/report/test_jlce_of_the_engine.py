"""The JLCE page from what the runner, the scorers and the ranking really write."""

import jlce_results
import pytest
from kensho.report import jlce
from report_example import Reader, text
from test_pages_of_the_engine import fates

pytestmark = pytest.mark.slow  # the ranking is sampled


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return jlce_results.written(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def given(files):
    return jlce.read(**files)


def fates_in(given, key):
    return fates(given[key], lambda changed: jlce.build(**{**given, key: changed}), set())


def test_the_page_holds_what_was_asked_and_scored(given):
    html = jlce.build(**given)
    assert Reader(html).open == []
    shown = text(html)
    assert "None" not in shown and "nan" not in shown
    assert f"2 models on {len(jlce_results.TASKS)} tasks of Japanese, 24 items in all" in shown
    for row in given["scores"].query("main").itertuples():
        assert f"{row.value:.2f}" in shown, row
    cut = given["arms"][1]["thinking"]
    assert cut["answers"] > 0 and f"from {cut['answers']} written answers of tuned" in shown


def test_no_key_of_the_ranking_passes_unseen_under_another_name(given):
    found = fates_in(given, "ranking")
    assert found["unread"] == {"sensitivity.*.prior"}
    assert {place.rpartition(".")[0] for place in found["listed"]} <= {"diagnostics", "prior"}
    assert "lost" not in found


def test_no_key_of_the_items_and_conditions_passes_unseen(given):
    found = fates_in(given, "origins")
    assert {"kinds", "tasks", "left_out"} - found["refused"] == {"left_out"}  # it is empty
    of_kinds = {place.split(".")[-1] for place in found.get("unread", ())}
    of_others = {"main", "chance", "majority", "documents"}
    assert of_kinds <= of_others | {*jlce_results.catalogue.tasks()}
    arms = {tuple(place.split(".")[1:]) for place in fates_in(given, "arms")["refused"]}
    read = {("tier",), ("dtype",), ("hardware",), ("hardware", "cpu"), ("deviations",), ("rows",)}
    read |= {("thinking",), ("thinking", "answers"), ("models",), ("observations_sha256",)}
    assert read <= arms


@pytest.mark.parametrize("column", jlce.SCORES)
def test_a_column_of_another_name_is_refused(files, tmp_path, column):
    table = tmp_path / "scores.csv"
    head, *rows = files["scores"].read_text().splitlines(keepends=True)
    table.write_text(head.replace(column, "of_another_name", 1) + "".join(rows))
    with pytest.raises(ValueError, match=f"column {column} is missing"):
        jlce.read(**{**files, "scores": table})
