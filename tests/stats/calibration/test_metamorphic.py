import numpy as np
import pytest
from kensho.stats.calibration import metamorphic


@pytest.fixture(scope="module")
def table():
    return metamorphic.run(seed=0, draws=None)


def test_every_relation_holds(table):
    assert table["holds"].all(), table[~table["holds"]].to_string()


def test_every_design_and_relation_takes_part(table):
    assert set(table["relation"]) == set(metamorphic.RELATIONS)
    assert set(table["design"]) == {s.name for s in metamorphic.subjects()}
    assert (table.groupby("design").size() >= 3).all()


def test_the_data_reach_different_verdicts():
    rng = np.random.default_rng(0)
    for subject in metamorphic.subjects():
        said = [
            metamorphic.closed_form(subject.test, subject.tables(truth, rng))[0]
            for truth in subject.truths
        ]
        assert len(set(said)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(value=t["value"] * np.where(t["arm"] == "a", 1.2, 1.0)),  # one arm only
        lambda t: t.iloc[: len(t) // 2],  # blocks lost
        lambda t: t.assign(block=t["block"] + "/" + t["replicate"].astype(str)),  # iterations
    ],
    ids=["one arm slower", "half of the blocks", "iterations as units"],
)
def test_changes_that_matter_are_seen(change):
    subject = metamorphic.subjects()[0]
    tables = subject.tables(subject.truths[0], np.random.default_rng(0))
    before = metamorphic.closed_form(subject.test, tables)
    after = metamorphic.closed_form(subject.test, metamorphic._each(tables, change))
    assert not metamorphic._agree(before, after, lambda x: x)


@pytest.mark.slow
def test_relations_hold_through_the_sampler():
    table = metamorphic.run(seed=0, draws=500)
    sampled = table[table["design"].str.endswith("sampled")]
    assert len(sampled) == len(metamorphic.RELATIONS)
    assert sampled["holds"].all(), sampled.to_string()
