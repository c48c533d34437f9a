import numpy as np
import pandas as pd
import pytest
from kensho.claims.base import Contrast, Side
from kensho.stats.units import binary, by_unit, grid, paired, split, values


def table(arm, rows, metric="acc"):
    frame = pd.DataFrame(rows, columns=["block", "replicate", "value"])
    return frame.assign(experiment="e", arm=arm, metric=metric, unit="share")


A, B = Side(arm="a", metric="acc"), Side(arm="b", metric="acc")
READING = Contrast(label="a - b", treatment=A, control=B)
GOOD = [("q2", 0, 1.0), ("q1", 1, 0.0), ("q1", 0, 1.0), ("q2", -1, 9.0)]


def test_values_stand_in_the_order_of_names_and_leave_warm_up_out():
    found = values(A, table("a", [("q10", 0, 1.0), *GOOD]), "e")
    assert found.to_dict() == {"q1": [1.0, 0.0], "q2": [1.0], "q10": [1.0]}
    assert list(found.index) == ["q1", "q2", "q10"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*GOOD, ("q1", 0, 1.0)], "e/a.csv, line 6: metric 'acc', block 'q1', replicate 0"),
        ([("q1", 0, np.nan)], "e/a.csv, line 2: .*value nan.* is not a finite number"),
        ([("q1", 0, "high")], "e/a.csv, line 2: .*value high.* is not a finite number"),
        ([("q1", -1, 1.0)], "e/a.csv: no observation of metric 'acc'"),
    ],
)
def test_faults_name_file_and_line(rows, message):
    with pytest.raises(ValueError, match=message):
        values(A, table("a", rows), "e")


def test_unpaired_items_are_named():
    with pytest.raises(ValueError, match="reading 'a - b': block 'q3' is in only one of a/acc"):
        paired(
            READING,
            {"a": table("a", GOOD), "b": table("b", [*GOOD, ("q3", 0, 1.0)])},
            "e",
            positive=False,
        )


def test_names_are_split_into_the_registered_levels():
    parts = split(["p1/q1", "p1/q2"], ["passage", "item"], "e")
    assert parts.to_dict("list") == {"passage": ["p1", "p1"], "item": ["q1", "q2"]}
    assert split(["p1/q1"], ["block"], "e")["block"].tolist() == ["p1/q1"]
    with pytest.raises(ValueError, match=r"block 'q3' has 1 parts, the claim registers 2 levels"):
        split(["p1/q1", "q3"], ["passage", "item"], "e")


def test_clusters_count_alike_whatever_their_size():
    parts = split(["a/1", "a/2", "a/3", "b/1"], ["passage", "item"], "e")
    assert by_unit(np.array([0.0, 0.0, 3.0, 5.0]), parts).to_dict() == {"a": 1.0, "b": 5.0}


def test_three_levels_are_averaged_from_below():
    parts = split(["t/p/1", "t/p/2", "t/q/1"], ["task", "passage", "item"], "e")
    assert by_unit(np.array([0.0, 2.0, 5.0]), parts).to_dict() == {"t": 3.0}
    assert by_unit(np.array([0.0, 2.0, 5.0]), parts, level=1).to_dict() == {
        ("t", "p"): 1.0,
        ("t", "q"): 5.0,
    }


def test_answers_are_right_or_wrong():
    cells = pd.Series({"q1": [1.0], "q2": [0.5]})
    with pytest.raises(ValueError, match=r"block 'q2' holds 0.5, neither 0 nor 1"):
        binary(cells, READING, "e")
    assert binary(cells.head(1), READING, "e").tolist() == [1.0]


def test_grid_names_the_block_that_an_arm_lacks():
    tables = {"a": table("a", GOOD), "b": table("b", GOOD[:1])}
    with pytest.raises(ValueError, match=r"e/b.csv: block 'q1' is missing"):
        grid([A, B], tables, "e")
    tables["b"] = table("b", GOOD)
    assert grid([A, B], tables, "e").loc["q1"].to_dict() == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    "names",
    [
        ["問1①", "問2①", "問2②", "問10①"],
        ["a2", "a10", "a²", "a³"],
        ["2", "10", "٣"],
        ["x9", "x" + "1" * 5000, "x" + "2" * 5000],
        ["01", "1", "02", "2"],
    ],
)
def test_blocks_are_ordered_by_decimal_numbers_and_any_name_is_one(names):
    for shuffled in (names, names[::-1]):
        found = values(A, table("a", [(name, 0, 1.0) for name in shuffled]), "e")
        assert list(found.index) == names
