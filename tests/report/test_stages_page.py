"""The page of the recipes: each stage beside the one before it, and its curves."""

from kensho.report import inputs, stages
from report_example import tables
from test_japanese import left

AUDITS = ["bilingual, sft, seed 1: 90 of 120 tokens are learned, rows packed"]


def page(rehearsal=False):
    shown = tables()
    return stages.build(shown["evaluation"], shown["loss"], AUDITS, rehearsal=rehearsal)


def test_every_metric_has_its_difference_from_the_stage_before():
    shown, html = tables()["evaluation"], page()
    assert html.count("Difference from the stage before [95 %]") == shown["metric"].nunique()
    assert "from base" not in html
    assert AUDITS[0] in html and page(rehearsal=True) != html


def test_every_arm_that_learned_has_its_curves():
    arms = tables()["loss"]["arm"].unique()
    assert len(arms) > 1 and all(f"<h4>{arm}</h4>" in page() for arm in arms)


def test_without_a_recipe_the_page_says_so():
    html = stages.build(None, inputs.loss([]), [], rehearsal=False)
    assert "No recipe is trained" in html and "<svg" not in html


def test_the_page_is_japanese():
    assert left(page()) == []
    assert left(stages.build(None, inputs.loss([]), [], rehearsal=False)) == []
