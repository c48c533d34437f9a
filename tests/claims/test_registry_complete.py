"""No record without a test or a kind of reason, and no design without a sentence to judge."""

from pathlib import Path
from typing import get_args

import pytest
from kensho.claims import registry
from kensho.claims.designs import Test as AnyTest
from kensho.claims.model import Obstacle
from kensho.external import wanted

ROOT = Path(__file__).parents[2]
CLAIMS = registry.load(ROOT / "config/claims")
# No sentence of the sources compares arms whose items nothing pairs; a claim of our own does.
WITHOUT_SENTENCE = {"unpaired_difference"}


def designs():
    union, _ = get_args(AnyTest)
    fields = (design.model_fields["design"].annotation for design in get_args(union))
    return {name for annotation in fields for name in get_args(annotation)}


def test_every_design_judges_a_sentence_of_the_sources_but_those_that_none_needs():
    own = {claim.test.design for claim in CLAIMS if claim.test and claim.source == "own"}
    judged = {claim.test.design for claim in CLAIMS if claim.test and claim.source != "own"}
    assert designs() == judged | own
    assert designs() - judged == WITHOUT_SENTENCE


def test_a_record_without_a_test_has_kinds_of_its_own():
    without = [claim for claim in CLAIMS if claim.test is None]
    assert without and all(claim.obstacles for claim in without)
    assert not any(Obstacle.SETTINGS in claim.obstacles for claim in CLAIMS)


@pytest.mark.parametrize("kind", [kind for kind in Obstacle if kind != Obstacle.SETTINGS])
def test_every_kind_is_needed(kind):
    assert any(kind in claim.obstacles for claim in CLAIMS)


def test_what_nobody_could_observe_has_no_test():
    unobservable = {Obstacle.OPINION, Obstacle.BOOKKEEPING, Obstacle.UNKNOWN_CONDITIONS}
    assert not any(claim.test for claim in CLAIMS if unobservable.intersection(claim.obstacles))


def test_awaited_tables_are_well_asked_and_lie_where_the_user_brings_them():
    bringing = [claim for claim in CLAIMS if claim.test and claim.test.external]
    assert not wanted.problems(bringing, [])
    for claim in bringing:
        assert all(table.path.startswith("own/") for table in claim.test.external), claim.id
        told = " ".join([*claim.remarks, claim.recipe or ""])
        assert claim.recipe is None or all(t.path in told for t in claim.test.external), claim.id
